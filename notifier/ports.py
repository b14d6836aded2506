"""Define the interfaces of parts that the daemon passes to other parts: clock, HTTP client and meter.

The daemon passes real objects; tests and the simulation pass their own. A source of randomness is a plain
``random.Random`` and needs no interface.
"""

from collections.abc import Mapping
from typing import Protocol

from notifier.core.delivery.decision import AttemptDecision
from notifier.core.exchange import Exchange
from notifier.core.model import Attempt, ClaimedDelivery, Watch
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.verdict import Verdict


class Clock(Protocol):
    """The daemon's time."""

    def now(self) -> int:
        """Return epoch milliseconds. They follow a stepped wall clock only by ``adopt`` (``clock.py``)."""
        ...

    def monotonic(self) -> float:
        """Return seconds since a fixed point; they never decrease."""
        ...


class MemoryHold(Protocol):
    """The memory of one reply, counted against a limit of all (``byte_budget.py``)."""

    def try_grow(self, size: int) -> bool:
        """Reserve ``size`` bytes in all, if that needs no waiting."""
        ...

    async def grow(self, size: int) -> None:
        """Reserve ``size`` bytes in all; wait until they are free."""
        ...


class HttpClient(Protocol):
    """HTTP exchanges with a deadline. A network failure is returned, never raised."""

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        """Send a GET with a deadline for the whole exchange. ``max_body`` None is the client's own limit.

        The body is reserved in ``memory`` as it grows. A wait for it does not count against the deadline.
        """
        ...

    async def query(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        """Send a POST that changes nothing. Its reply is read whole, as that of a GET."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> Exchange:
        """Send a POST with a deadline for the whole exchange."""
        ...

    async def close(self) -> None:
        """Close the pooled connections."""
        ...


class Meter(Protocol):
    """Counts the work. A call takes some microseconds, never fails and has no effect on the work."""

    def stopwatch(self) -> float:
        """Return seconds since a fixed point, for durations passed to this meter only."""
        ...

    def record_poll(self, watch: Watch, verdict: Verdict, *, late_ms: int) -> None:
        """Count a poll that began ``late_ms`` after it was due and had ``verdict``."""
        ...

    def record_end(self, watch: Watch, verdict: Verdict, end: EndWatch, *, now: int) -> None:
        """Count the end of a watch, decided at ``now`` and stored."""
        ...

    def record_attempt(
        self, delivery: ClaimedDelivery, attempt: Attempt, decision: AttemptDecision, *, now: int
    ) -> None:
        """Count an attempt that ended at ``now`` and is stored."""
        ...

    def record_commit(self, units: int, took_s: float) -> None:
        """Count one commit of ``units`` units of work."""
        ...

    def record_lag(self, late_s: float) -> None:
        """Count the delay of a timer of the event loop."""
        ...


class NoMeter:
    """A meter that counts nothing, for tests and commands."""

    def stopwatch(self) -> float:
        """Return 0."""
        return 0.0

    def record_poll(self, watch: Watch, verdict: Verdict, *, late_ms: int) -> None:
        """Do nothing."""

    def record_end(self, watch: Watch, verdict: Verdict, end: EndWatch, *, now: int) -> None:
        """Do nothing."""

    def record_attempt(
        self, delivery: ClaimedDelivery, attempt: Attempt, decision: AttemptDecision, *, now: int
    ) -> None:
        """Do nothing."""

    def record_commit(self, units: int, took_s: float) -> None:
        """Do nothing."""

    def record_lag(self, late_s: float) -> None:
        """Do nothing."""


NO_METER: Meter = NoMeter()
