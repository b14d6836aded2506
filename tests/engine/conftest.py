"""A bench for the engine: the real store on a real file, a scripted network, a clock that stands still."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from notifier.config.model import CallbackSettings, PollingSettings, ProviderSettings
from notifier.core.delivery.signature import make_secret
from notifier.core.exchange import HttpReply
from notifier.core.formats.times import format_instant
from notifier.core.model import Callback, NewWatch
from notifier.core.secret import Secret
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.deliverer import Deliverer
from notifier.engine.poller import Poller
from notifier.engine.waiters import WatchWaiters
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from notifier.store.values import WatchAdded, WatchDetail
from tests.fakes import FakeClock, FakeWire, Request

KEY = Secret("sk-mr-canary-0123456789")
SIGNING = make_secret(bytes(range(32)))
HOUR_MS = 3_600_000
MAX_PAYLOAD = 16 << 20
"""So that a large reply makes a large callback."""
PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
BASE = "http://127.0.0.1:1"
HOOK = "http://127.0.0.1:2/hook"


def task(status: str, task_id: str = "task-1", **more: object) -> HttpReply:
    """A provider's answer about ``task_id``."""
    return HttpReply(200, body=json.dumps({"task_info": {"id": task_id, "status": status}, **more}).encode())


@dataclass
class Bench:
    """The engine's parts, and steps that tests take by hand."""

    store: SqliteStore
    clock: FakeClock
    polls: FakeWire
    posts: FakeWire
    poller: Poller
    deliverer: Deliverer
    tasks: BackgroundTasks
    waiters: WatchWaiters
    rung: list[int] = field(default_factory=list)
    planted_crashes: int = 0

    async def register(
        self,
        task_id: str = "task-1",
        *,
        url: str = HOOK,
        expire_after_ms: int = HOUR_MS,
        metadata: str = '{"order":42}',
        is_learned: bool = False,
        traceparent: str | None = None,
    ) -> str:
        now = self.clock.now()
        new = NewWatch(
            provider="mulerouter",
            api_path=PATH,
            task_id=task_id,
            callbacks=(Callback(url),),
            metadata=metadata,
            registered_at=now,
            first_poll_at=now + 2_500,
            expires_at=now + expire_after_ms,
            first_poll_by=now + expire_after_ms if is_learned else None,
            traceparent=traceparent,
        )
        (added,) = await self.store.add_watches([new], give_up_at=now + 72 * HOUR_MS, max_live=1_000)
        assert isinstance(added, WatchAdded)
        return added.watch.id

    async def poll(self) -> int:
        """One tick of the poller, and all that it started."""
        next_at = await self.poller.tick()
        await self.tasks.drain(60)
        return next_at

    async def deliver(self) -> int:
        """One tick of the deliverer, and all that it started."""
        next_at = await self.deliverer.tick()
        await self.tasks.drain(60)
        return next_at

    async def see(self, watch_id: str) -> WatchDetail:
        detail = await self.store.watch(watch_id)
        assert detail is not None
        return detail

    def one_at_a_time(self) -> CallbackSettings:
        """Settings under which attempts come one after the other."""
        return replace(self.deliverer.settings, max_in_flight_per_origin=1)

    def stamp(self, ms_from_now: int) -> str:
        return format_instant(self.clock.now() + ms_from_now)

    def with_times(self, answer: HttpReply, stamp: str) -> HttpReply:
        """The provider's answer, having finished at ``stamp``."""
        document = json.loads(answer.body)
        document["task_info"] |= {"created_at": stamp, "updated_at": stamp}
        return HttpReply(200, body=json.dumps(document).encode())

    def task_of(self, request: Request) -> str:
        """Which task a callback tells of."""
        task_id: str = json.loads(request.body)["data"]["task_id"]
        return task_id

    def url_of(self, task_id: str = "task-1") -> str:
        return f"{BASE}{PATH}/{task_id}"


PROVIDER = ProviderSettings(
    base_url=BASE, api_key=KEY, polling=replace(PollingSettings()), max_rate_per_s=1_000.0
)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock, rng = FakeClock(), random.Random(7)
    store = await open_store(
        tmp_path / "notifier.db", owner="test", now=clock.now(), rng=rng, open_driver=InlineDriver.open
    )
    tasks, waiters, polls, posts = BackgroundTasks(), WatchWaiters(), FakeWire(), FakeWire()
    rung: list[int] = []
    poller = Poller(
        store=store,
        http_client=polls,
        clock=clock,
        rng=rng,
        owner="test",
        waiters=waiters,
        tasks=tasks,
        run_at=rung.append,
        deliver=lambda: rung.append(clock.now()),
    )
    poller.configure({"mulerouter": PROVIDER}, give_up_after_ms=72 * HOUR_MS, max_payload=MAX_PAYLOAD)
    deliverer = Deliverer(
        store=store,
        http_client=posts,
        clock=clock,
        rng=rng,
        owner="test",
        tasks=tasks,
        run_at=rung.append,
        settings=CallbackSettings(secrets=(SIGNING,)),
    )
    bench = Bench(store, clock, polls, posts, poller, deliverer, tasks, waiters, rung)
    yield bench
    await tasks.drain(1)
    assert tasks.crashes == bench.planted_crashes
    await store.close()
    await asyncio.sleep(0)
