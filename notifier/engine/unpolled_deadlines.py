"""End watches at their deadlines while they cannot be polled, for a reason of their own path or provider."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from notifier.config.model import ProviderSettings
from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.polling.decide_poll import LATE_MS, OVERDUE_GRACE_MS
from notifier.core.polling.verdict import NotPolled
from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.poll_runner import LEASE_MARGIN_MS, ClaimedWatch, PollRunner
from notifier.engine.provider_monitor import ProviderMonitor
from notifier.ports import Clock
from notifier.store.protocol import Store
from notifier.store.values import Lease

EXPIRE_BATCH = 256  # CONTRACT P5: bounded; no record of why; changing it needs a measurement
EXPIRE_INTERVAL_MS = 1_000  # short beside LATE_MS, by which these ends are late; ticks come up to 50 a second
ORPHAN_INTERVAL_MS = 60_000  # no record of why; changing it needs a measurement


class UnpolledDeadlines:
    """Ends watches without a poll, each for a reason of its own path or provider."""

    def __init__(
        self, *, store: Store, clock: Clock, owner: str, tasks: BackgroundTasks, runner: PollRunner
    ) -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        self._tasks = tasks
        self._runner = runner
        self._expired_at: dict[str, int] = {}
        self._orphans_at = 0

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self._orphans_at += delta_ms
        self._expired_at = {name: at + delta_ms for name, at in self._expired_at.items()}

    async def expire(self, monitor: ProviderMonitor) -> None:
        """End what reaches its deadline while its provider, or its own api_path, cannot be polled.

        What was past it already when the block began (after a stop of the daemon) may have finished
        meanwhile. It is polled first, unless the block lasts.
        """
        provider, now = monitor.provider, self._clock.now()
        blocked, condition = monitor.list_blocked(), monitor.health.condition
        if (condition is None and not blocked) or now < self._expired_at.get(provider.name, 0):
            return
        self._expired_at[provider.name] = now + EXPIRE_INTERVAL_MS
        if condition is not None:
            earliest = _find_earliest_deadline(monitor.health.breaker, now)
            await self._expire_all(provider, lambda _: condition, deadline_from=earliest)
            return
        reasons = {path: health.condition for path, health in blocked.items()}
        await self._expire_all(
            provider,
            reasons.get,
            paths={path: _find_earliest_deadline(health.breaker, now) for path, health in blocked.items()},
        )

    async def expire_orphans(self, configured: Collection[str]) -> None:
        """End what is past its deadline and whose provider has gone from the configuration."""
        now = self._clock.now()
        if now < self._orphans_at:
            return
        self._orphans_at = now + ORPHAN_INTERVAL_MS
        removed = Condition(Cause(Code.PROVIDER_REMOVED))
        for name in await self._store.providers():
            if name not in configured:
                ended = await self._expire_all(
                    ProviderSettings(name=name), lambda _: removed, deadline_from=0
                )
                if ended == EXPIRE_BATCH:  # there may be more
                    self._orphans_at = self._clock.now()

    async def _expire_all(
        self,
        provider: ProviderSettings,
        find_reason: Callable[[str], Condition | None],
        *,
        deadline_from: int | None = None,
        paths: Mapping[str, int] = MappingProxyType({}),
    ) -> int:
        """Start to end a batch of watches past their deadlines; return how many."""
        now = self._clock.now()  # read anew: the caller has waited, and it may have been set back
        lease, shifted_ms = Lease(self._owner, now + LEASE_MARGIN_MS), self._runner.shifted_ms
        claimed = await self._store.claim_past_deadline(
            provider.name,
            now=now - LATE_MS,
            limit=EXPIRE_BATCH,
            lease=lease,
            deadline_from=deadline_from,
            paths=paths,
        )
        for watch in claimed.watches:
            claim = self._runner.make_claim(watch, lease, provider, shifted_ms)
            why = find_reason(watch.api_path) or Condition(Cause(Code.PROVIDER_NOT_CONFIGURED))
            self._tasks.start(self._end_unpolled(claim, why), name=f"expire {watch.id}")
        return len(claimed.watches)

    async def _end_unpolled(self, claimed: ClaimedWatch, why: Condition) -> None:
        await self._runner.end_unpolled(claimed, NotPolled(why))


def _find_earliest_deadline(breaker: CircuitBreaker, now: int) -> int:
    """Return the earliest deadline at which a blocked watch ends without a poll."""
    since = now if breaker.since is None else breaker.since
    return 0 if now - since >= OVERDUE_GRACE_MS else since
