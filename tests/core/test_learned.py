"""Polling by what was learned: not before tasks end, evenly while they do, rarer after; never shrinking."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.polling import age_schedule
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.histogram import DurationHistogram, add_duration
from notifier.core.polling.learned_schedule import (
    MIN_SAMPLES,
    TaskDurations,
    compute_interval_ms,
    histogram_to_durations,
    limit_wait_ms,
)

DAY = 86_400_000
SCHEDULE = AgeSchedule(min_interval_ms=2_500, max_interval_ms=60_000, growth=0.1)
VIDEO = TaskDurations(finished_count=50, p5_ms=150_000, p50_ms=300_000, p90_ms=500_000)
STEP = 14_700  # of a video: 0.042 of the time from 150 s to 500 s

HABITS = st.builds(
    lambda finishes, p5, more, most: TaskDurations(finishes, p5, p5 + more, p5 + more + most),
    st.integers(MIN_SAMPLES, 10**6),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
PACES = st.builds(
    lambda low, more, growth: AgeSchedule(low, low + more, growth),
    st.integers(50, DAY),
    st.integers(0, 7 * DAY),
    st.floats(0, 10),
)
CHANCES = st.floats(0, 1, exclude_max=True)
AGES = st.one_of(st.integers(-(10**9), 10**12), st.integers(-(10**400), 10**400))
LIVES = st.integers(0, 365 * DAY)


def most_of(schedule: AgeSchedule, ttl: int) -> int:
    """The longest wait, its jitter included."""
    most = max(schedule.min_interval_ms, min(schedule.max_interval_ms, limit_wait_ms(ttl)))
    return most + most // 10


def wait(
    age: int,
    last: int = 0,
    durations: TaskDurations = VIDEO,
    schedule: AgeSchedule = SCHEDULE,
    ttl: int = DAY,
) -> int:
    return compute_interval_ms(
        durations, schedule, age_ms=age, last_interval_ms=last, jitter=0.0, result_ttl_ms=ttl
    )


@given(HABITS, PACES, AGES, st.integers(0, 10**12), CHANCES, LIVES)
def test_an_interval_is_bounded_and_never_shorter_than_the_last(
    durations: TaskDurations, schedule: AgeSchedule, age: int, last: int, jitter: float, ttl: int
) -> None:
    found = compute_interval_ms(
        durations, schedule, age_ms=age, last_interval_ms=last, jitter=jitter, result_ttl_ms=ttl
    )
    assert schedule.min_interval_ms <= found <= most_of(schedule, ttl)
    assert found >= min(last, most_of(schedule, ttl))


@given(HABITS, HABITS, PACES, st.integers(0, 10**9), st.integers(0, 100), st.integers(0, 100), CHANCES)
def test_over_a_life_of_polls_no_interval_shrinks_whatever_is_learned_meanwhile(
    one: TaskDurations,
    other: TaskDurations,
    schedule: AgeSchedule,
    age: int,
    learned_at: int,
    changed_at: int,
    jitter: float,
) -> None:
    """From by age to learned to learned anew, wherever in its life the task is then."""
    last = 0
    for poll in range(100):
        jitter = (jitter + poll * 0.618) % 1
        if poll < learned_at:
            found = age_schedule.compute_interval_ms(
                schedule, age_ms=age, last_interval_ms=last, jitter=jitter
            )
        else:
            durations = one if poll < changed_at else other
            found = compute_interval_ms(
                durations, schedule, age_ms=age, last_interval_ms=last, jitter=jitter, result_ttl_ms=365 * DAY
            )
        assert found >= min(last, most_of(schedule, 365 * DAY))
        age, last = age + found, found


@given(HABITS, PACES, AGES, CHANCES, LIVES)
def test_no_interval_is_longer_than_by_age(
    durations: TaskDurations, schedule: AgeSchedule, age: int, jitter: float, ttl: int
) -> None:
    """Durations that mislead can only delay the first poll (tests/core/test_first_poll.py)."""
    found = compute_interval_ms(
        durations, schedule, age_ms=age, last_interval_ms=0, jitter=jitter, result_ttl_ms=ttl
    )
    by_age = age_schedule.compute_interval_ms(schedule, age_ms=age, last_interval_ms=0, jitter=jitter)
    assert found <= by_age


def test_tasks_of_two_kinds_are_polled_by_age_between_these() -> None:
    """Some end at ten seconds, some at forty minutes: an even step between would be a minute."""
    both = TaskDurations(100, 10_000, 20_000, 2_400_000)
    assert [wait(age, durations=both) for age in (10_000, 100_000, 700_000)] == [2_500, 10_000, 60_000]


def test_while_tasks_end_the_steps_are_even() -> None:
    """Even with chance: the jitter of the first step stays, and adds nothing more."""
    age, steps = 150_000, [0]
    while age <= 500_000:
        jitter = len(steps) * 0.618 % 1
        steps.append(
            compute_interval_ms(
                VIDEO, SCHEDULE, age_ms=age, last_interval_ms=steps[-1], jitter=jitter, result_ttl_ms=DAY
            )
        )
        age += steps[-1]
    assert STEP <= steps[1] <= STEP * 1.1
    assert set(steps[1:]) == {steps[1]}


def test_when_most_have_ended_each_step_is_a_quarter_longer_up_to_the_maximum() -> None:
    steps = [STEP]
    while steps[-1] < 60_000:
        steps.append(wait(600_001, steps[-1]))
    ratios = [round(after / before, 2) for before, after in pairwise(steps[:-1])]
    assert set(ratios) == {1.25}
    assert steps[-1] == 60_000


def test_a_task_first_polled_after_most_have_ended_begins_with_a_step() -> None:
    assert wait(600_000) == STEP


@pytest.mark.parametrize(
    ("age", "last", "expected"),
    [
        (2_500, 0, 2_500),  # by age, as nobody knew its kind before
        (100_000, 9_000, 10_000),
        (148_000, 0, STEP),  # a clock that is off by seconds does not make it wait for longer than a step
        (149_999, 14_900, 14_900),
    ],
)
def test_a_task_polled_before_its_time_goes_on_by_age(age: int, last: int, expected: int) -> None:
    assert wait(age, last) == expected


def test_growth_trades_polls_for_delay_here_too() -> None:
    """0 asks for the minimum throughout, as by age."""
    flat = AgeSchedule(2_500, 60_000, growth=0)
    assert [wait(age, last, schedule=flat) for age, last in ((200_000, 0), (600_000, 2_500))] == [
        2_500,
        2_500,
    ]
    assert wait(200_000, schedule=AgeSchedule(2_500, 60_000, growth=0.2)) == 2 * STEP


@pytest.mark.parametrize(("ttl", "expected"), [(DAY, 60_000), (0, 60_000), (40_000, 10_000), (4, 2_500)])
def test_no_wait_eats_up_the_life_of_a_result(ttl: int, expected: int) -> None:
    """A quarter of it at most; but the minimum stays the minimum."""
    assert wait(10**9, 50_000, ttl=ttl) == pytest.approx(expected, rel=0.1)
    assert wait(10**9, 50_000, ttl=ttl) <= expected * 1.1


@given(st.integers(0, 365 * DAY))
def test_the_longest_wait_leaves_a_result_most_of_its_life(ttl: int) -> None:
    assert 0 <= limit_wait_ms(ttl) <= min((ttl or DAY) / 4, 2 * 3_600_000)


@given(st.lists(st.integers(0, DAY), min_size=1, max_size=200))
def test_a_habit_has_its_quantiles_in_order(durations: list[int]) -> None:
    sketch = DurationHistogram()
    for duration in durations:
        sketch = add_duration(sketch, duration)
    learned = histogram_to_durations(sketch, len(durations))
    assert 0 <= learned.p5_ms <= learned.p50_ms <= learned.p90_ms
    assert learned.is_reliable == (len(durations) >= MIN_SAMPLES)
