"""How old a task is and how long it took: by providers that may be wrong and polls that may be late."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.model import Callback, Trouble, Watch, WatchState
from notifier.core.polling.task_age import find_start, measure_duration_ms
from tests.builders import SERVER_ERROR

SECOND = 1_000
HOUR = 3_600_000
DAY = 24 * HOUR
T = 1_795_435_200_000
UNPOLLED = Watch(
    id="wch_1",
    provider="mulerouter",
    api_path="/vendors/x/generation",
    task_id="t",
    state=WatchState.WATCHING,
    callbacks=(Callback("http://127.0.0.1:9001/hook"),),
    metadata="{}",
    registered_at=T,
    expires_at=T + HOUR,
    due_at=T + 8 * SECOND,
)
POLLED = replace(
    UNPOLLED, polls=3, last_polled_at=T + 20 * SECOND, interval_ms=4 * SECOND, due_at=T + 24 * SECOND
)
TROUBLED = replace(POLLED, trouble=Trouble(SERVER_ERROR, T))
RESUMED = replace(POLLED, round=1, interval_ms=0)


@pytest.mark.parametrize("created_at", [None, T - DAY - 1, T + HOUR + 1, 0])
def test_an_implausible_creation_counts_as_none(created_at: int | None) -> None:
    assert find_start(UNPOLLED, created_at, T + HOUR) == T


def test_the_providers_own_stamps_say_it_exactly() -> None:
    assert measure_duration_ms(POLLED, T - 3 * SECOND, T + 22 * SECOND, T + 24 * SECOND) == 25 * SECOND


@pytest.mark.parametrize("skew", [-60 * SECOND, -30 * SECOND])
def test_a_provider_whose_clock_is_behind_is_believed_all_the_same(skew: int) -> None:
    found = measure_duration_ms(POLLED, T - 3 * SECOND + skew, T + 22 * SECOND + skew, T + 24 * SECOND)
    assert found == 25 * SECOND


@pytest.mark.parametrize("told_s", [-5, 0, 10, 18])
def test_stamps_that_say_less_than_we_saw_are_not_taken(told_s: int) -> None:
    """Such as those of a provider that writes the creation into both; it ran when we asked at 20 s."""
    assert measure_duration_ms(POLLED, T, T + told_s * SECOND, T + 24 * SECOND) == 22 * SECOND


def test_an_end_in_the_future_is_now() -> None:
    assert measure_duration_ms(POLLED, T, T + HOUR, T + 24 * SECOND) == 24 * SECOND


@pytest.mark.parametrize(("created_at", "finished_at"), [(None, T + 22 * SECOND), (T, None), (None, None)])
def test_without_both_stamps_the_end_is_in_the_middle_of_the_last_wait(
    created_at: int | None, finished_at: int | None
) -> None:
    assert measure_duration_ms(POLLED, created_at, finished_at, T + 24 * SECOND) == 22 * SECOND


def test_what_the_first_poll_finds_ended_took_half_the_time_until_then() -> None:
    """So that a kind which became faster is polled earlier and earlier."""
    assert measure_duration_ms(UNPOLLED, None, None, T + 8 * SECOND) == 4 * SECOND


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(TROUBLED, id="the poll before said nothing of the task"),
        pytest.param(replace(POLLED, interval_ms=1), id="the poll came late"),
        pytest.param(replace(UNPOLLED, due_at=T), id="the first poll came late"),
        pytest.param(RESUMED, id="nobody asked for a while"),
    ],
)
def test_where_nobody_looked_nothing_is_learned_without_stamps(watch: Watch) -> None:
    now = T + HOUR
    assert measure_duration_ms(watch, None, None, now) is None
    assert measure_duration_ms(watch, T, T + 30 * SECOND, now) == 30 * SECOND


@given(
    st.sampled_from([UNPOLLED, POLLED, TROUBLED, RESUMED]),
    st.none() | st.integers(0, T + 2 * DAY),
    st.none() | st.integers(0, T + 2 * DAY),
    st.integers(0, 2 * DAY),
)
def test_whatever_a_provider_says_no_task_took_longer_than_it_can_have(
    watch: Watch, created_at: int | None, finished_at: int | None, after_ms: int
) -> None:
    now = T + after_ms
    found = measure_duration_ms(watch, created_at, finished_at, now)
    assert found is None or 0 <= found <= now - min(T, find_start(watch, created_at, now))
