"""Once a second, by the monotonic clock: has the wall clock been set, is a bell overdue?

This is no job of APScheduler's, because it looks after APScheduler.
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
    """A clock that knows how far the wall has moved away, and can follow."""

    def drift_ms(self) -> int:
        """How far the wall clock is ahead; negative when it is behind."""
        ...

    def adopt(self, delta_ms: int) -> None:
        """Move by ``delta_ms``."""
        ...


class ClockWatch:
    """``shift`` is called with the milliseconds of each step, to move what waits in memory."""

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
        """Beat until cancelled."""
        while True:
            await self.check()
            began = self._meter.stopwatch()
            await asyncio.sleep(TICK_S)
            self._meter.record_lag(self._meter.stopwatch() - began - TICK_S)

    async def check(self) -> None:
        """Follow the wall clock, then look after the bells."""
        drift_ms = self._clock.drift_ms()
        self._clock.adopt(drift_ms)
        if abs(drift_ms) >= MIN_STEP_MS:
            await self._step(drift_ms)
        self._scheduler.check()

    async def _step(self, by_ms: int) -> None:
        """Move what waits, in memory and in the store, with the clock. What fails is seen again next time.

        Records reach the writer in the order in which they are made, so those decided by the old time are
        shifted with the rest, and those decided after ``adopt`` are not.
        """
        log.warning("clock.stepped", by_ms=by_ms)
        self._shift(by_ms)
        try:
            await self._store.shift_times(by_ms)
        except StoreUnavailable as error:
            self._clock.adopt(-by_ms)
            self._shift(-by_ms)
            log.error("clock.rows_not_shifted", by_ms=by_ms, **error.log_fields())
