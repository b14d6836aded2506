"""Stop or resume all watches that match, at a limited rate: each tick changes some."""

from collections.abc import Callable, Mapping

import structlog

from notifier.config.model import Config
from notifier.engine.paced_steps import PacedSteps
from notifier.engine.waiters import WatchWaiters
from notifier.ports import Clock
from notifier.store.protocol import Store

# Trade-off: a resumed watch is due at once. More of them than a provider is polled for in a second would
# delay the polls of all others. A step of 100 was measured to hold the writer for 7 ms.
RATE_PER_S = 100

log = structlog.get_logger()


class WatchChanger:
    """Changes at most ``rate_per_s`` watches per second. Calls ``poll_at`` and wakes waiters after a step."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        config: Config,
        waiters: WatchWaiters,
        poll_at: Callable[[int], None],
        rate_per_s: int = RATE_PER_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._waiters = waiters
        self._poll_at = poll_at
        self._steps = PacedSteps(self._change_some, clock=clock, name="watch_change", rate_per_s=rate_per_s)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Use this configuration from the next step on."""
        self._max_live = config.server.max_watches
        self._expire_after_ms: Mapping[str, int] = {
            name: provider.polling.expire_after_ms for name, provider in config.providers.items()
        }

    async def tick(self) -> int:
        """Change the watches of one second. Return when to tick next; an earlier tick does nothing."""
        return await self._steps.tick()

    async def _change_some(self, limit: int) -> int | None:
        now = self._clock.now()
        changed = await self._store.change_some_watches(
            now=now, expire_after_ms=self._expire_after_ms, max_live=self._max_live, limit=limit
        )
        if changed is None:
            return None
        if changed.refused:
            log.warning("watch_change.refused", count=changed.refused, max_watches=self._max_live)
        for watch_id in changed.ids:
            self._waiters.wake(watch_id)
        if changed.ids:
            self._poll_at(now)
        return len(changed.ids)
