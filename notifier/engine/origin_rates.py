"""Limit how often deliveries to an origin start (``callbacks.max_rate_per_origin``): token buckets."""

from notifier.store.values import RateAllowance

BURST_S = 0.25  # of the rate may be saved up, as for polls; no record of why; changing it needs a measurement


class OriginRates:
    """The token buckets of the origins that were sent something lately. A full bucket is forgotten."""

    def __init__(self) -> None:
        self._tokens: dict[str, float] = {}
        self._filled_s = 0.0

    def allow(self, rate_per_s: float, now_s: float) -> RateAllowance | None:
        """Return how many deliveries may start now; None without a limit."""
        gained = max(0.0, now_s - self._filled_s) * rate_per_s
        self._filled_s = now_s
        if rate_per_s <= 0:
            self._tokens.clear()
            return None
        burst = max(1.0, rate_per_s * BURST_S)
        filled = {origin: tokens + gained for origin, tokens in self._tokens.items()}
        self._tokens = {origin: tokens for origin, tokens in filled.items() if tokens < burst}
        return RateAllowance(
            int(burst), {origin: max(0, int(tokens)) for origin, tokens in self._tokens.items()}
        )

    def record_start(self, origin: str, rate_per_s: float) -> None:
        """Record the start of a delivery."""
        if rate_per_s > 0:
            full = max(1.0, rate_per_s * BURST_S)
            self._tokens[origin] = self._tokens.get(origin, full) - 1

    def find_next_ms(self, rate_per_s: float) -> int | None:
        """Return after how long an origin that is held may be sent to again; None if none is held."""
        if rate_per_s <= 0:
            return None
        missing = [1 - tokens for tokens in self._tokens.values() if tokens < 1]
        return round(min(missing) * 1_000 / rate_per_s + 0.5) if missing else None
