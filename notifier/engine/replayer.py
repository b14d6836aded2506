"""Replay deliveries at a limited rate: each tick makes some pending again, and the deliverer sends them."""

from collections.abc import Callable

from notifier.config.model import CallbackSettings
from notifier.engine.paced_steps import PacedSteps
from notifier.ports import Clock
from notifier.store.protocol import Store

RATE_PER_S = 10  # a replay must not flood receivers; no record of why; changing it needs a measurement


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
        self._steps = PacedSteps(self._replay_some, clock=clock, name="replay", rate_per_s=rate_per_s)

    async def tick(self) -> int:
        """Replay the deliveries of one second. Return when to tick next; an earlier tick does nothing."""
        return await self._steps.tick()

    async def _replay_some(self, limit: int) -> int | None:
        now = self._clock.now()
        count = await self._store.replay_some(
            now=now, give_up_at=now + self.settings.give_up_after_ms, limit=limit
        )
        if count:
            self._deliver()
        return count
