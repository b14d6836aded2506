"""The first poll: where such tasks start to end, as far as few or misleading ones may be trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.polling.first_poll import (
    PROMISE_MS,
    SCOUT_EVERY,
    SCOUT_EVERY_UNSURE,
    SHORT_INTERVAL_MS,
    SURE_SAMPLES,
    FirstPoll,
    FirstWait,
    adjust_wait_ms,
    limit_by_samples_ms,
    schedule_first_poll,
)
from notifier.core.polling.learned_schedule import MIN_SAMPLES, TaskDurations

DAY = 86_400_000
FIRST_AFTER = 2_500
P5 = 150_000
VIDEO = TaskDurations(finished_count=50, p5_ms=P5, p50_ms=300_000, p90_ms=500_000)
NOT_YET = TaskDurations(MIN_SAMPLES - 1, P5, 300_000, 500_000)
MOST = {"max_value": 10**9, "min_value": 0}


def durations(count: int) -> TaskDurations:
    return TaskDurations(count, P5, 300_000, 500_000)


def schedule(known: TaskDurations | None, wait: FirstWait, latest: int | None = 10**6) -> FirstPoll:
    return schedule_first_poll(known, wait, registered_at=0, earliest=FIRST_AFTER, latest=latest)


@pytest.mark.parametrize(
    ("known", "wait_ms", "latest", "expected"),
    [
        (VIDEO, P5, 10**6, P5),
        (VIDEO, P5, 100_000, 100_000),
        (VIDEO, P5, 1_000, FIRST_AFTER),
        (VIDEO, P5, None, FIRST_AFTER),
        (None, 0, 10**6, FIRST_AFTER),
        (durations(MIN_SAMPLES), 1_000, 10**6, FIRST_AFTER),
        (NOT_YET, P5, 10**6, FIRST_AFTER),
    ],
)
def test_the_first_poll_is_where_tasks_start_to_end(
    known: TaskDurations | None, wait_ms: int, latest: int | None, expected: int
) -> None:
    """Not before first_after, not after what learning may add, and not learned from fewer than ten."""
    assert schedule(known, FirstWait(wait_ms), latest).at == expected


@given(
    st.builds(TaskDurations, *[st.integers(MIN_SAMPLES, 10**6)] + [st.integers(0, 10**9)] * 3),
    st.builds(FirstWait, st.integers(**MOST), st.integers(0, 10)),
    st.integers(**MOST),
    st.integers(**MOST),
    st.integers(**MOST),
)
def test_the_first_poll_is_never_early_and_never_past_its_bound(
    known: TaskDurations, wait: FirstWait, registered_at: int, first_after: int, more: int
) -> None:
    earliest = registered_at + first_after
    found = schedule_first_poll(
        known, wait, registered_at=registered_at, earliest=earliest, latest=earliest + more
    )
    assert earliest <= found.at <= min(earliest + more, max(earliest, registered_at + wait.wait_ms))
    assert not (found.is_deferred and found.at == earliest)


@pytest.mark.parametrize(("count", "every"), [(MIN_SAMPLES, SCOUT_EVERY_UNSURE), (SURE_SAMPLES, SCOUT_EVERY)])
def test_one_task_in_so_many_does_not_wait(count: int, every: int) -> None:
    """Whatever is believed of a path is tried out all the time; more often while little is known."""
    wait, waited = FirstWait(P5), []
    for _ in range(4 * every):
        found = schedule(durations(count), wait)
        wait = FirstWait(P5, found.waiting_count)
        waited.append(found.is_deferred)
        assert found.is_deferred == (found.at > FIRST_AFTER)
    assert waited == ([True] * (every - 1) + [False]) * 4


@pytest.mark.parametrize("wait_ms", [0, FIRST_AFTER, 2 * SHORT_INTERVAL_MS + PROMISE_MS])
def test_a_wait_that_makes_nobody_late_needs_no_scouts(wait_ms: int) -> None:
    """A task that ends at once is told within the shortest interval and five seconds all the same."""
    for waiting in range(SCOUT_EVERY + 1):
        assert schedule(VIDEO, FirstWait(wait_ms, waiting)) == FirstPoll(
            max(FIRST_AFTER, wait_ms), is_deferred=False, waiting_count=waiting
        )


def test_few_tasks_are_trusted_less_from_nineteen_on_wholly() -> None:
    """In ratios: ten tasks of forty minutes move the first poll to under two minutes."""
    wait_ms = 2_250_000
    waits = [limit_by_samples_ms(wait_ms, FIRST_AFTER, count) for count in range(MIN_SAMPLES, 25)]
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(FIRST_AFTER * 900**0.55, abs=1)
    assert waits[0] < 120_000
    assert [wait == wait_ms for wait in waits] == [count >= SURE_SAMPLES for count in range(MIN_SAMPLES, 25)]


@given(st.integers(**MOST), st.integers(**MOST), st.integers(MIN_SAMPLES, 30))
def test_a_limit_lengthens_no_wait(wait_ms: int, first_after_ms: int, count: int) -> None:
    found = limit_by_samples_ms(wait_ms, first_after_ms, count)
    assert min(first_after_ms, wait_ms) <= found <= wait_ms


def test_a_task_that_would_be_told_late_shortens_the_wait_at_once() -> None:
    """By one: ten percent of its duration and five seconds are what is allowed anyway."""
    allowed = (P5 - PROMISE_MS) * 10 // 11
    assert adjust_wait_ms(P5, VIDEO, 10_000) == 10_000
    assert adjust_wait_ms(P5, VIDEO, allowed - 2) == allowed - 2
    assert adjust_wait_ms(P5, VIDEO, allowed + 2) == P5


def test_the_wait_grows_back_with_each_task_that_is_not_early() -> None:
    """After a single one of ten seconds it takes about sixty others; it ends at the 5 % quantile."""
    wait_ms, count = adjust_wait_ms(P5, VIDEO, 10_000), 0
    while wait_ms < P5:
        wait_ms, count = adjust_wait_ms(wait_ms, VIDEO, 300_000), count + 1
    assert wait_ms == P5
    assert count == pytest.approx(56, abs=2)


def test_a_wait_of_nothing_grows_back_too() -> None:
    """A clock that was wrong, or a task that failed at once, leaves no mark for ever."""
    assert adjust_wait_ms(0, VIDEO, 300_000) > SHORT_INTERVAL_MS


@pytest.mark.parametrize("count", [1, MIN_SAMPLES])
def test_until_it_is_used_the_wait_is_the_quantile(count: int) -> None:
    assert adjust_wait_ms(0, durations(count), 300_000) == P5


@given(st.integers(**MOST), st.integers(MIN_SAMPLES, 10**6), st.integers(**MOST), st.integers(0, DAY))
def test_a_wait_is_never_longer_than_the_quantile_or_what_it_was(
    wait_ms: int, count: int, p5_ms: int, duration_ms: int
) -> None:
    known = TaskDurations(count, p5_ms, p5_ms, p5_ms)
    found = adjust_wait_ms(min(wait_ms, p5_ms), known, duration_ms)
    assert 0 <= found <= p5_ms
