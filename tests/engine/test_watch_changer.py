"""Stops and resumes of all watches that match go at their rate, wake who waits, and go on after trouble."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from notifier.config.model import Config
from notifier.core.model import WatchState
from notifier.core.states import WatchAction
from notifier.engine.paced_steps import IDLE_MS, RETRY_INTERVAL_MS
from notifier.engine.waiters import WatchWaiters
from notifier.engine.watch_changer import WatchChanger
from notifier.errors import StoreUnavailable
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from notifier.store.values import WatchChange, WatchQuery
from tests.builders import DAY, DISK_FULL, HOUR, PROVIDER, new_watch
from tests.engine.conftest import PROVIDER as SETTINGS
from tests.fakes import NOON, FakeClock
from tests.store.steps import add


def config(expire_after_ms: int = HOUR, max_watches: int = 100) -> Config:
    """One provider."""
    polling = replace(SETTINGS.polling, expire_after_ms=expire_after_ms)
    base = Config(providers={PROVIDER: replace(SETTINGS, polling=polling)})
    return replace(base, server=replace(base.server, max_watches=max_watches))


@dataclass
class Bench:
    """A watch changer of four a second on a real store."""

    store: SqliteStore
    clock: FakeClock = field(default_factory=FakeClock)
    waiters: WatchWaiters = field(default_factory=WatchWaiters)
    polls: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changer = WatchChanger(
            store=self.store,
            clock=self.clock,
            config=config(),
            waiters=self.waiters,
            poll_at=self.polls.append,
            rate_per_s=4,
        )

    async def start(self, action: WatchAction) -> None:
        await self.store.start_watch_change(
            WatchChange(action),
            now=self.clock.now(),
            expire_after_ms={PROVIDER: HOUR},
            max_live=1_000,
            dry_run=False,
        )

    async def register(self, count: int) -> list[str]:
        new = [new_watch(str(n), first_poll_at=NOON + DAY) for n in range(count)]
        return [each.id for each in await add(self.store, *new)]

    async def count(self, state: WatchState) -> int:
        return len(await self.store.watches(WatchQuery(state=state)))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = await open_store(
        tmp_path / "notifier.db",
        owner="daemon-1",
        now=NOON,
        rng=random.Random(1),
        open_driver=InlineDriver.open,
    )
    yield Bench(store)
    await store.close()


async def test_a_change_goes_at_its_rate(bench: Bench) -> None:
    """A second's worth at once, then none before the second is over, however often the job runs."""
    await bench.register(10)
    await bench.start(WatchAction.STOP)
    seen = []
    for _ in range(6):
        for _run in range(3):
            await bench.changer.tick()
        seen.append(await bench.count(WatchState.STOPPED))
        bench.clock.advance(500)
    assert seen == [4, 4, 8, 8, 10, 10]


async def test_with_nothing_to_change_it_rests_and_still_begins_at_once(bench: Bench) -> None:
    await bench.register(1)
    assert await bench.changer.tick() == NOON + IDLE_MS
    await bench.start(WatchAction.STOP)
    await bench.changer.tick()
    assert await bench.count(WatchState.STOPPED) == 1


async def test_requests_that_wait_for_a_stopped_watch_are_answered(bench: Bench) -> None:
    (watch_id,) = await bench.register(1)
    waiting = asyncio.ensure_future(bench.waiters.wait(watch_id, 3_600))
    await asyncio.sleep(0)
    await bench.start(WatchAction.STOP)
    await bench.changer.tick()
    await waiting


async def test_resumed_watches_are_polled_at_once_until_the_deadline_of_their_provider(bench: Bench) -> None:
    """That of the configuration at the time of the step: a reload may come between."""
    await bench.register(1)
    for action in (WatchAction.STOP, WatchAction.RESUME):
        await bench.start(action)
        bench.changer.configure(config(expire_after_ms=7 * HOUR))
        bench.clock.advance(5_000)
        await bench.changer.tick()
        await bench.changer.tick()
    (watch,) = await bench.store.watches(WatchQuery(state=WatchState.WATCHING))
    assert watch.expires_at == bench.clock.now() + 7 * HOUR
    assert bench.polls[-1] == watch.due_at == bench.clock.now()


async def test_watches_beyond_the_limit_stay_as_they_are(bench: Bench) -> None:
    await bench.register(3)
    await bench.start(WatchAction.STOP)
    await bench.changer.tick()
    await bench.start(WatchAction.RESUME)
    bench.changer.configure(config(max_watches=2))
    bench.clock.advance(1_000)
    await bench.changer.tick()
    assert (await bench.count(WatchState.WATCHING), await bench.count(WatchState.STOPPED)) == (2, 1)


async def test_a_store_that_takes_no_writes_delays_a_change_and_loses_none_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.register(1)
    await bench.start(WatchAction.STOP)

    async def fail(**_: object) -> None:
        raise StoreUnavailable(DISK_FULL)

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "change_some_watches", fail)
        assert await bench.changer.tick() == NOON + RETRY_INTERVAL_MS
    bench.clock.advance(RETRY_INTERVAL_MS)
    await bench.changer.tick()
    assert await bench.count(WatchState.STOPPED) == 1
