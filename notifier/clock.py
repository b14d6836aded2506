"""The real clock: a time at start, carried on by CLOCK_BOOTTIME.

A stepped wall clock (NTP after a boot at 1970, an operator's ``date``) must not make everything due at once,
nor nothing for hours. So the daemon's time only ever flows; ``drift_ms`` says how far the wall has moved away
since, and ``adopt`` follows it, while everything that waits is shifted by as much (``engine/pulse.py``).
BOOTTIME goes on while the machine sleeps, so that a suspended hour counts as an hour.

The time at start is the wall's; but where the daemon has lived in this very boot of the machine, its time
goes on from there (``store/upkeep.py``), and a wall clock set meanwhile is one more step to follow.
"""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

_FLOWING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # where there is no BOOTTIME, sleep is lost


def wall_ms() -> int:
    """Epoch milliseconds as the machine's clock has them now."""
    return time.time_ns() // 1_000_000


def elapsed_ms() -> int:
    """Milliseconds since some fixed point; never goes back."""
    return time.clock_gettime_ns(_FLOWING) // 1_000_000


def boot_id() -> int | None:
    """Return a number for this boot of the machine, the same until the next one; None where none is told."""
    try:
        return UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).int >> 65  # 63 bits
    except (OSError, ValueError):
        return None


class SystemClock:
    """``ports.Clock`` on this machine.

    ``anchor`` is the time at which ``elapsed`` was 0; None: as the wall has it now.
    """

    def __init__(
        self,
        anchor: int | None = None,
        *,
        wall: Callable[[], int] = wall_ms,
        elapsed: Callable[[], int] = elapsed_ms,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._anchor = wall() - elapsed() if anchor is None else anchor

    def now(self) -> int:
        """Epoch milliseconds."""
        return self._anchor + self._elapsed()

    def monotonic(self) -> float:
        """Seconds from some fixed point; never goes back, not even when ``adopt`` does."""
        return self._elapsed() / 1_000

    def drift_ms(self) -> int:
        """How far the wall clock is ahead of ours; negative when it is behind."""
        return self._wall() - self.now()

    def adopt(self, delta_ms: int) -> None:
        """Move by ``delta_ms``; what waits in the store and in memory is to be moved by as much."""
        self._anchor += delta_ms
