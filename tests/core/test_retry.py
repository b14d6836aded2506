"""The schedule of a delivery that is not taken."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.delivery.backoff import decide_attempt, schedule_retry
from notifier.core.delivery.decision import Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import MAX_PRIVATE_PROBE_MS, AttemptAccepted, AttemptFailed, FailureScope
from notifier.core.model import ClaimedDelivery
from tests.builders import answered

HOUR = 3_600_000
FAR = 10**15
CHANCES = st.floats(0, 1, exclude_max=True)


def a_dispatch(number: int = 1, give_up_at: int = FAR) -> ClaimedDelivery:
    return ClaimedDelivery(
        delivery_id="dlv_1",
        event_id="evt_1",
        watch_id="wch_1",
        url="http://127.0.0.1:9001/hook",
        headers=(),
        body=b"{}",
        number=number,
        created_at=0,
        give_up_at=give_up_at,
        result_expires_at=None,
        is_maybe_duplicate=False,
    )


def wait(number: int, retry_after_ms: int | None = None, jitter: float = 0.5) -> int:
    due_at = schedule_retry(number, now=0, give_up_at=FAR, retry_after_ms=retry_after_ms, jitter=jitter)
    assert due_at is not None
    return due_at


def test_it_is_dense_at_first_and_hourly_at_last() -> None:
    seconds = [1, 4, 10, 45, 120, 300, 600, 1_200, 1_800, 1_800, 3_600, 3_600, 3_600]
    assert [wait(number) for number in range(1, 14)] == [each * 1_000 for each in seconds]
    assert wait(10**9) == HOUR


@given(st.integers(1, 100_000), CHANCES)
def test_jitter_stays_within_a_fifth(number: int, jitter: float) -> None:
    assert 0.8 * wait(number) <= wait(number, jitter=jitter) <= 1.2 * wait(number)


def test_jitter_reaches_both_sides() -> None:
    assert (wait(1, jitter=0.0), wait(1, jitter=0.999_999)) == (800, 1_200)


@pytest.mark.parametrize(
    ("retry_after_ms", "expected"), [(None, 1_000), (500, 1_000), (30_000, 30_000), (24 * HOUR, 24 * HOUR)]
)
def test_retry_after_only_ever_puts_off(retry_after_ms: int | None, expected: int) -> None:
    assert wait(1, retry_after_ms) == expected


@given(st.integers(1, 10_000), st.integers(0, 10**12), st.integers(-1_000, 10**9), CHANCES)
def test_it_is_due_after_now_and_not_after_the_end(number: int, now: int, left: int, jitter: float) -> None:
    due_at = schedule_retry(number, now=now, give_up_at=now + left, retry_after_ms=None, jitter=jitter)
    if left <= 0:
        assert due_at is None
    else:
        assert due_at is not None
        assert now < due_at <= now + left


@pytest.mark.parametrize("retry_after_ms", [None, 24 * HOUR])
def test_the_last_attempt_is_made_when_time_is_up(retry_after_ms: int | None) -> None:
    """However long was to be waited, and once only."""
    at = {"give_up_at": 5_000, "retry_after_ms": retry_after_ms, "jitter": 0.5}
    assert schedule_retry(9, now=1_000, **at) == 5_000  # type: ignore[arg-type]
    assert schedule_retry(10, now=5_000, **at) is None  # type: ignore[arg-type]


def test_over_72_hours_a_delivery_is_tried_about_eighty_times() -> None:
    now, instants = 0, [0]
    while True:
        due_at = schedule_retry(len(instants), now=now, give_up_at=72 * HOUR, retry_after_ms=None, jitter=0.5)
        if due_at is None:
            break
        now = due_at
        instants.append(now)
    assert instants[-1] == 72 * HOUR
    assert all(earlier < later for earlier, later in pairwise(instants))
    assert 75 <= len(instants) <= 90


def report(scope: FailureScope, retry_after_ms: int | None = None) -> AttemptFailed:
    return AttemptFailed(scope, answered(503), retry_after_ms, MAX_PRIVATE_PROBE_MS)


def test_what_was_taken_is_delivered() -> None:
    """Also after the time is up: a success is a success."""
    assert decide_attempt(a_dispatch(), AttemptAccepted(), now=0, jitter=0.5) == Delivered()
    assert decide_attempt(a_dispatch(give_up_at=10), AttemptAccepted(), now=11, jitter=0.5) == Delivered()


@pytest.mark.parametrize(("refusals", "wait_ms"), [(0, 1_000), (1, 4_000), (5, 300_000)])
def test_a_refused_event_follows_its_own_schedule(refusals: int, wait_ms: int) -> None:
    """While others are accepted: by the number of its own refusals, not by all attempts."""
    dispatch = replace(a_dispatch(number=40), refusals=refusals, has_accepted_others=True)
    found = decide_attempt(dispatch, report(FailureScope.EVENT), now=10, jitter=0.5)
    assert found == Retry(10 + wait_ms, is_refusal=True)
    later = decide_attempt(dispatch, report(FailureScope.EVENT, 7_200_000), now=10, jitter=0.5)
    assert later == Retry(7_200_010, is_refusal=True)


@pytest.mark.parametrize(("refusals", "wait_ms"), [(0, 1_000), (3, 45_000), (4, 60_000), (99, 60_000)])
def test_a_refusal_while_nothing_is_accepted_is_repeated_as_often_as_a_probe(
    refusals: int, wait_ms: int
) -> None:
    """P7: it may be the endpoint's fault. A Retry-After is honoured all the same."""
    dispatch = replace(a_dispatch(number=40), refusals=refusals)
    found = decide_attempt(dispatch, report(FailureScope.EVENT), now=10, jitter=0.5)
    assert found == Retry(10 + wait_ms, is_refusal=True)
    latest = decide_attempt(dispatch, report(FailureScope.EVENT), now=10, jitter=1.0)
    assert isinstance(latest, Retry)
    assert latest.due_at <= 10 + MAX_PRIVATE_PROBE_MS
    later = decide_attempt(dispatch, report(FailureScope.EVENT, 7_200_000), now=10, jitter=0.5)
    assert later == Retry(7_200_010, is_refusal=True)


@pytest.mark.parametrize("number", [1, 2, 50, 10_000])
def test_an_outage_burns_nothing(number: int) -> None:
    """However often it was tried in vain: due again in a second, and then it is the gate that holds it."""
    probe = replace(a_dispatch(number), is_probe=True)
    found = decide_attempt(probe, report(FailureScope.ENDPOINT, 60_000), now=10, jitter=0.5)
    assert found == Retry(1_010)


@pytest.mark.parametrize(
    ("number", "wait_ms"),
    [(1, 1_000), (2, 1_000), (3, 1_000), (4, 4_000), (5, 10_000), (6, 45_000), (7, 60_000), (999, 60_000)],
)
def test_what_alone_fails_at_an_open_gate_is_sent_ever_less_often(number: int, wait_ms: int) -> None:
    """Three times soon, so that the gate of what is down closes soon; at last as rarely as a probe."""
    found = decide_attempt(a_dispatch(number), report(FailureScope.ENDPOINT), now=10, jitter=0.5)
    assert found == Retry(10 + wait_ms)
    latest = decide_attempt(a_dispatch(number), report(FailureScope.ENDPOINT), now=10, jitter=1.0)
    assert isinstance(latest, Retry)
    assert latest.due_at <= 10 + MAX_PRIVATE_PROBE_MS


def test_an_endpoint_that_is_gone_drops_nothing() -> None:
    """410 parks; even a delivery whose time is up stays pending."""
    found = decide_attempt(a_dispatch(give_up_at=5), report(FailureScope.GONE), now=10, jitter=0.5)
    assert found == Retry(10)


@pytest.mark.parametrize("scope", [FailureScope.ENDPOINT, FailureScope.EVENT])
@pytest.mark.parametrize(("number", "times"), [(1, "1 attempt"), (31, "31 attempts")])
def test_giving_up_says_how_often_and_what_came_last(scope: FailureScope, number: int, times: str) -> None:
    """Only time ends it: not before ``give_up_at``, and at it."""
    assert isinstance(
        decide_attempt(a_dispatch(number, give_up_at=10), report(scope), now=9, jitter=0.5), Retry
    )
    found = decide_attempt(a_dispatch(number, give_up_at=10), report(scope), now=10, jitter=0.5)
    assert found == GiveUp(f"given up after {times}; the last: HTTP 503")
