"""How much may go to one provider now, and to which of its api_paths: by slots, rate and circuit breakers."""

from dataclasses import dataclass

from notifier.config.model import ProviderSettings
from notifier.core.circuit_breaker import Permit
from notifier.core.model import Watch
from notifier.core.polling.evidence import classify_verdict
from notifier.core.polling.poll_choice import UNRESTRICTED, ClaimRules, PathProbe
from notifier.core.polling.verdict import Verdict
from notifier.engine.provider_monitor import PollTicket, ProviderMonitor
from notifier.engine.token_bucket import TokenBucket

SLOW_MS = 1_000  # a reply in less says nothing against a path; trade-off: short beside a timeout of 15 s
SLOW_FACTOR = (
    3  # times the usual duration of a reply; trade-off: a provider that is slow as a whole is not ill
)
REPLY_WEIGHT = 8  # one reply of so many: the usual duration follows the provider; no record of why 8
TROUBLED_SHARE = 10  # one poll of so many at least is of a watch that failed last; no record of why 10
FORGET_INTERVAL_MS = 60_000  # no record of why; changing it needs a measurement


@dataclass(frozen=True, slots=True)
class PollPlan:
    """What a claim may take now. ``is_probe``: the provider is blocked, and this is its probe."""

    limit: int
    rules: ClaimRules = UNRESTRICTED
    is_probe: bool = False


class ProviderLimiter:
    """One provider's budget. What fails or hangs has a part of it: half of the slots and half of the rate.

    Probes of blocked paths may have a quarter of the slots more: what hangs elsewhere must not delay them.
    """

    def __init__(self, provider: ProviderSettings, now: int) -> None:
        self.provider = provider
        self.monitor = ProviderMonitor(provider)
        self.in_flight = 0
        self._bucket = TokenBucket(provider.max_rate_per_s, now)
        self._suspect_bucket = TokenBucket(provider.max_rate_per_s / 2, now)
        self._count = 0
        self._usual_reply_ms = 0.0
        self._troubled_at = now
        self._forget_at = now + FORGET_INTERVAL_MS

    def plan(self, now: int) -> PollPlan:
        """Return what a claim may take now; a limit of 0 where nothing may start."""
        self._forget(now)
        match self.monitor.permit(now):
            case Permit.BLOCK:
                return PollPlan(0)
            case Permit.PROBE:
                probed = {name: load.probed for name, load in self.monitor.paths.items()}
                rules = ClaimRules(served=probed, is_probe=True)
                return PollPlan(min(self._count_free(now), 1), rules, is_probe=True)
            case Permit.ALLOW:
                limit = self._count_free(now)
                return PollPlan(limit, self._make_rules(now)) if limit else PollPlan(0)

    def _count_free(self, now: int) -> int:
        return max(0, min(self.provider.max_in_flight - self.in_flight, self._bucket.count(now)))

    def _make_rules(self, now: int) -> ClaimRules:
        paths, slow_ms = self.monitor.paths, self._slow_ms
        suspect_in_flight = sum(load.count_suspect(now, slow_ms) for load in paths.values())
        slots = self.provider.max_in_flight
        tokens = self._suspect_bucket.count(now)
        return ClaimRules(
            max_in_flight=self.provider.max_in_flight,
            in_flight={name: len(load.requests) for name, load in paths.items() if load.requests},
            suspects={name for name, load in paths.items() if load.is_suspect(now, slow_ms)},
            suspect_room=max(0, min(max(1, slots // 2) - suspect_in_flight, tokens)),
            probe_room=max(0, min(max(1, slots * 3 // 4) - suspect_in_flight, tokens)),
            blocked=self.monitor.find_probes(now),
            served={name: load.served for name, load in paths.items()},
            is_shared=len(paths) > 1,
            favours_troubled=now - self._troubled_at >= TROUBLED_SHARE * 1_000 / self._bucket.rate_per_s,
        )

    def find_next_start(self, now: int) -> int | None:
        """Return when the rate lets the next request start; None when one must end before that."""
        return None if self.in_flight >= self.provider.max_in_flight else self._bucket.find_next(now)

    def record_start(self, watch: Watch, plan: PollPlan, now: int) -> PollTicket:
        """Record that a poll of a claimed watch starts."""
        self.in_flight += 1
        self._count += 1
        self._bucket.take()
        load = self.monitor.paths.get_active(watch.api_path, now)
        if watch.failures or load.is_suspect(now, self._slow_ms):
            self._suspect_bucket.take()
        load.requests[self._count], load.served = now, self._count
        if watch.failures:
            load.troubled.add(self._count)
            self._troubled_at = now
        if plan.is_probe:
            load.probed = self._count
        probe = plan.rules.blocked.get(watch.api_path)
        self.monitor.record_probe(load, probe, now, is_of_all=plan.is_probe)
        return PollTicket(
            number=self._count,
            api_path=watch.api_path,
            task_id=watch.task_id,
            started_at=now,
            is_probe=plan.is_probe,
            is_path_probe=plan.is_probe or probe is PathProbe.ANY,
            is_seen=watch.upstream_status is not None,
        )

    def record_end(self, ticket: PollTicket, verdict: Verdict | None, now: int) -> Verdict | None:
        """Record what a poll brought, see ``ProviderMonitor``; None when it broke off without a verdict."""
        self.in_flight -= 1
        load = self.monitor.paths.get_active(ticket.api_path, now)
        load.requests.pop(ticket.number, None)
        load.troubled.discard(ticket.number)
        if verdict is None:
            return None
        verdict = self.monitor.record(ticket, verdict, now)
        if not classify_verdict(verdict).is_failure:
            self._usual_reply_ms += (now - ticket.started_at - self._usual_reply_ms) / REPLY_WEIGHT
        return verdict

    def configure(self, provider: ProviderSettings, now: int) -> None:
        """Go on under changed settings."""
        self.monitor.configure(provider)
        if provider.max_rate_per_s != self.provider.max_rate_per_s:
            self._bucket = TokenBucket(provider.max_rate_per_s, now)
            self._suspect_bucket = TokenBucket(provider.max_rate_per_s / 2, now)
        self.provider = provider

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self.monitor.shift(delta_ms)
        self._bucket.shift(delta_ms)
        self._suspect_bucket.shift(delta_ms)
        self._troubled_at += delta_ms
        self._forget_at += delta_ms

    def _forget(self, now: int) -> None:
        if now >= self._forget_at:
            self._forget_at = now + FORGET_INTERVAL_MS
            self.monitor.forget_idle(now)

    @property
    def _slow_ms(self) -> int:
        """How long a request may be out before its path is suspect."""
        return max(SLOW_MS, round(SLOW_FACTOR * self._usual_reply_ms))
