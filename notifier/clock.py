"""Keep the daemon's time: the time at start, continued by CLOCK_BOOTTIME.

A stepped wall clock (NTP after a boot at 1970, the command ``date``) must neither make everything due at once
nor stop it for hours. Therefore the daemon's time never jumps. ``drift_ms`` measures the distance to the wall
clock. ``adopt`` follows the wall clock while ``engine/clock_watch.py`` shifts all waiting rows by the same
amount. BOOTTIME includes suspended time, so an hour of sleep counts as an hour.

The first start in a boot of the machine takes the time of the wall clock. A later start in the same boot
continues the stored time (``store/sqlite/maintenance.py``). A wall clock that was set between the two is
followed like a step.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import UUID

BOOT_ID_VARIABLE = "BOOT_ID"
_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
_FLOWING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # without BOOTTIME suspended time is lost


def wall_ms() -> int:
    """Return the wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def elapsed_ms() -> int:
    """Return milliseconds since a fixed point; they never decrease."""
    return time.clock_gettime_ns(_FLOWING) // 1_000_000


def boot_id(environ: Mapping[str, str] = os.environ) -> int | None:
    """Return a number that identifies this boot of the machine, None where the system has none.

    ``ProcSubset=pid`` of the unit hides the file of the kernel, so the unit passes its content.
    """
    try:
        text = _BOOT_ID_FILE.read_text()
    except OSError:
        text = environ.get(BOOT_ID_VARIABLE, "")
    try:
        return UUID(text.strip()).int >> 65  # 63 bits
    except ValueError:
        return None


class SystemClock:
    """``ports.Clock`` on this machine.

    ``anchor`` is the time at which ``elapsed`` was 0. None computes it from the wall clock.
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
        """Return epoch milliseconds."""
        return self._anchor + self._elapsed()

    def monotonic(self) -> float:
        """Return seconds since a fixed point; they never decrease, also when ``adopt`` goes back."""
        return self._elapsed() / 1_000

    def drift_ms(self) -> int:
        """Return how far the wall clock is ahead of this clock; negative if it is behind."""
        return self._wall() - self.now()

    def adopt(self, delta_ms: int) -> None:
        """Move by ``delta_ms``. The caller shifts what waits in the store and in memory as well."""
        self._anchor += delta_ms
