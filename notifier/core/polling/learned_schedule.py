"""Compute the interval between two polls of a task whose api_path has learned durations.

The first poll is made when such tasks start to end (``first_poll.py``). The intervals are even while most
end, and then grow. Even intervals need the fewest polls for a given delay, because each poll may find the
end. Intervals that grow with age spend most polls before any task can have ended, and are longest while most
end. No interval is longer than it would be by age, so that durations that mislead delay no task.
"""

from dataclasses import dataclass

from notifier.core.polling.age_schedule import AgeSchedule, bound_ms, grow_ms
from notifier.core.polling.histogram import DurationHistogram

MIN_SAMPLES = 10
"""Finished tasks of an api_path before its durations are used (CONTRACT, ``polling.learn``)."""

# Both are per unit of ``growth``, so that this setting trades polls for delay here as it does by age.
STEP_SHARE = 0.42
"""An interval as a share of p5 to p90: 0.042 at the default growth.

By the benchmark "learning" 0.40 needs 0.248 of the polls and 0.42 needs 0.241, of 0.25 at most; the delays
are 5.8 and 5.9 %, of 6 % at most.
"""
TAIL_GROWTH = 2.5  # growth of each interval after p90: 1.25 times at the default growth
TTL_PARTS = 4  # a learned wait is at most a quarter of the lifetime of a result
MAX_WAIT_MS = 7_200_000  # below the limit above which the store takes a time for one of a wrong clock


@dataclass(frozen=True, slots=True)
class TaskDurations:
    """The durations of tasks of one api_path: their number, and three quantiles of the recent ones."""

    finished_count: int
    p5_ms: int
    p50_ms: int
    p90_ms: int

    @property
    def is_reliable(self) -> bool:
        """Whether enough tasks have ended to use the quantiles."""
        return self.finished_count >= MIN_SAMPLES


def histogram_to_durations(histogram: DurationHistogram, finished_count: int) -> TaskDurations:
    """Read the quantiles from a histogram."""
    p5_ms, p50_ms, p90_ms = (histogram.quantile_ms(share) for share in (0.05, 0.5, 0.9))
    return TaskDurations(finished_count, p5_ms, p50_ms, p90_ms)


def limit_wait_ms(result_ttl_ms: int) -> int:
    """Return the longest wait that leaves a result most of its lifetime; 0 ms means unknown."""
    return min(result_ttl_ms // TTL_PARTS, MAX_WAIT_MS) if result_ttl_ms else MAX_WAIT_MS


def compute_interval_ms(
    durations: TaskDurations,
    schedule: AgeSchedule,
    *,
    age_ms: int,
    last_interval_ms: int,
    jitter: float,
    result_ttl_ms: int,
) -> int:
    """Return the next interval, with jitter of up to +10 %, within the bounds of ``bound_ms``.

    The wait before the first poll is no interval, so the next may be shorter. A task may be polled before
    such tasks end: as a scout, by hand, or because there were no durations yet. Until then its interval grows
    with age.
    """
    step = round((durations.p90_ms - durations.p5_ms) * schedule.growth * STEP_SHARE)
    if age_ms < durations.p5_ms:
        base = max(step, durations.p5_ms - age_ms)
    elif age_ms <= durations.p90_ms:
        base = step
    else:
        base = max(step, round(last_interval_ms * (1 + TAIL_GROWTH * schedule.growth)))
    base = min(base, grow_ms(schedule, age_ms))
    most = min(schedule.max_interval_ms, limit_wait_ms(result_ttl_ms))
    return bound_ms(schedule, base, max_ms=most, last_interval_ms=last_interval_ms, jitter=jitter)
