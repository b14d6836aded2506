"""How long to wait between two polls of a task: the older it is, the longer, within bounds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgeSchedule:
    """A provider's polling policy: interval = growth × age of the task, within min and max."""

    min_interval_ms: int
    max_interval_ms: int
    growth: float


def interval_ms(pace: AgeSchedule, *, age_ms: int, last_interval_ms: int, chance: float) -> int:
    """Return the next wait by age alone, jitter of up to +10 % included."""
    grown = grown_ms(pace, age_ms)
    return bounded_ms(
        pace, grown, most_ms=pace.max_interval_ms, last_interval_ms=last_interval_ms, chance=chance
    )


def grown_ms(pace: AgeSchedule, age_ms: int) -> int:
    """Return growth × age, in integers all the way, so that no age overflows."""
    return age_ms * round(pace.growth * 1_000_000) // 1_000_000


def bounded_ms(pace: AgeSchedule, wait_ms: int, *, most_ms: int, last_interval_ms: int, chance: float) -> int:
    """Return a wait within the minimum and ``most_ms`` that is no shorter than the last one.

    Jitter is added where it becomes longer; steps that stay even keep the jitter that they have, else each
    would be a little longer than the one before. It never exceeds ``most_ms`` with its jitter; where both
    cannot be (a lowered maximum), the maximum wins, and over the maximum the minimum.
    """
    most_ms = max(most_ms, pace.min_interval_ms)
    base = min(max(wait_ms, pace.min_interval_ms), most_ms)
    if base <= last_interval_ms:
        return min(last_interval_ms, most_ms + most_ms // 10)
    return base + base * int(chance * 1_000) // 10_000
