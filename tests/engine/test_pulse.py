"""Following the wall clock: rows and memory move together, or not at all."""

from typing import Any

import pytest

from notifier.engine.clock_watch import ClockWatch
from notifier.errors import StoreUnavailable
from tests.builders import DISK_FULL
from tests.fakes import FakeClock


class WallClock(FakeClock):
    """A clock of ours beside a wall that can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.wall_ahead_ms = 0

    def drift_ms(self) -> int:
        return self.wall_ahead_ms

    def adopt(self, delta_ms: int) -> None:
        self.wall_ahead_ms -= delta_ms
        self.step(delta_ms)


class Rows:
    """The store's part: how far its instants were moved; refuses while it is full."""

    def __init__(self) -> None:
        self.moved_ms = 0
        self.is_full = False

    async def shift_times(self, delta_ms: int) -> None:
        if self.is_full:
            raise StoreUnavailable(DISK_FULL)
        self.moved_ms += delta_ms


class Silent:
    def check(self) -> None:
        pass


def pulse(rows: Any, clock: WallClock) -> tuple[ClockWatch, list[int]]:
    shifts: list[int] = []
    scheduler: Any = Silent()
    return ClockWatch(store=rows, clock=clock, scheduler=scheduler, shift=shifts.append), shifts


@pytest.mark.fault(34, 35)
async def test_a_step_moves_clock_rows_and_memory_by_the_same() -> None:
    """Forward and back."""
    rows, clock = Rows(), WallClock()
    made, shifts = pulse(rows, clock)
    for step_ms in (3_600_000, -86_400_000):
        clock.wall_ahead_ms = step_ms
        await made.check()
    assert rows.moved_ms == sum(shifts) == 3_600_000 - 86_400_000
    assert clock.drift_ms() == 0


@pytest.mark.fault(37)
async def test_a_small_drift_is_followed_and_moves_nothing() -> None:
    """Slewing by NTP is no step."""
    rows, clock = Rows(), WallClock()
    made, shifts = pulse(rows, clock)
    clock.wall_ahead_ms = 1_900
    await made.check()
    assert (rows.moved_ms, shifts, clock.drift_ms()) == (0, [], 0)


async def test_rows_that_could_not_be_moved_leave_the_clock_where_it_was() -> None:
    """A full disk: nothing is half-moved, and the next beat sees the step again."""
    rows, clock = Rows(), WallClock()
    made, shifts = pulse(rows, clock)
    clock.wall_ahead_ms, rows.is_full = 3_600_000, True
    await made.check()
    assert (rows.moved_ms, sum(shifts), clock.drift_ms()) == (0, 0, 3_600_000)
    rows.is_full = False
    await made.check()
    assert rows.moved_ms == sum(shifts) == 3_600_000
