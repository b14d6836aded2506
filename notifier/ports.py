"""What the parts are handed from outside: time, chance, the network, and who counts.

Production passes the real ones, the simulation passes its own. Chance is a ``random.Random`` as it is.
"""

from collections.abc import Mapping
from typing import Protocol

from notifier.core.delivery.decision import AttemptDecision
from notifier.core.exchange import Exchange
from notifier.core.model import Attempt, ClaimedDelivery, Watch
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.verdict import Verdict


class Clock(Protocol):
    """Time as the daemon sees it."""

    def now(self) -> int:
        """Epoch milliseconds. Follows a stepped wall clock only when told to (``notifier/clock.py``)."""
        ...

    def monotonic(self) -> float:
        """Seconds from some fixed point; never goes back."""
        ...


class HttpClient(Protocol):
    """HTTP exchanges that end in time and never raise for network trouble."""

    async def get(self, url: str, headers: Mapping[str, str], *, timeout_ms: int) -> Exchange:
        """One GET with a deadline for the whole exchange."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> Exchange:
        """One POST with a deadline for the whole exchange."""
        ...

    async def close(self) -> None:
        """Close what is pooled."""
        ...


class Meter(Protocol):
    """Is told of the work, to count it. A call takes some microseconds, never fails and decides nothing."""

    def stopwatch(self) -> float:
        """Seconds from some fixed point, for durations that are told here and for nothing else."""
        ...

    def record_poll(self, watch: Watch, verdict: Verdict, *, late_ms: int) -> None:
        """A poll that began ``late_ms`` after it was due brought ``verdict``."""
        ...

    def record_end(self, watch: Watch, verdict: Verdict, end: EndWatch, *, now: int) -> None:
        """The end of a watch, decided at ``now``, is on disk."""
        ...

    def record_attempt(
        self, delivery: ClaimedDelivery, attempt: Attempt, sequel: AttemptDecision, *, now: int
    ) -> None:
        """An attempt that ended at ``now`` is on disk."""
        ...

    def record_commit(self, units: int, took_s: float) -> None:
        """The store has committed so many units of work at once."""
        ...

    def record_lag(self, late_s: float) -> None:
        """A timer of the loop rang so late."""
        ...


class NoMeter:
    """Where nobody counts."""

    def stopwatch(self) -> float:
        """No time passes."""
        return 0.0

    def record_poll(self, watch: Watch, verdict: Verdict, *, late_ms: int) -> None:
        """Nothing."""

    def record_end(self, watch: Watch, verdict: Verdict, end: EndWatch, *, now: int) -> None:
        """Nothing."""

    def record_attempt(
        self, delivery: ClaimedDelivery, attempt: Attempt, sequel: AttemptDecision, *, now: int
    ) -> None:
        """Nothing."""

    def record_commit(self, units: int, took_s: float) -> None:
        """Nothing."""

    def record_lag(self, late_s: float) -> None:
        """Nothing."""


NO_METER: Meter = NoMeter()
