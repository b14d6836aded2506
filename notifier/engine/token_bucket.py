"""A rate limit: tokens that come at an even rate, and of which some may be saved up."""

BURST_S = 0.25  # of the rate may be saved up; no record of why; changing it needs a measurement


class TokenBucket:
    """Tokens for requests. It starts full, and never holds less than one token's room."""

    def __init__(self, rate_per_s: float, now: int) -> None:
        self.rate_per_s = rate_per_s
        self._tokens = self._capacity
        self._filled_at = now

    def count(self, now: int) -> int:
        """Return how many requests the rate permits now."""
        gained = (now - self._filled_at) * self.rate_per_s / 1_000
        self._tokens = min(self._capacity, self._tokens + max(0.0, gained))
        self._filled_at = now
        return int(self._tokens)

    def take(self) -> None:
        """Use a token; a probe may take one that is not there yet."""
        self._tokens -= 1

    def find_next(self, now: int) -> int:
        """Return when the next request may start."""
        missing = max(0.0, 1.0 - self._tokens)
        return now + round(missing * 1_000 / self.rate_per_s + 0.5)

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self._filled_at += delta_ms

    @property
    def _capacity(self) -> float:
        return max(1.0, self.rate_per_s * BURST_S)
