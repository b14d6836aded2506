"""Define a claimed watch: what the poller passes on from the claim to the record of a poll."""

from dataclasses import dataclass

from notifier.config.model import ProviderSettings
from notifier.core.model import Watch
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.engine.provider_limiter import ProviderLimiter
from notifier.store.values import Lease


@dataclass(frozen=True, slots=True)
class ClaimedWatch:
    """A claimed watch with its lease.

    ``provider`` has the settings at the claim, because the reply must be cleaned of the key that was sent,
    even after a reload. ``shifted_ms`` is the sum of clock steps before the claim. The row and ``claimed_at``
    are by the clock of that time.
    """

    watch: Watch
    lease: Lease
    limiter: ProviderLimiter
    provider: ProviderSettings
    claimed_at: int
    shifted_ms: int
    is_probe: bool
    durations: TaskDurations | None = None
