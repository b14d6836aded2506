"""A provider with several api_paths on virtual time: the real poller and store, a made-up network and time.

A run says how late each task was told: from its end upstream, or its registration if that was later, to the
end of its watch.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from notifier.config.model import PollingSettings, ProviderSettings
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.model import Callback, NewWatch, Watch, WatchState
from notifier.core.secret import Secret
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.poller import Poller
from notifier.engine.waiters import WatchWaiters
from notifier.ports import MemoryHold
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from notifier.store.values import WatchQuery
from tests.fakes import NOON
from tests.simulation.loop import VirtualLoop
from tests.simulation.world import World

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
SPACING_S = 0.02
"""The least time between two ticks, as ``engine/scheduler.py`` has it."""
REPLY_S = 0.05
BASE = "http://provider.test"
PROVIDER = ProviderSettings(
    base_url=BASE, api_key=Secret("sk-mr-canary-0123456789"), polling=PollingSettings(learn=False)
)

Reply = tuple[float, Exchange]
"""After how many seconds, and what."""
Act = Callable[["Fleet"], Awaitable[None]]
Trouble = Callable[[int, int], Reply | None]
"""What a poll brings at an instant (ms since the start) as the n-th of its task; None: the truth."""

TIMEOUT = NoReply(FailureKind.TIMEOUT, "connected, and no answer began")
BROKEN: Mapping[str, Reply] = {
    "500": (REPLY_S, HttpReply(500, body=b'{"title": "no"}')),
    "403": (REPLY_S, HttpReply(403, body=b'{"title": "no"}')),
    "timeout": (15.0, TIMEOUT),
    "garbage": (REPLY_S, HttpReply(200, {"content-type": "text/html"}, b"<html>oops</html>")),
}


class EvenRng(random.Random):
    """No jitter but the mean one, so that two runs differ by nothing but what is put into them."""

    def random(self) -> float:
        return 0.5


def always(reply: Reply) -> Trouble:
    """Bring this, whatever is asked."""
    return lambda _now, _number: reply


@dataclass(frozen=True)
class FleetTask:
    """A task upstream. It lasts from ``begins_at`` (ms since the start), when it is registered."""

    api_path: str
    task_id: str
    begins_at: int = 0
    lasts_ms: int = 10 * SECOND
    trouble: Trouble | None = None
    expire_after_ms: int = HOUR

    @property
    def ends_at(self) -> int:
        """When it ends upstream."""
        return self.begins_at + self.lasts_ms


@dataclass
class Fleet:
    """One provider, its tasks, and the daemon's part that polls them.

    ``troubles`` are by api_path, those of tasks go before. ``acts`` are called at their instants.
    """

    folder: Path
    tasks: Sequence[FleetTask]
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    provider: ProviderSettings = PROVIDER
    acts: Mapping[int, Act] = field(default_factory=dict)
    polls: Counter[str] = field(default_factory=Counter)
    polled_at: dict[str, list[int]] = field(default_factory=dict)
    in_flight: int = 0
    most_in_flight: int = 0

    def run(self, until_ms: int, *, stop_early: bool = True) -> dict[str, Watch]:
        """Let so much time pass, or until nothing is watched; returns the watches by task_id."""
        self._world = World("fleet")
        self._by_url = {f"{BASE}{each.api_path}/{each.task_id}": each for each in self.tasks}
        loop = VirtualLoop(self._world)
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(self._live(until_ms, stop_early))
        finally:
            asyncio.set_event_loop(None)
            loop.finish()

    def now(self) -> int:
        """See ``Clock``."""
        return NOON + self._world.elapsed_ms()

    def monotonic(self) -> float:
        """See ``Clock``."""
        return self._world.mono

    async def _live(self, until_ms: int, stop_early: bool) -> dict[str, Watch]:
        self._polls, self._rung = BackgroundTasks(), asyncio.Event()
        self._ticking = asyncio.Lock()
        self._rung_at = 0
        self.store = await self._open()
        self.poller = self._make_poller()
        self.configure(self.provider)
        works = [asyncio.create_task(self._pump(until_ms)), asyncio.create_task(self._register())]
        works += [asyncio.create_task(self._act(at, act)) for at, act in self.acts.items()]
        registering, done_at = works[1], NOON + until_ms
        while self.now() < done_at:
            await asyncio.sleep(5.0)
            async with self._ticking:
                live = (await self.store.counts(now=self.now())).watches[WatchState.WATCHING]
            if stop_early and registering.done() and not live:
                break
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        await self._polls.drain(60)
        assert self._polls.crashes == 0
        found = await self._watches()
        await self.store.close()
        return found

    async def _open(self) -> SqliteStore:
        return await open_store(
            self.folder / "notifier.db",
            owner="fleet",
            now=self.now(),
            elapsed=self._world.elapsed_ms,
            boot=1,
            rng=EvenRng(1),
            open_driver=InlineDriver.open,
        )

    def _make_poller(self) -> Poller:
        return Poller(
            store=self.store,
            http_client=self,
            clock=self,
            rng=EvenRng(1),
            owner="fleet",
            waiters=WatchWaiters(),
            tasks=self._polls,
            run_at=self._ring,
            deliver=lambda: None,
        )

    def configure(self, *providers: ProviderSettings) -> None:
        """Have the configuration read again, with these providers."""
        self.poller.configure({each.name: each for each in providers}, give_up_after_ms=HOUR)

    async def restart(self) -> None:
        """Stop the daemon in order, and start it again on the same file."""
        async with self._ticking:
            await self._polls.drain(60)
            await self.store.close()
            self.store = await self._open()
            self.poller = self._make_poller()
            self.configure(self.provider)
        self._ring(self.now())

    def _ring(self, instant: int) -> None:
        if instant < self._rung_at:
            self._rung_at = instant
            self._rung.set()

    async def _pump(self, until_ms: int) -> None:
        while True:
            self._rung_at = NOON + until_ms
            self._rung.clear()
            async with self._ticking:
                next_at = await self.poller.tick()
            await asyncio.sleep(SPACING_S)
            self._rung_at = min(self._rung_at, next_at)
            while (wait_s := (self._rung_at - self.now()) / 1_000) > 0:
                self._rung.clear()
                try:
                    await asyncio.wait_for(self._rung.wait(), wait_s)
                except TimeoutError:
                    break

    async def _register(self) -> None:
        for each in sorted(self.tasks, key=lambda task: task.begins_at):
            await asyncio.sleep(max(0, NOON + each.begins_at - self.now()) / 1_000)
            now = self.now()
            new = NewWatch(
                provider="mulerouter",
                api_path=each.api_path,
                task_id=each.task_id,
                callbacks=(Callback("http://127.0.0.1:2/hook"),),
                metadata="{}",
                registered_at=now,
                first_poll_at=now + self.provider.polling.first_after_ms,
                expires_at=now + each.expire_after_ms,
            )
            await self.store.add_watches([new], give_up_at=now + HOUR, max_live=100_000)
            self._ring(new.first_poll_at)

    async def _act(self, at: int, act: Act) -> None:
        await asyncio.sleep(at / 1_000)
        await act(self)

    async def _watches(self) -> dict[str, Watch]:
        found: dict[str, Watch] = {}
        before: str | None = None
        while page := await self.store.watches(WatchQuery(before=before, limit=500)):
            found |= {watch.task_id: watch for watch in page}
            before = page[-1].id
        return found

    # -- the network

    async def query(self, *_args: object, **_more: object) -> Exchange:
        raise AssertionError("nothing is polled by POST here")

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        """See ``HttpClient``."""
        each = self._by_url[url.rstrip("/")]
        self.polls[each.api_path] += 1
        self.polled_at.setdefault(each.task_id, []).append(self._world.elapsed_ms())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            takes_s, exchange = self._answer(each)
            await asyncio.sleep(min(takes_s, timeout_ms / 1_000))
        finally:
            self.in_flight -= 1
        return exchange if takes_s * 1_000 < timeout_ms else TIMEOUT

    def _answer(self, each: FleetTask) -> Reply:
        now, number = self._world.elapsed_ms(), len(self.polled_at[each.task_id])
        for trouble in (each.trouble, self.troubles.get(each.api_path)):
            if trouble is not None and (reply := trouble(now, number)) is not None:
                return reply
        status = "completed" if now >= each.ends_at else "processing"
        document = {"task_info": {"id": each.task_id, "status": status}}
        return REPLY_S, HttpReply(200, body=json.dumps(document).encode())

    async def post(self, *_args: object, **_more: object) -> Exchange:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Lateness:
    """How late tasks were told, in milliseconds; ``ends`` counts how their watches ended."""

    late_ms: tuple[int, ...]
    ends: Counter[WatchState]

    @property
    def median_ms(self) -> float:
        """Half were told sooner."""
        return median(self.late_ms)

    @property
    def max_ms(self) -> int:
        """The latest of all."""
        return max(self.late_ms)


def lateness(tasks: Collection[FleetTask], watches: Mapping[str, Watch], until_ms: int) -> Lateness:
    """Compare what was told with the truth. What was not told is as late as the run is long."""
    late = []
    for each in tasks:
        watch = watches[each.task_id]
        told_at = watch.ended_at if watch.state is WatchState.COMPLETED else None
        late.append((NOON + until_ms if told_at is None else told_at) - (NOON + each.ends_at))
    return Lateness(tuple(late), Counter(watches[each.task_id].state for each in tasks))


def mixed_tasks(
    count: int, broken_share: float, *, over_ms: int, seed: int = 1, paths: int = 3
) -> tuple[list[FleetTask], list[FleetTask]]:
    """Draw healthy tasks on some paths, and as many more on ``/broken`` that they are that share of all."""
    rng = random.Random(seed)
    healthy = [
        FleetTask(
            f"/vendor/{rng.randrange(paths)}",
            f"well-{n}",
            rng.randrange(over_ms),
            round(min(max(rng.lognormvariate(10.0, 0.8), 4_000), 300_000)),
            expire_after_ms=10 * MINUTE,
        )
        for n in range(count)
    ]
    broken = [
        FleetTask("/broken", f"ill-{n}", rng.randrange(over_ms))
        for n in range(round(count * broken_share / (1 - broken_share)))
    ]
    return healthy, broken
