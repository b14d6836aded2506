"""The interval between polls: grows with age, never shrinks, stays in bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.polling.age_schedule import AgeSchedule, compute_interval_ms

DEFAULT = AgeSchedule(min_interval_ms=2_500, max_interval_ms=60_000, growth=0.1)
PACES = st.builds(
    lambda low, more, growth: AgeSchedule(low, low + more, growth),
    st.integers(50, 3_600_000),
    st.integers(0, 86_400_000),
    st.floats(0, 1_000),
)
CHANCES = st.floats(0, 1, exclude_max=True)
AGES = st.one_of(st.integers(-(10**9), 10**12), st.integers(-(10**400), 10**400))


def longest(schedule: AgeSchedule) -> int:
    return schedule.max_interval_ms + schedule.max_interval_ms // 10


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [
        (-1, 2_500),
        (0, 2_500),
        (25_000, 2_500),
        (30_000, 3_000),
        (300_000, 30_000),
        (600_000, 60_000),
        (10**300, 60_000),
    ],
)
def test_it_is_growth_times_age_within_min_and_max(age_ms: int, expected: int) -> None:
    assert compute_interval_ms(DEFAULT, age_ms=age_ms, last_interval_ms=0, jitter=0.0) == expected


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 3_000), (0.5, 3_150), (0.999_999, 3_299)])
def test_jitter_adds_up_to_a_tenth_and_takes_nothing(jitter: float, expected: int) -> None:
    assert compute_interval_ms(DEFAULT, age_ms=30_000, last_interval_ms=0, jitter=jitter) == expected


def test_steps_that_stay_even_keep_the_jitter_that_they_have() -> None:
    """New jitter on each, and none shorter than the last, would stretch them all to the most there can be."""
    assert compute_interval_ms(DEFAULT, age_ms=0, last_interval_ms=2_520, jitter=0.999) == 2_520


def test_a_lowered_maximum_wins_over_the_last_interval() -> None:
    lowered = AgeSchedule(min_interval_ms=1_000, max_interval_ms=10_000, growth=0.1)
    assert compute_interval_ms(lowered, age_ms=0, last_interval_ms=60_000, jitter=0.0) == 11_000


@given(PACES, AGES, st.integers(0, 10**12), CHANCES)
def test_it_is_bounded_for_any_age_and_never_shrinks(
    schedule: AgeSchedule, age: int, last: int, jitter: float
) -> None:
    found = compute_interval_ms(schedule, age_ms=age, last_interval_ms=last, jitter=jitter)
    assert schedule.min_interval_ms <= found <= longest(schedule)
    assert found >= min(last, longest(schedule))


@given(PACES, CHANCES)
def test_over_many_polls_no_wait_is_shorter_than_the_one_before(
    schedule: AgeSchedule, first_chance: float
) -> None:
    age = last = 0
    for poll in range(500):
        jitter = (first_chance + poll * 0.618) % 1
        found = compute_interval_ms(schedule, age_ms=age, last_interval_ms=last, jitter=jitter)
        assert last <= found <= longest(schedule)
        age, last = age + found, found


def test_the_rule_holds_for_a_hundred_thousand_polls() -> None:
    age = last = 0
    for poll in range(100_000):
        found = compute_interval_ms(DEFAULT, age_ms=age, last_interval_ms=last, jitter=poll * 0.618 % 1)
        assert max(last, 2_500) <= found <= 66_000
        age, last = age + found, found
