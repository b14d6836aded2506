"""What past ends tell: how late they were noticed, and how many polls a fixed interval would have cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.task_statistics import (
    FIXED_INTERVAL_MS,
    FinishedTask,
    compute_saved_share,
    count_bars,
    count_fixed_polls,
    measure_notice_ms,
)

T = 1_795_435_200_000
SECOND = 1_000
INSTANTS = st.integers(0, 10_000_000)


def past(ended_s: float, finished_s: float | None = None, polls: int = 3) -> FinishedTask:
    finished_at = None if finished_s is None else T + round(finished_s * SECOND)
    return FinishedTask(T, T + round(ended_s * SECOND), finished_at, polls)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (past(12, 10.5), 1_500),
        (past(3, -600), 3_000),  # over before it was registered: only then could anybody look
        (past(10, 11), 0),  # the provider's clock is ahead
        (past(10), None),
    ],
)
def test_the_notice_delay_counts_from_when_it_could_have_been_seen(
    end: FinishedTask, expected: int | None
) -> None:
    assert measure_notice_ms(end) == expected


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (past(12, 10.0), 4),  # at 2.5, 5, 7.5 and 10 s
        (past(12, 10.1), 5),
        (past(12, 0), 1),
        (past(3, -600), 1),
        (past(3600), 1440),  # a deadline: the loop would have asked until then
    ],
)
def test_a_loop_asks_every_interval_until_it_sees_the_end(end: FinishedTask, expected: int) -> None:
    assert count_fixed_polls(end) == expected


@given(INSTANTS, INSTANTS, st.none() | INSTANTS)
def test_a_loop_sees_the_end_at_its_last_poll_and_not_before(
    registered_at: int, ended_at: int, finished_at: int | None
) -> None:
    polls = count_fixed_polls(FinishedTask(registered_at, ended_at, finished_at, 1))
    over_at = ended_at if finished_at is None else finished_at
    assert registered_at + polls * FIXED_INTERVAL_MS >= over_at
    assert polls == 1 or registered_at + (polls - 1) * FIXED_INTERVAL_MS < over_at


def test_what_is_saved_is_counted_over_all_of_them() -> None:
    """Not as a mean of shares: one long task weighs as much as its polls."""
    assert compute_saved_share([past(100, 100, polls=10), past(2, 2, polls=1)]) == pytest.approx(1 - 11 / 41)


def test_more_polls_than_the_loop_are_said_to_be_so() -> None:
    """Somebody pressed `poll now`."""
    assert compute_saved_share([past(2, 2, polls=3)]) == -2


def test_nothing_is_said_of_nothing() -> None:
    assert compute_saved_share([]) is None
    assert count_bars([], (1, 2)) is None


def test_a_spread_counts_up_to_each_edge() -> None:
    found = count_bars([0, 1, 2, 3, 9, 10, 11, 12, 13, 100], (1, 10))
    assert found is not None
    assert (found.count, found.p50, found.p90, found.bars) == (10, 9, 13, (2, 4, 4))


@given(st.lists(st.integers(0, 1_000), min_size=1), st.sets(st.integers(0, 900), min_size=1))
def test_every_value_is_in_one_bar(values: list[int], edges: set[int]) -> None:
    found = count_bars(values, sorted(edges))
    assert found is not None
    assert sum(found.bars) == found.count == len(values)
    assert sum(value <= found.p50 for value in values) * 2 >= len(values)
    assert sum(value <= found.p90 for value in values) * 10 >= len(values) * 9
    assert {found.p50, found.p90} <= set(values)
