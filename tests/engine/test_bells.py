"""APScheduler rings; a bell makes up for what it does not do."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from notifier.clock import SystemClock
from notifier.core.causes.cause import Cause
from notifier.engine import scheduler as scheduler_module
from notifier.engine.scheduler import JobScheduler
from notifier.errors import DatabaseUnusable, StoreUnavailable
from tests.builders import DISK_FULL

FAR_MS = 3_600_000


class Rung:
    """Counts rings, and lets a test wait for one."""

    def __init__(self, clock: SystemClock, next_in_ms: Callable[[], int] = lambda: FAR_MS) -> None:
        self.count = 0
        self.changed = asyncio.Event()
        self._clock = clock
        self._next_in_ms = next_in_ms

    async def __call__(self) -> int:
        self.count += 1
        self.changed.set()
        return self._clock.now() + self._next_in_ms()

    async def until(self, count: int) -> None:
        while self.count < count:
            self.changed.clear()
            await self.changed.wait()


async def test_it_rings_at_the_start_and_then_when_the_ring_said() -> None:
    """The ring names its next instant; the bell keeps to it again and again."""
    clock = SystemClock()
    scheduler, rung = JobScheduler(clock), Rung(clock, lambda: 1)
    scheduler.add("x", rung)
    scheduler.start()
    await rung.until(3)
    await scheduler.stop()


async def test_an_earlier_wish_comes_first_and_a_later_one_changes_nothing() -> None:
    """`at` moves the ring forward only."""
    clock = SystemClock()
    scheduler, rung = JobScheduler(clock), Rung(clock)
    job = scheduler.add("x", rung)
    scheduler.start()
    await rung.until(1)
    job.run_at(clock.now() + 2 * FAR_MS)
    job.run_at(clock.now())
    await rung.until(2)
    await scheduler.stop()


async def test_what_is_due_soon_rings_without_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """And once, however many wished for it: a wish is cheap, since every slot that gets free makes one."""
    clock = SystemClock()
    scheduler, rung = JobScheduler(clock), Rung(clock)
    job = scheduler.add("x", rung)
    job.spacing_s = 0.0
    scheduler.start()
    await rung.until(1)
    monkeypatch.setattr(job, "_schedule", lambda _wait_s: pytest.fail("the scheduler was asked"))
    job._armed_for = float("inf")
    for _ in range(3):
        job.run_at(clock.now())
    monkeypatch.undo()
    await rung.until(2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert rung.count == 2
    await scheduler.stop()


async def test_a_wish_made_while_it_rings_is_not_lost() -> None:
    """APScheduler would skip a job that is re-added while it runs; the bell remembers and rings again."""
    clock = SystemClock()
    scheduler, started, go_on = JobScheduler(clock), asyncio.Event(), asyncio.Event()
    again = asyncio.Event()

    async def ring() -> int:
        if started.is_set():
            again.set()
        started.set()
        await go_on.wait()
        return clock.now() + FAR_MS

    job = scheduler.add("x", ring)
    scheduler.start()
    await started.wait()
    job.run_at(clock.now())
    go_on.set()
    await again.wait()
    await scheduler.stop()


@pytest.mark.fault(35)
async def test_a_clock_that_is_set_back_during_a_ring_silences_no_bell() -> None:
    """What the ring said goes by the time before the step: an hour ahead, if it is believed."""
    clock = SystemClock()
    scheduler, rung = JobScheduler(clock), asyncio.Event()

    async def ring() -> int:
        next_at = clock.now() + 1_000
        clock.adopt(-FAR_MS)
        rung.set()
        return next_at

    job = scheduler.add("x", ring)
    scheduler.start()
    await rung.wait()
    await job._idle.wait()
    assert job._armed_for - clock.monotonic() <= scheduler_module.MAX_WAIT_S
    await scheduler.stop()


@pytest.mark.fault(14)
async def test_a_ring_that_throws_is_rung_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One crash is no end: APScheduler would have dropped the job."""
    monkeypatch.setattr(scheduler_module, "AFTER_CRASH_MS", 1)
    clock = SystemClock()
    scheduler, second = JobScheduler(clock), asyncio.Event()
    rings = 0

    async def ring() -> int:
        nonlocal rings
        rings += 1
        if rings == 1:
            raise RuntimeError("planted")
        second.set()
        return clock.now() + FAR_MS

    scheduler.add("x", ring)
    scheduler.start()
    await second.wait()
    await scheduler.stop()


async def test_a_store_that_cannot_write_is_one_line_and_rung_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the disk is full is no crash of ours: cause and fix are told once, and that it is over."""
    monkeypatch.setattr(scheduler_module, "AFTER_CRASH_MS", 1)
    clock = SystemClock()
    scheduler, second = JobScheduler(clock), asyncio.Event()
    rings = 0

    async def ring() -> int:
        nonlocal rings
        rings += 1
        if rings <= 3:
            raise StoreUnavailable(DISK_FULL)
        troubles.append(scheduler.trouble)
        second.set()
        return clock.now() + FAR_MS

    troubles: list[Cause | None] = []
    scheduler.add("x", ring)
    failing = asyncio.ensure_future(scheduler.until_failed())
    with capture_logs() as lines:
        scheduler.start()
        await second.wait()
        await scheduler.stop()
    assert (troubles, scheduler.trouble) == ([DISK_FULL], None)
    assert lines == [
        {
            "log_level": "error",
            "event": "store.unavailable",
            "bell": "x",
            "cause": "the disk that holds /x/notifier.db is full",
            "code": "disk_full",
            "fix": "free some space; notifier then goes on by itself",
        },
        {"log_level": "info", "event": "store.recovered", "bell": "x"},
    ]
    assert not failing.done()
    failing.cancel()


@pytest.mark.fault(15)
async def test_a_fault_that_no_ring_will_mend_is_handed_on() -> None:
    """Whoever waits for it gets the fault itself, and ends the process by it."""
    clock = SystemClock()
    scheduler, fault = JobScheduler(clock), DatabaseUnusable("the file is gone", "restore a backup")

    async def ring() -> int:
        raise fault

    scheduler.add("x", ring)
    with capture_logs() as lines:
        scheduler.start()
        with pytest.raises(DatabaseUnusable) as raised:
            async with asyncio.timeout(20):
                await scheduler.until_failed()
        await scheduler.stop()
    assert raised.value is fault
    assert lines == []


@pytest.mark.fault(35)
async def test_a_wall_clock_that_was_set_back_stalls_no_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job waits for an instant an hour away by the wall; the check sees that and re-arms."""
    clock = SystemClock()
    scheduler, rung = JobScheduler(clock), Rung(clock)
    job = scheduler.add("x", rung)
    scheduler.start()
    await rung.until(1)

    class HourAhead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "HourAhead":
            return super().now(UTC) + timedelta(hours=1)

    monkeypatch.setattr(scheduler_module, "datetime", HourAhead)  # armed before the step …
    job.run_at(clock.now())
    monkeypatch.undo()  # … and the wall is an hour behind that now
    monkeypatch.setattr(scheduler_module, "OVERDUE_S", -1.0)
    scheduler.check()
    await rung.until(2)
    await scheduler.stop()


async def test_stopping_waits_for_the_ring_under_way_and_cancels_none() -> None:
    """`AsyncIOScheduler.shutdown` cancels what runs; the bell is silent before that."""
    clock = SystemClock()
    scheduler, started, go_on = JobScheduler(clock), asyncio.Event(), asyncio.Event()
    ended = False

    async def ring() -> int:
        nonlocal ended
        started.set()
        await go_on.wait()
        ended = True
        return clock.now()

    scheduler.add("x", ring)
    scheduler.start()
    await started.wait()
    stopping = asyncio.create_task(scheduler.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert ended
