"""Replay deliveries at a limited rate: each tick makes some pending again, and the deliverer sends them."""

from collections.abc import Callable

import structlog

from notifier.config.model import CallbackSettings
from notifier.errors import StoreUnavailable
from notifier.ports import Clock
from notifier.store.protocol import Store

RATE_PER_S = 10  # a replay must not flood receivers; no record of why; changing it needs a measurement
IDLE_MS = 60_000  # a new replay wakes the job at once; no record of why; changing it needs a measurement
RETRY_INTERVAL_MS = 5_000  # no record of why; changing it needs a measurement

log = structlog.get_logger()


class Replayer:
    """Replays at most ``rate_per_s`` deliveries per second. Calls ``deliver`` after some were replayed."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        settings: CallbackSettings,
        deliver: Callable[[], None],
        rate_per_s: int = RATE_PER_S,
    ) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock
        self._deliver = deliver
        self._rate_per_s = rate_per_s
        self._next_at = 0
        self._is_replaying = False

    async def tick(self) -> int:
        """Replay the deliveries of one second. Return when to tick next; an earlier tick does nothing."""
        now = self._clock.now()
        if now < self._next_at <= now + 1_000:
            return self._next_at
        try:
            count = await self._store.replay_some(
                now=now, give_up_at=now + self.settings.give_up_after_ms, limit=self._rate_per_s
            )
        except StoreUnavailable as error:
            log.warning("replay.delayed", **error.log_fields())
            return now + RETRY_INTERVAL_MS
        self._log_progress(count)
        if count is None:
            return now + IDLE_MS
        if count:
            self._deliver()
        self._next_at = now + count * 1_000 // self._rate_per_s
        return self._next_at

    def _log_progress(self, count: int | None) -> None:
        """Log the start of replaying and its end, once for any number of replays."""
        if (count is not None) != self._is_replaying:
            self._is_replaying = count is not None
            log.info("replay.began" if self._is_replaying else "replay.ended")
