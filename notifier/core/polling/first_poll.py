"""Compute when to poll a task for the first time, from the durations of earlier tasks of its api_path.

The past may mislead: the provider becomes faster, or the path has tasks of another kind. A task that ends
before its first poll is told late, so the wait is limited in four ways. It is shorter while few tasks have
ended. Some tasks, the scouts, do not wait. A task that ends before the wait shortens it at once for those
that follow. And the store brings forward the first polls that were scheduled by the longer wait.
"""

from dataclasses import dataclass

from notifier.core.polling.learned_schedule import MIN_SAMPLES, TaskDurations

PROMISE_MS = 5_000  # CONTRACT P5: a task is told within its interval plus 5 s
SHORT_INTERVAL_MS = 2_500  # the default of ``polling.min_interval``: the interval of a task that ends at once

QUANTILE = 0.05  # of ``TaskDurations.p5_ms``
SURE_SAMPLES = 19
"""From 19 tasks on, the next one ends before all of them with a chance of at most 1 in 20, as p5 says."""

# A scout in eight tasks costs the fleet of the benchmark "learning" 8 % more polls, which leaves it below its
# goal of 0.25. After a change at most seven tasks wait until the scout that shows it is registered.
SCOUT_EVERY = 8
SCOUT_EVERY_UNSURE = 4  # before ``SURE_SAMPLES``: three at most

# After a task that ended early the wait grows back by a twentieth with each task that does not. So a kind of
# task rarer than the quantile still keeps the wait short.
REGROWTH_PARTS = 20
REGROWTH_FROM_MS = SHORT_INTERVAL_MS  # a shorter wait adds nothing to the default of ``polling.first_after``


@dataclass(frozen=True, slots=True)
class FirstWait:
    """How long first polls of one api_path wait, and how many tasks waited since the last scout."""

    wait_ms: int
    waiting_count: int = 0


@dataclass(frozen=True, slots=True)
class FirstPoll:
    """When to poll a task first.

    ``is_deferred``: it waits so long that the task may be told late. ``waiting_count`` replaces that of the
    api_path.
    """

    at: int
    is_deferred: bool
    waiting_count: int


def schedule_first_poll(
    durations: TaskDurations | None,
    wait: FirstWait,
    *,
    registered_at: int,
    earliest: int,
    latest: int | None,
) -> FirstPoll:
    """Return when to poll first: when such tasks start to end, or at ``earliest`` if the task is a scout.

    ``latest`` limits the delay that learning may add; None: it may add none.
    """
    if durations is None or not durations.is_reliable or latest is None:
        return FirstPoll(earliest, is_deferred=False, waiting_count=wait.waiting_count)
    first_after_ms = earliest - registered_at
    wait_ms = limit_by_samples_ms(wait.wait_ms, first_after_ms, durations.finished_count)
    at = max(earliest, min(registered_at + wait_ms, latest))
    if at - earliest <= min(first_after_ms, SHORT_INTERVAL_MS) + PROMISE_MS:
        return FirstPoll(at, is_deferred=False, waiting_count=wait.waiting_count)
    is_sure = durations.finished_count >= SURE_SAMPLES
    if wait.waiting_count + 1 >= (SCOUT_EVERY if is_sure else SCOUT_EVERY_UNSURE):
        return FirstPoll(earliest, is_deferred=False, waiting_count=0)
    return FirstPoll(at, is_deferred=True, waiting_count=wait.waiting_count + 1)


def limit_by_samples_ms(wait_ms: int, first_after_ms: int, finished_count: int) -> int:
    """Return how much of the wait so few tasks justify: all of it from ``SURE_SAMPLES`` on.

    Fewer have no 5 % quantile: what is taken for it is their minimum, which the next task undercuts with a
    chance of 1 / (n + 1). So the first poll is that much nearer to ``first_after_ms``, in ratios.
    """
    if finished_count >= SURE_SAMPLES or wait_ms <= first_after_ms:
        return wait_ms
    start_ms = max(1, first_after_ms)
    ratio: float = (wait_ms / start_ms) ** (QUANTILE * (finished_count + 1))
    return min(wait_ms, round(start_ms * ratio))


def adjust_wait_ms(wait_ms: int, durations: TaskDurations, duration_ms: int) -> int:
    """Return the wait after one more task, which ``durations`` have counted already.

    A task that would be told later than by age and 5 s, if it waited so long, sets the wait to its duration.
    """
    if durations.finished_count <= MIN_SAMPLES:
        return durations.p5_ms
    if duration_ms + duration_ms // 10 + PROMISE_MS < wait_ms:
        return duration_ms
    regrown_ms = max(wait_ms, REGROWTH_FROM_MS)
    return min(durations.p5_ms, regrown_ms + regrown_ms // REGROWTH_PARTS)
