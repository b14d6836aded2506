"""Limit the polls of one provider: requests in flight, requests per second, and a circuit breaker."""

from notifier.config.model import ProviderSettings
from notifier.core import circuit_breaker
from notifier.core.causes.cause import Condition
from notifier.core.circuit_breaker import CircuitBreaker, Permit
from notifier.core.polling.verdict import AccountRefused, Inconclusive, Throttled, Verdict

BURST_S = 0.25  # of the rate may be saved up; no record of why; changing it needs a measurement
DEFAULT_PAUSE_MS = 5_000  # after a 429 without Retry-After; no record of why; changing it needs a measurement
MAX_RETURN_MS = 60_000  # CONTRACT P7: a provider that is back is polled within 60 s


class ProviderLimiter:
    """The limits of one provider. A 429 or a refusal holds back the whole provider, not one watch."""

    def __init__(self, provider: ProviderSettings, now: int) -> None:
        self.provider = provider
        self.gate = CircuitBreaker()
        self.in_flight = 0
        self._failing_since: int | None = None
        self._tokens = self._burst
        self._filled_at = now

    @property
    def condition(self) -> Condition | None:
        """Why the provider is held back, since its first failure in a row; None if it is not."""
        if self.gate.since is None or self.gate.reason is None:
            return None
        since = self.gate.since if self._failing_since is None else self._failing_since
        return Condition(self.gate.reason, since)

    def permit(self, now: int) -> Permit:
        """Return whether requests may start now: freely, as the only probe, or not."""
        return circuit_breaker.permit(self.gate, now)

    def count_free_slots(self, now: int) -> int:
        """Return how many requests may start now, by the number in flight and by the rate."""
        self._fill(now)
        return max(0, min(self.provider.max_in_flight - self.in_flight, int(self._tokens)))

    def find_next_start(self, now: int) -> int | None:
        """Return when the rate allows the next request; None if one in flight must end first."""
        if self.in_flight >= self.provider.max_in_flight:
            return None
        missing = max(0.0, 1.0 - self._tokens)
        return now + round(missing * 1_000 / self.provider.max_rate_per_s + 0.5)

    def record_start(self, count: int, now: int, *, is_probe: bool) -> None:
        """Record the start of ``count`` requests."""
        self.in_flight += count
        self._tokens -= count
        if is_probe:
            timeout_ms = self.provider.polling.request_timeout_ms + DEFAULT_PAUSE_MS
            self.gate = circuit_breaker.record_probe(self.gate, now, timeout_ms=timeout_ms)

    def record_end(self, verdict: Verdict | None, now: int, *, is_probe: bool) -> None:
        """Record the end of a request; None if it ended without a verdict."""
        self.in_flight -= 1
        match verdict:
            case None:
                pass
            case Throttled(cause=cause, retry_after_ms=wait_ms):
                until = now + (wait_ms or DEFAULT_PAUSE_MS)
                self.gate = circuit_breaker.block_until(
                    self.gate, until, cause, now, is_probe=is_probe, cap_ms=self._cap_ms
                )
            case AccountRefused(cause=cause) | Inconclusive(cause=cause, is_outage=True):
                self.gate = circuit_breaker.record_failure(
                    self.gate, cause, now, is_probe=is_probe, cap_ms=self._cap_ms
                )
            case _:
                self.gate = circuit_breaker.record_success(self.gate, now)
        if self.gate.failures == 0:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = now

    def configure(self, provider: ProviderSettings) -> None:
        """Use changed settings. Reset the breaker for a new key or base URL."""
        if (provider.api_key, provider.base_url) != (self.provider.api_key, self.provider.base_url):
            self.gate, self._failing_since = CircuitBreaker(), None
        self.provider = provider

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self.gate = circuit_breaker.shift_breaker(self.gate, delta_ms)
        self._filled_at += delta_ms
        if self._failing_since is not None:
            self._failing_since += delta_ms

    @property
    def _cap_ms(self) -> int:
        """The longest wait for a probe. With the timeout of a probe it is a minute (CONTRACT P7)."""
        return max(DEFAULT_PAUSE_MS, MAX_RETURN_MS - self.provider.polling.request_timeout_ms)

    @property
    def _burst(self) -> float:
        return max(1.0, self.provider.max_rate_per_s * BURST_S)

    def _fill(self, now: int) -> None:
        gained = (now - self._filled_at) * self.provider.max_rate_per_s / 1_000
        self._tokens = min(self._burst, self._tokens + max(0.0, gained))
        self._filled_at = now
