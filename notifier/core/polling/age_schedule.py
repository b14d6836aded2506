"""Compute the interval between two polls of a task: it grows with age, within bounds."""

from dataclasses import dataclass

MAX_BACKOFF_MS = 60_000  # CONTRACT P7: work resumes within 60 s after a fault
MAX_DOUBLINGS = 16  # of the least interval, 50 ms, these are an hour: no number of failures overflows


@dataclass(frozen=True, slots=True)
class AgeSchedule:
    """The polling settings of a provider: interval = growth × age of the task, within min and max."""

    min_interval_ms: int
    max_interval_ms: int
    growth: float


def compute_interval_ms(schedule: AgeSchedule, *, age_ms: int, last_interval_ms: int, jitter: float) -> int:
    """Return the next interval by age alone, with jitter of up to +10 %."""
    grown = grow_ms(schedule, age_ms)
    return bound_ms(
        schedule, grown, max_ms=schedule.max_interval_ms, last_interval_ms=last_interval_ms, jitter=jitter
    )


def grow_ms(schedule: AgeSchedule, age_ms: int) -> int:
    """Return growth × age, computed with integers, so that no age overflows."""
    return age_ms * round(schedule.growth * 1_000_000) // 1_000_000


def bound_ms(
    schedule: AgeSchedule, wait_ms: int, *, max_ms: int, last_interval_ms: int, jitter: float
) -> int:
    """Return an interval within the minimum and ``max_ms`` that is no shorter than the last one.

    Jitter is added only if the interval grows. Otherwise each of a row of even intervals would be a little
    longer than the one before. With its jitter the interval never exceeds 1.1 × ``max_ms``. The maximum takes
    precedence over the last interval (a lowered maximum), and the minimum over the maximum.
    """
    max_ms = max(max_ms, schedule.min_interval_ms)
    base = min(max(wait_ms, schedule.min_interval_ms), max_ms)
    if base <= last_interval_ms:
        return min(last_interval_ms, max_ms + max_ms // 10)
    return base + base * int(jitter * 1_000) // 10_000


def compute_backoff_ms(schedule: AgeSchedule, interval_ms: int, failures: int) -> int:
    """Return the wait of a watch whose last polls failed: its interval, doubled with each failure.

    It is at most the longest interval of the schedule and ``MAX_BACKOFF_MS``, and never below the interval.
    """
    longest_ms = max(interval_ms, min(schedule.max_interval_ms, MAX_BACKOFF_MS))
    return min(interval_ms << min(failures, MAX_DOUBLINGS), longest_ms)
