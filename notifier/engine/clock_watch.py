"""Check once a second, by the monotonic clock, whether the wall clock was set or a job is overdue.

This is no job of APScheduler, because it supervises APScheduler.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from notifier.engine.scheduler import JobScheduler
from notifier.errors import StoreUnavailable
from notifier.ports import NO_METER, Clock, Meter
from notifier.store.protocol import Store

TICK_S = 1.0  # no record of why; changing it needs a measurement
# A smaller difference is drift, not a step. No record of why; changing it needs a measurement.
MIN_STEP_MS = 2_000

log = structlog.get_logger()


class AdjustableClock(Clock, Protocol):
    """A clock that measures its difference from the wall clock, and can adopt it."""

    def drift_ms(self) -> int:
        """Return how far the wall clock is ahead; negative if it is behind."""
        ...

    def adopt(self, delta_ms: int) -> None:
        """Move this clock by ``delta_ms``."""
        ...


class ClockWatch:
    """Follows the wall clock. Calls ``shift`` with the milliseconds of each step, to move times in memory."""

    def __init__(
        self,
        *,
        store: Store,
        clock: AdjustableClock,
        scheduler: JobScheduler,
        shift: Callable[[int], None],
        meter: Meter = NO_METER,
    ) -> None:
        self._meter = meter
        self._store = store
        self._clock = clock
        self._scheduler = scheduler
        self._shift = shift

    async def run(self) -> None:
        """Check every ``TICK_S`` until cancelled."""
        while True:
            await self.check()
            began = self._meter.stopwatch()
            await asyncio.sleep(TICK_S)
            self._meter.record_lag(self._meter.stopwatch() - began - TICK_S)

    async def check(self) -> None:
        """Follow the wall clock, then check the jobs."""
        drift_ms = self._clock.drift_ms()
        self._clock.adopt(drift_ms)
        if abs(drift_ms) >= MIN_STEP_MS:
            await self._step(drift_ms)
        self._scheduler.check()

    async def _step(self, by_ms: int) -> None:
        """Move all waiting times, in memory and in the store, with the clock. Retry at the next check.

        Records reach the writer in the order in which they are made. So those decided by the old time are
        moved with the rest, and those decided after ``adopt`` are not.
        """
        log.warning("clock.stepped", by_ms=by_ms)
        self._shift(by_ms)
        try:
            await self._store.shift_times(by_ms)
        except StoreUnavailable as error:
            self._clock.adopt(-by_ms)
            self._shift(-by_ms)
            log.error("clock.rows_not_shifted", by_ms=by_ms, **error.log_fields())
