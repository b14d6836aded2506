"""The health of a provider as a whole: its circuit breaker, beside those of its api_paths.

Three failures of the provider in a row, with no reply about any task between, block it. Where another
api_path has brought a reply lately, they must come from two paths at least: a path that works does not share
what a single one fails with. A 429 blocks at once, for as long as the provider asks.
"""

from dataclasses import dataclass, replace

from notifier.core import circuit_breaker
from notifier.core.causes.cause import Cause, Condition
from notifier.core.circuit_breaker import CircuitBreaker, Permit, shift_breaker

SHARED_BY_PATHS = 2  # fewer failing paths say nothing about a path that works


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """What is known of one provider.

    ``failing_paths`` are different api_paths that failed since the last reply, at most two.
    ``failing_since`` is the instant of the first of these failures.
    """

    breaker: CircuitBreaker = CircuitBreaker()
    failing_since: int | None = None
    failing_paths: tuple[str, ...] = ()

    @property
    def is_blocked(self) -> bool:
        """Return whether only probes may go out."""
        return self.breaker.since is not None

    @property
    def condition(self) -> Condition | None:
        """Return why the provider is held back, and since its first failure in a row; None if it is not."""
        if self.breaker.since is None or self.breaker.reason is None:
            return None
        since = self.breaker.since if self.failing_since is None else self.failing_since
        return Condition(self.breaker.reason, since)


def permit(provider: ProviderHealth, now: int) -> Permit:
    """Return whether requests may go out freely, singly, or not at all."""
    return circuit_breaker.permit(provider.breaker, now)


def record_probe(provider: ProviderHealth, now: int, *, timeout_ms: int) -> ProviderHealth:
    """Record that the one probe starts."""
    return replace(
        provider, breaker=circuit_breaker.record_probe(provider.breaker, now, timeout_ms=timeout_ms)
    )


def record_reply(provider: ProviderHealth, now: int) -> ProviderHealth:
    """Record a reply about a task, which unblocks the provider unless a pause that it asked for runs."""
    breaker = circuit_breaker.record_success(provider.breaker, now)
    if breaker.failures > 0:
        return replace(provider, breaker=breaker)
    return ProviderHealth(breaker)


def record_failure(
    provider: ProviderHealth,
    api_path: str,
    cause: Cause,
    now: int,
    *,
    is_probe: bool,
    cap_ms: int,
    has_working_path: bool,
) -> ProviderHealth:
    """Record a failure of the provider. ``has_working_path``: another path brought a reply lately."""
    counted = _count(provider, api_path, now)
    is_shared = len(counted.failing_paths) >= SHARED_BY_PATHS or not has_working_path
    if not provider.is_blocked and not is_shared:
        breaker = replace(provider.breaker, failures=provider.breaker.failures + 1, reason=cause)
        return replace(counted, breaker=breaker)
    breaker = circuit_breaker.record_failure(provider.breaker, cause, now, is_probe=is_probe, cap_ms=cap_ms)
    return replace(counted, breaker=breaker)


def record_throttle(
    provider: ProviderHealth,
    api_path: str,
    cause: Cause,
    now: int,
    *,
    until: int,
    is_probe: bool,
    cap_ms: int,
) -> ProviderHealth:
    """Record a 429: block at once, with no probe before ``until``."""
    breaker = circuit_breaker.block_until(
        provider.breaker, until, cause, now, is_probe=is_probe, cap_ms=cap_ms
    )
    return replace(_count(provider, api_path, now), breaker=breaker)


def shift_provider(provider: ProviderHealth, delta_ms: int) -> ProviderHealth:
    """Return the health on a clock that was stepped by ``delta_ms``."""
    return replace(
        provider,
        breaker=shift_breaker(provider.breaker, delta_ms),
        failing_since=None if provider.failing_since is None else provider.failing_since + delta_ms,
    )


def _count(provider: ProviderHealth, api_path: str, now: int) -> ProviderHealth:
    paths = provider.failing_paths
    return replace(
        provider,
        failing_since=now if provider.failing_since is None else provider.failing_since,
        failing_paths=paths if api_path in paths else (*paths, api_path)[:SHARED_BY_PATHS],
    )
