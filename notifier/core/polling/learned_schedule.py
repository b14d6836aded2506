"""When to poll a task whose kind is known: not before such tasks end, evenly while they do, then ever rarer.

Even steps over the time in which tasks end cost the fewest polls for a delay, as every poll may be the one
that finds the end; steps that grow with age spend most polls before any task can have ended, and are widest
where most do.
"""

from dataclasses import dataclass

from notifier.core.polling.age_schedule import AgeSchedule, bound_ms, grow_ms
from notifier.core.polling.histogram import DurationHistogram

MIN_SAMPLES = 10
"""Finishes of an api_path before its past is believed (CONTRACT, ``polling.learn``)."""

# Per unit of ``growth``, so that this one setting trades polls for delay here as it does by age.
STEP_SHARE = 0.35  # a step as a share of the time in which most end: 0.035 at the default growth
TAIL_GROWTH = 2.5  # how much longer each wait is than the one before, once most have ended: 1.25 times
TTL_PARTS = 4  # so many of the longest learned wait fit into the life of a result
MAX_WAIT_MS = 7_200_000  # nor longer than this: what the store takes for the date of a wrong clock is later


@dataclass(frozen=True, slots=True)
class TaskDurations:
    """How long the tasks of one api_path take: how many were seen, and three quantiles of the late ones."""

    finished_count: int
    p5_ms: int
    p50_ms: int
    p90_ms: int

    @property
    def is_reliable(self) -> bool:
        """Whether enough tasks were seen to go by it."""
        return self.finished_count >= MIN_SAMPLES


def histogram_to_durations(histogram: DurationHistogram, finished_count: int) -> TaskDurations:
    """Read the quantiles off."""
    p5_ms, p50_ms, p90_ms = (histogram.quantile_ms(share) for share in (0.05, 0.5, 0.9))
    return TaskDurations(finished_count, p5_ms, p50_ms, p90_ms)


def limit_wait_ms(result_ttl_ms: int) -> int:
    """Return the longest wait that leaves a result most of its life; a life of 0 ms is unknown."""
    return min(result_ttl_ms // TTL_PARTS, MAX_WAIT_MS) if result_ttl_ms else MAX_WAIT_MS


def schedule_first_poll(
    durations: TaskDurations | None, *, registered_at: int, earliest: int, latest: int | None
) -> int:
    """Return when to poll first: where such tasks start to end, never before ``earliest``.

    ``latest`` bounds what learning may add; None: it may add nothing.
    """
    if durations is None or not durations.is_reliable or latest is None:
        return earliest
    return max(earliest, min(registered_at + durations.p5_ms, latest))


def compute_interval_ms(
    durations: TaskDurations,
    schedule: AgeSchedule,
    *,
    age_ms: int,
    last_interval_ms: int,
    jitter: float,
    result_ttl_ms: int,
) -> int:
    """Return the next wait, jitter of up to +10 % included; bounds as for ``pace.interval_ms``.

    The wait before the first poll is no interval: the next may be shorter. A task that was polled before
    such tasks end (by hand, or because its kind was not known yet) goes on by age until then.
    """
    step = round((durations.p90_ms - durations.p5_ms) * schedule.growth * STEP_SHARE)
    if age_ms < durations.p5_ms:
        base = min(grow_ms(schedule, age_ms), max(step, durations.p5_ms - age_ms))
    elif age_ms <= durations.p90_ms:
        base = step
    else:
        base = max(step, round(last_interval_ms * (1 + TAIL_GROWTH * schedule.growth)))
    most = min(schedule.max_interval_ms, limit_wait_ms(result_ttl_ms))
    return bound_ms(schedule, base, max_ms=most, last_interval_ms=last_interval_ms, jitter=jitter)
