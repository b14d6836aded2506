"""Maintain the store: give up overdue deliveries, delete old rows, checkpoint, write a heartbeat."""

import structlog

from notifier.config.model import RetentionSettings
from notifier.core.causes.cause import Cause
from notifier.errors import StoreUnavailable
from notifier.ports import Clock
from notifier.store.protocol import Store

INTERVAL_MS = 60_000  # no record of why; changing it needs a measurement
RETRY_INTERVAL_MS = 5_000  # short, because the daemon is not ready until a tick succeeds
MAINTAIN_EVERY_TICKS = 5  # a checkpoint every 5 min; no record of why; changing it needs a measurement
# Rows of one transaction, for which other writes wait. No record of why; changing it needs a measurement.
PRUNE_BATCH = 500
# Leaves the writer to others between two batches. No record of why; changing it needs a measurement.
NEXT_BATCH_MS = 100

log = structlog.get_logger()


class Housekeeping:
    """Runs one tick per minute. A large clean-up runs in small batches, so that other writes do not wait."""

    def __init__(self, *, store: Store, clock: Clock, settings: RetentionSettings) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock
        self._ticks = 0
        self._place: tuple[int, int] | None = None  # where the next step of a walk through old watches starts
        self.trouble: Cause | None = None

    async def tick(self) -> int:
        """Do the maintenance that is due. Return when to tick next."""
        now = self._clock.now()
        try:
            is_more = await self._step(now)
            if self.trouble is not None:
                log.info("store.recovered")
            self.trouble = None
            if is_more:
                return now + NEXT_BATCH_MS
            self._ticks += 1
            if self._ticks % MAINTAIN_EVERY_TICKS == 0:
                await self._store.maintain()
        except StoreUnavailable as error:
            if self.trouble != error.reason:
                log.error("store.unavailable", **error.log_fields())
            self.trouble = error.reason
            return now + RETRY_INTERVAL_MS
        return now + INTERVAL_MS

    async def _step(self, now: int) -> bool:
        """Do one bounded step, so that a stop waits for no more; return whether another follows soon."""
        if self._place is not None:
            return await self._prune(now)
        await self._store.heartbeat(now=now)
        dead = await self._give_up(now)
        return await self._prune(now) or dead == PRUNE_BATCH

    async def _give_up(self, now: int) -> int:
        """Give up overdue deliveries of blocked endpoints, because only single probes would reach them."""
        dead = await self._store.give_up_overdue(now=now, limit=PRUNE_BATCH)
        if dead:
            log.error(
                "deliveries.dead",
                count=dead,
                reason="the gate of the endpoint stayed closed until callbacks.give_up_after",
            )
        return dead

    async def _prune(self, now: int) -> bool:
        step = await self._store.prune(
            delivered_before=now - self.settings.delivered_ms,
            dead_before=now - self.settings.dead_ms,
            limit=PRUNE_BATCH,
            place=self._place,
        )
        self._place = step.place
        if step.count:
            log.info("watches.pruned", count=step.count)
        return step.place is not None or step.has_excess
