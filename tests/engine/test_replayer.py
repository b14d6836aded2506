"""Replays go at their rate, however often the bell is rung, and go on after trouble."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from notifier.config.model import CallbackSettings
from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import DeliveryState
from notifier.engine.paced_steps import IDLE_MS
from notifier.engine.replayer import Replayer
from notifier.errors import StoreUnavailable
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from notifier.store.values import DeliveryQuery, ReplayQuery
from tests.builders import DISK_FULL, HOUR, attempt, lease
from tests.fakes import NOON, FakeClock
from tests.store.steps import finished, take


@dataclass
class Bench:
    """A replayer of four a second on a real store."""

    store: SqliteStore
    clock: FakeClock = field(default_factory=FakeClock)
    rung: int = 0

    def __post_init__(self) -> None:
        self.replayer = Replayer(
            store=self.store,
            clock=self.clock,
            settings=CallbackSettings(give_up_after_ms=HOUR),
            deliver=self.ring,
            rate_per_s=4,
        )

    def ring(self) -> None:
        self.rung += 1

    async def tell(self, count: int) -> None:
        """Have so many deliveries made and delivered."""
        for n in range(count):
            await finished(self.store, task_id=f"task-{n}")
        while deliveries := await take(self.store):
            for one in deliveries:
                await self.store.record_attempt(
                    one, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON
                )

    async def pending(self) -> int:
        return len(await self.store.deliveries(DeliveryQuery(state=DeliveryState.PENDING)))


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


async def test_a_replay_goes_at_its_rate(bench: Bench) -> None:
    """A second's worth at once, then none before the second is over, whoever rings."""
    await bench.tell(10)
    await bench.store.start_replay(ReplayQuery(), now=NOON, dry_run=False)
    seen = []
    for _ in range(6):
        for _ring in range(3):
            next_at = await bench.replayer.tick()
        seen.append((await bench.pending(), next_at))
        bench.clock.advance(500)
    assert [count for count, _ in seen] == [4, 4, 8, 8, 10, 10]
    assert [at - NOON for _, at in seen[:4]] == [1_000, 1_000, 2_000, 2_000]
    assert bench.rung == 3


async def test_with_nothing_to_replay_it_rests_and_still_begins_at_once(bench: Bench) -> None:
    await bench.tell(1)
    assert await bench.replayer.tick() == NOON + IDLE_MS
    await bench.store.start_replay(ReplayQuery(), now=NOON, dry_run=False)
    await bench.replayer.tick()
    assert await bench.pending() == 1


async def test_a_fresh_budget_counts_from_the_replay_on(bench: Bench) -> None:
    await bench.tell(1)
    bench.clock.advance(9 * HOUR)
    await bench.store.start_replay(ReplayQuery(), now=bench.clock.now(), dry_run=False)
    await bench.replayer.tick()
    (one,) = await bench.store.deliveries(DeliveryQuery())
    assert one.give_up_at == NOON + 10 * HOUR


async def test_a_store_that_takes_no_writes_delays_a_replay_and_loses_none_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.tell(1)
    await bench.store.start_replay(ReplayQuery(), now=NOON, dry_run=False)

    async def fail(**_: object) -> None:
        raise StoreUnavailable(DISK_FULL)

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "replay_some", fail)
        assert await bench.replayer.tick() > NOON
    bench.clock.advance(5_000)
    await bench.replayer.tick()
    assert await bench.pending() == 1


async def test_a_clock_that_was_set_back_does_not_stop_a_replay(bench: Bench) -> None:
    await bench.tell(5)
    await bench.store.start_replay(ReplayQuery(), now=NOON, dry_run=False)
    await bench.replayer.tick()
    bench.clock.step(-HOUR)
    await bench.replayer.tick()
    assert await bench.pending() == 5
