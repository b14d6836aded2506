"""What the store needs now and then: old rows forgotten, the log checkpointed, a sign of life."""

import structlog

from notifier.config.model import Retention
from notifier.errors import StoreUnavailable
from notifier.ports import Clock
from notifier.store.interface import Store

EVERY_MS = 60_000
MAINTAIN_EVERY = 5
PRUNE_BATCH = 500

log = structlog.get_logger()


class Housekeeping:
    """One tick a minute; a big clean-up goes on in small steps so that nobody waits for it."""

    def __init__(self, *, store: Store, clock: Clock, settings: Retention) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock
        self._ticks = 0
        self.trouble: str | None = None

    async def tick(self) -> int:
        """Do what is due; returns the instant of the next tick."""
        now = self._clock.now()
        try:
            await self._store.heartbeat(now=now)
            if await self._prune(now) == PRUNE_BATCH:
                return now + 100
            self._ticks += 1
            if self._ticks % MAINTAIN_EVERY == 0:
                await self._store.maintain()
            self.trouble = None
        except StoreUnavailable as fault:
            self.trouble = fault.cause
            log.error("store.unavailable", cause=fault.cause, fix=fault.fix)
        return now + EVERY_MS

    async def _prune(self, now: int) -> int:
        pruned = await self._store.prune(
            delivered_before=now - self.settings.delivered_ms,
            dead_before=now - self.settings.dead_ms,
            limit=PRUNE_BATCH,
        )
        if pruned:
            log.info("watches.pruned", count=pruned)
        return pruned
