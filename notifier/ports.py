"""What the daemon is handed from outside: time, chance and the network.

Production passes the real ones, the simulation passes its own. Chance is a ``random.Random`` as it is.
"""

from collections.abc import Mapping
from typing import Protocol

from notifier.core.replies import Exchange


class Clock(Protocol):
    """Time as the daemon sees it."""

    def now(self) -> int:
        """Epoch milliseconds. Follows a stepped wall clock only when told to (``notifier/clock.py``)."""
        ...

    def monotonic(self) -> float:
        """Seconds from some fixed point; never goes back."""
        ...


class Wire(Protocol):
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
