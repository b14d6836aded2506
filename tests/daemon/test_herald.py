"""What systemd is told: the watchdog is fed by progress and by nothing else, and the status is in words."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from notifier.core.model import DeliveryState, WatchState
from notifier.daemon import sdnotify
from notifier.daemon.watchdog import MAX_STATUS_CHARS, STALE_S, Watchdog, describe_counts
from notifier.errors import StoreFull
from notifier.store.values import Counts
from tests.builders import DISK_FULL
from tests.fakes import FakeClock

FED = ("WATCHDOG=1",)


class Disk:
    """The store's part: takes a write, refuses it in words, or hangs."""

    def __init__(self) -> None:
        self.is_full = False
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def heartbeat(self, *, now: int) -> None:
        await self.hangs.wait()
        if self.is_full:
            raise StoreFull(DISK_FULL)

    async def counts(self, *, now: int) -> Counts:
        return Counts()


class Bench:
    def __init__(self) -> None:
        self.disk = Disk()
        store: Any = self.disk
        self.clock = FakeClock()
        self.herald = Watchdog(store=store, clock=self.clock, conditions=dict, trouble=lambda: None)
        self.next_tick: Callable[[], Awaitable[int]] = self.good
        self.ring = self.herald.observe("poll", self.tick)

    async def tick(self) -> int:
        return await self.next_tick()

    async def good(self) -> int:
        return 0

    async def full(self) -> int:
        raise StoreFull(DISK_FULL)

    async def crashed(self) -> int:
        raise RuntimeError("planted")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    told: list[tuple[str, ...]] = []

    def note(*fields: str, **_more: object) -> bool:
        told.append(fields)
        return True

    monkeypatch.setattr(sdnotify, "notify", note)
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    return told


async def test_ticks_and_a_commit_feed_the_watchdog(said: list[tuple[str, ...]]) -> None:
    """And the status comes with it."""
    bench = Bench()
    await bench.ring()
    await bench.herald.report()
    assert said == [FED, ("STATUS=watching 0 tasks; no callback waiting",)]


async def test_ticks_that_stop_feed_it_no_more(said: list[tuple[str, ...]]) -> None:
    """The loop lives, but nobody polls: that is as bad as dead."""
    bench = Bench()
    bench.clock.advance(round((STALE_S + 1) * 1_000))
    await bench.herald.report()
    assert FED not in said


async def test_ticks_that_crash_are_no_progress(said: list[tuple[str, ...]]) -> None:
    """A restart may help there."""
    bench = Bench()
    bench.clock.advance(round((STALE_S + 1) * 1_000))
    bench.next_tick = bench.crashed
    with pytest.raises(RuntimeError, match="planted"):
        await bench.ring()
    await bench.herald.report()
    assert FED not in said


async def test_a_writer_that_hangs_feeds_nothing(said: list[tuple[str, ...]]) -> None:
    """Though every tick goes on, because all that is under way waits for it."""
    bench = Bench()
    bench.disk.hangs.clear()
    telling = asyncio.create_task(bench.herald.report())
    await asyncio.sleep(0)
    await bench.ring()
    assert said == []
    bench.disk.hangs.set()
    await telling
    assert FED in said


async def test_a_full_disk_is_no_hang(said: list[tuple[str, ...]]) -> None:
    """The daemon says so and waits for room; a restart would find the disk just as full, and stay down."""
    bench = Bench()
    bench.disk.is_full, bench.next_tick = True, bench.full
    bench.clock.advance(round((STALE_S + 1) * 1_000))
    with pytest.raises(StoreFull):
        await bench.ring()
    await bench.herald.report()
    assert FED in said


async def test_without_a_watchdog_nothing_is_written_for_it(
    said: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is told all the same."""
    monkeypatch.delenv("WATCHDOG_USEC")
    bench = Bench()
    bench.disk.hangs.clear()  # a write would never come back
    await bench.herald.report()
    assert [fields[0].partition("=")[0] for fields in said] == ["STATUS"]


def test_the_status_says_what_is_watched_what_waits_and_what_is_paused() -> None:
    """One line, in words, singular and plural."""
    counts = Counts(
        watches={WatchState.WATCHING: 12},
        deliveries={DeliveryState.PENDING: 1, DeliveryState.DEAD: 2},
        oldest_pending_at=0,
        shut={"closed": 3, "paused": 1, "gone": 0},
    )
    conditions = {"mulerouter": "provider refuses the key (401)"}
    assert describe_counts(counts, conditions) == (
        "watching 12 tasks; 1 callback waiting since 1970-01-01T00:00:00.000Z; 2 callbacks dead; "
        "1 endpoint paused until resumed; 3 endpoints failing, tried now and then; "
        "mulerouter: provider refuses the key (401)"
    )


def test_trouble_comes_first_and_the_line_stays_short() -> None:
    """What an operator must see is not cut off."""
    text = describe_counts(Counts(), {f"p{n}": "x" * 80 for n in range(50)}, "the disk is full")
    assert text.startswith("the disk is full; watching 0 tasks")
    assert len(text) <= MAX_STATUS_CHARS
