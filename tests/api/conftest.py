"""A bench for the API: the real store on a real file, the daemon's other parts as recorders, no sockets."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from notifier.api.app import build_app
from notifier.api.event_feed import EventFeed
from notifier.api.routes import API_ROUTES
from notifier.api.services import ApiSettings, RegistrationDefaults, Services
from notifier.core.causes.cause import Cause, Condition
from notifier.core.event_body import DEFAULT_MAX_PAYLOAD, build_event
from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.task_urls import TaskUrlTemplate
from notifier.core.model import TaskError, WatchState
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.path_health import PathCondition
from notifier.core.polling.payload_notes import PayloadNote
from notifier.core.polling.provider import ProviderDescription
from notifier.engine.waiters import WatchWaiters
from notifier.results.image_proxy import ImageProxy
from notifier.server.access import AccessSettings
from notifier.server.sessions import BrowserSessions
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from notifier.store.values import Lease
from notifier.web.render import render_problem
from notifier.web.routes import WEB_ROUTES
from tests.fakes import FakeClock, FakeWire

PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
HOOK = "http://127.0.0.1:9001/hook"
HOUR_MS = 3_600_000
LEASE_MS = 30_000
EPOCH = "5f0c1e9a7b42"
BASE = "https://api.mulerouter.ai"
MULEROUTER = RegistrationDefaults(
    TaskUrlTemplate(BASE, ProviderDescription().task_path), first_after_ms=2_500, expire_after_ms=HOUR_MS
)
SETTINGS = ApiSettings(
    providers={"mulerouter": MULEROUTER},
    access=AccessSettings("127.0.0.1:8484", allowed_hosts=("notifier.example",), tokens=()),
    max_watches=1_000,
    give_up_after_ms=72 * HOUR_MS,
    policy=AddressPolicy.of(("loopback", "private", "public"), (("127.0.0.1", 8484),)),
    version="0.1.0",
)


ROUTES = (*API_ROUTES, *WEB_ROUTES)


def make_app(services: Services) -> ASGIApp:
    """Build the application as the daemon does."""
    return build_app(services, ROUTES, render_problem)


class Wake:
    """Notes what the API asked for."""

    def __init__(self) -> None:
        self.polls: list[int] = []
        self.deliveries = 0
        self.replays = 0
        self.watch_changes = 0

    def poll_at(self, instant: int) -> None:
        self.polls.append(instant)

    def deliver_now(self) -> None:
        self.deliveries += 1

    def replay_now(self) -> None:
        self.replays += 1

    def change_watches_now(self) -> None:
        self.watch_changes += 1


def registration(task_id: str = "task-1", **more: Any) -> dict[str, Any]:
    """The body of a registration; a field given as ``...`` is left out."""
    body = {"task_id": task_id, "api_path": PATH, "provider": "mulerouter", "callback_url": HOOK, **more}
    return {name: value for name, value in body.items() if value is not ...}


def pointers(answer: httpx.Response) -> list[str]:
    """Where the faults of a 422 stand."""
    assert answer.status_code == 422, answer.text
    return [each["pointer"] for each in answer.json()["errors"]]


@dataclass
class Bench:
    """The API, what it was handed, and steps of the engine to be taken by hand."""

    store: SqliteStore
    clock: FakeClock
    waiters: WatchWaiters
    wake: Wake
    settings: ApiSettings = SETTINGS
    conditions: dict[str, Condition] = field(default_factory=dict)
    paths: list[PathCondition] = field(default_factory=list)
    unready: Cause | None = None
    faults: tuple[str, ...] = ()
    reloads: int = 0
    wire: FakeWire = field(default_factory=FakeWire)

    def __post_init__(self) -> None:
        self.feed = EventFeed(
            store=self.store,
            epoch=EPOCH,
            condition_of=self.condition_of,
            conditions=lambda: dict(self.conditions),
            tick_s=HOUR_MS / 1_000,  # tests beat by hand
        )
        self.store.add_listener(self.feed)
        self.services = Services(
            store=self.store,
            clock=self.clock,
            settings=lambda: self.settings,
            wake=self.wake,
            waiters=self.waiters,
            condition_of=self.condition_of,
            failing_paths=lambda: self.paths,
            is_ready=lambda: self.unready,
            reload=self._reload,
            metrics=self._scrape,
            feed=self.feed,
            sessions=BrowserSessions(self.clock, random.Random(7)),
            images=ImageProxy(lambda: self.wire),
        )
        self.remake()

    def remake(self) -> None:
        """Build the application, anew where ``services`` are others now."""
        self.app: ASGIApp = make_app(self.services)
        self.http = self.client(self.app)

    def client(self, app: ASGIApp) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8484")

    def configure(self, **changes: Any) -> None:
        """Change settings as a reload does; those of access by their own names."""
        names = {field.name for field in fields(AccessSettings)} & changes.keys()
        access = replace(self.settings.access, **{name: changes.pop(name) for name in names})
        self.settings = replace(self.settings, access=access, **changes)

    async def register(self, task_id: str = "task-1", **more: Any) -> dict[str, Any]:
        answer = await self.http.post("/v1/watches", json=registration(task_id, **more))
        assert answer.status_code in (200, 201), answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def end(
        self,
        watch_id: str,
        state: WatchState = WatchState.COMPLETED,
        payload: str | None = '{"n": 1.0}',
        outputs: tuple[str, ...] = ("https://x/1.jpg",),
        notes: tuple[PayloadNote, ...] = (),
        max_payload: int = DEFAULT_MAX_PAYLOAD,
    ) -> None:
        """End a watch as the poller does."""
        now = self.clock.now()
        lease = Lease("test", now + LEASE_MS)
        await self.store.poll_now(watch_id, now=now)
        claimed = await self.store.claim_watches("mulerouter", now=now, limit=500, lease=lease)
        watch = next(each for each in claimed.watches if each.id == watch_id)
        error = None if state is WatchState.COMPLETED else TaskError("provider", 3001, "Bad", "no")
        end = EndWatch(state, str(state), outputs, error, payload, now + HOUR_MS, None, notes=notes)
        event = build_event(watch, end, event_id=f"evt_{watch_id[4:]}", now=now, max_payload=max_payload)
        assert await self.store.record_end(watch, lease, end, event, now=now, give_up_at=now + HOUR_MS)
        self.waiters.wake(watch_id)

    async def see(self, watch_id: str, **query: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/watches/{watch_id}", params=query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def _scrape(self) -> bytes:
        return b"planted 1.0\n"

    def condition_of(self, provider: str, api_path: str | None = None) -> Condition | None:
        held = (path.condition for path in self.paths if path.api_path == api_path)
        return self.conditions.get(provider) or next(held, None)

    async def _reload(self) -> tuple[str, ...]:
        self.reloads += 1
        return self.faults


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = FakeClock()
    store = await open_store(
        tmp_path / "notifier.db",
        owner="test",
        now=clock.now(),
        rng=random.Random(7),
        open_driver=InlineDriver.open,
    )
    bench = Bench(store, clock, WatchWaiters(), Wake())
    yield bench
    bench.feed.close()
    await bench.http.aclose()
    await store.close()
