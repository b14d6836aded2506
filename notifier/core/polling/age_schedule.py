"""How long to wait between two polls of a task: the older it is, the longer, within bounds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgeSchedule:
    """A provider's polling policy: interval = growth × age of the task, within min and max."""

    min_interval_ms: int
    max_interval_ms: int
    growth: float


def compute_interval_ms(schedule: AgeSchedule, *, age_ms: int, last_interval_ms: int, jitter: float) -> int:
    """Return the next wait by age alone, jitter of up to +10 % included."""
    grown = grow_ms(schedule, age_ms)
    return bound_ms(
        schedule, grown, max_ms=schedule.max_interval_ms, last_interval_ms=last_interval_ms, jitter=jitter
    )


def grow_ms(schedule: AgeSchedule, age_ms: int) -> int:
    """Return growth × age, in integers all the way, so that no age overflows."""
    return age_ms * round(schedule.growth * 1_000_000) // 1_000_000


def bound_ms(
    schedule: AgeSchedule, wait_ms: int, *, max_ms: int, last_interval_ms: int, jitter: float
) -> int:
    """Return a wait within the minimum and ``most_ms`` that is no shorter than the last one.

    Jitter is added where it becomes longer; steps that stay even keep the jitter that they have, else each
    would be a little longer than the one before. It never exceeds ``most_ms`` with its jitter; where both
    cannot be (a lowered maximum), the maximum wins, and over the maximum the minimum.
    """
    max_ms = max(max_ms, schedule.min_interval_ms)
    base = min(max(wait_ms, schedule.min_interval_ms), max_ms)
    if base <= last_interval_ms:
        return min(last_interval_ms, max_ms + max_ms // 10)
    return base + base * int(jitter * 1_000) // 10_000
