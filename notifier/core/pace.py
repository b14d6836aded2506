"""How long to wait between two polls of a task: the older it is, the longer, within bounds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """A provider's polling policy: interval = growth × age of the task, within min and max."""

    min_interval_ms: int
    max_interval_ms: int
    growth: float


def interval_ms(pace: Pace, *, age_ms: int, last_interval_ms: int, chance: float) -> int:
    """Return the next wait, jitter of up to +10 % included.

    It never shrinks against ``last_interval_ms`` and never exceeds the maximum with its jitter; where both
    cannot be (a lowered maximum), the maximum wins. Integers all the way, so that no age overflows.
    """
    grown = age_ms * round(pace.growth * 1_000_000) // 1_000_000
    base = min(max(grown, pace.min_interval_ms), pace.max_interval_ms)
    jittered = base + base * int(chance * 1_000) // 10_000
    longest = pace.max_interval_ms + pace.max_interval_ms // 10
    return max(jittered, min(last_interval_ms, longest))
