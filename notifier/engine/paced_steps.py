"""Run the steps of a bulk change at a limited rate. Used by the replayer and the watch changer."""

from collections.abc import Awaitable, Callable

import structlog

from notifier.errors import StoreUnavailable
from notifier.ports import Clock

IDLE_MS = 60_000  # a new change wakes the job at once; no record of why; changing it needs a measurement
RETRY_INTERVAL_MS = 5_000  # no record of why; changing it needs a measurement

log = structlog.get_logger()


class PacedSteps:
    """Changes at most ``rate_per_s`` rows per second, as many in one step.

    ``step`` gets the limit and returns the number of rows, None if nothing is under way. ``name`` begins the
    names of the log events.
    """

    def __init__(
        self, step: Callable[[int], Awaitable[int | None]], *, clock: Clock, name: str, rate_per_s: int
    ) -> None:
        self._step = step
        self._clock = clock
        self._name = name
        self._rate_per_s = rate_per_s
        self._next_at = 0
        self._is_under_way = False

    async def tick(self) -> int:
        """Change the rows of one second. Return when to tick next; an earlier tick does nothing."""
        now = self._clock.now()
        if now < self._next_at <= now + 1_000:
            return self._next_at
        try:
            count = await self._step(self._rate_per_s)
        except StoreUnavailable as error:
            log.warning(f"{self._name}.delayed", **error.log_fields())
            return now + RETRY_INTERVAL_MS
        self._log_progress(count)
        if count is None:
            return now + IDLE_MS
        self._next_at = now + count * 1_000 // self._rate_per_s
        return self._next_at

    def _log_progress(self, count: int | None) -> None:
        """Log the start of the work and its end, once for any number of bulk changes."""
        if (count is not None) != self._is_under_way:
            self._is_under_way = count is not None
            log.info(f"{self._name}.began" if self._is_under_way else f"{self._name}.ended")
