"""The gate before an endpoint: outages burn no attempts, nothing is given up, coming back is slow."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import CircuitBreaker, Permit, record_probe
from notifier.core.delivery.endpoint import (
    MAX_PRIVATE_PROBE_MS,
    MAX_PUBLIC_PROBE_MS,
    AttemptAccepted,
    AttemptFailed,
    EndpointHealth,
    FailureScope,
    ProbeOrder,
    Suspension,
    choose_probe,
    count_free_slots,
    describe_gate,
    describe_hold,
    is_unblocked,
    judge_origin,
    lift_suspension,
    permit,
    record_result,
    suspend,
)
from notifier.core.model import DeliveryHold
from tests.builders import answered

NOW = 1_795_435_200_000
OK = AttemptAccepted()


def down(retry_after_ms: int | None = None, cap_ms: int = MAX_PRIVATE_PROBE_MS) -> AttemptFailed:
    return AttemptFailed(FailureScope.ENDPOINT, answered(503), retry_after_ms, cap_ms)


REFUSED = AttemptFailed(FailureScope.EVENT, answered(422), None, MAX_PRIVATE_PROBE_MS)
GONE = AttemptFailed(FailureScope.GONE, answered(410), None, MAX_PRIVATE_PROBE_MS)


def closed(now: int = NOW) -> EndpointHealth:
    endpoint = EndpointHealth()
    for _ in range(3):
        endpoint = record_result(endpoint, down(), now, is_probe=False)
    return endpoint


def probed(endpoint: EndpointHealth, report: AttemptFailed | AttemptAccepted, now: int) -> EndpointHealth:
    return record_result(replace(endpoint, gate=record_probe(endpoint.gate, now)), report, now, is_probe=True)


@pytest.mark.fault(78)
def test_three_failures_in_a_row_close_it() -> None:
    """Two do not; a success between begins the count anew."""
    endpoint = EndpointHealth()
    for report in (down(), down(), OK, down(), down()):
        endpoint = record_result(endpoint, report, NOW, is_probe=False)
        assert permit(endpoint, NOW) is Permit.ALLOW
    assert permit(record_result(endpoint, down(), NOW, is_probe=False), NOW) is Permit.BLOCK


@pytest.mark.parametrize(
    ("cap_ms", "waits_s"),
    [
        (MAX_PRIVATE_PROBE_MS, [5, 10, 20, 40, 60, 60]),
        (MAX_PUBLIC_PROBE_MS, [5, 10, 20, 40, 80, 160, 320, 600, 600]),
    ],
)
def test_probes_come_at_growing_distances_and_never_stop(cap_ms: int, waits_s: list[int]) -> None:
    """5, 10, 20, 40 s and on to the cap: a minute on private addresses, ten on public ones."""
    endpoint, now = closed(), NOW
    for wait_s in waits_s:
        assert endpoint.gate.probe_at == now + wait_s * 1_000
        now = endpoint.gate.probe_at
        assert permit(endpoint, now) is Permit.PROBE
        assert count_free_slots(endpoint, 0, now, limit=4) == 1
        endpoint = probed(endpoint, down(cap_ms=cap_ms), now)
        assert permit(endpoint, now) is Permit.BLOCK


def test_the_first_2xx_opens_it_wakes_all_and_starts_slowly() -> None:
    """1, 2, 4 …, then as many as the origin takes."""
    shut = closed()
    endpoint = probed(shut, OK, shut.gate.probe_at)
    assert is_unblocked(shut, endpoint)
    now, rooms = shut.gate.probe_at, []
    for _ in range(6):
        rooms.append(count_free_slots(endpoint, 0, now, limit=16))
        endpoint = record_result(endpoint, OK, now, is_probe=False)
    assert rooms == [2, 4, 8, 16, 16, 16]
    assert count_free_slots(endpoint, 3, now, limit=16) == 13


def test_what_never_took_anything_or_failed_last_gets_one_at_a_time() -> None:
    """One acceptance ends the trial; a refused event, which says that it answers, begins none."""
    endpoint = EndpointHealth()
    assert count_free_slots(endpoint, 0, NOW, limit=4) == 1
    endpoint = record_result(endpoint, OK, NOW, is_probe=False)
    assert count_free_slots(endpoint, 0, NOW, limit=4) == 2
    endpoint = record_result(endpoint, REFUSED, NOW, is_probe=False)
    assert count_free_slots(endpoint, 0, NOW, limit=4) == 2
    assert count_free_slots(record_result(endpoint, down(), NOW, is_probe=False), 0, NOW, limit=4) == 1


@pytest.mark.parametrize(("report", "word"), [(OK, True), (down(), False), (REFUSED, None), (GONE, None)])
def test_an_origin_is_judged_by_what_speaks_of_it(
    report: AttemptFailed | AttemptAccepted, word: bool | None
) -> None:
    """A refused event and an endpoint that is gone say nothing of its neighbours."""
    assert judge_origin(report) is word


def test_retry_after_closes_it_at_once_for_at_least_that_long() -> None:
    """The wish of the endpoint goes before our own schedule, and a success in flight does not undo it."""
    endpoint = record_result(EndpointHealth(), down(retry_after_ms=3_600_000), NOW, is_probe=False)
    assert permit(endpoint, NOW + 3_599_999) is Permit.BLOCK
    assert permit(record_result(endpoint, OK, NOW + 1, is_probe=False), NOW + 2) is Permit.BLOCK
    assert permit(endpoint, NOW + 3_600_000) is Permit.PROBE


def test_one_event_that_is_refused_again_and_again_speaks_not_against_the_endpoint() -> None:
    """400 for one event closes nothing, however often; but as a probe's answer it opens nothing."""
    endpoint = record_result(EndpointHealth(), REFUSED, NOW, is_probe=False)
    for _ in range(10):
        endpoint = record_result(endpoint, REFUSED, NOW, is_probe=False, is_repeat=True)
    assert permit(endpoint, NOW) is Permit.ALLOW
    shut = closed()
    assert permit(probed(shut, REFUSED, shut.gate.probe_at), shut.gate.probe_at) is Permit.BLOCK


def test_three_refused_events_in_a_row_close_it_and_the_newest_is_its_first_probe() -> None:
    """While nothing is accepted every refusal is the endpoint's; one acceptance begins the count anew."""
    endpoint = replace(EndpointHealth(), concurrency=4)
    for report in (REFUSED, REFUSED, OK, REFUSED, REFUSED):
        endpoint = record_result(endpoint, report, NOW, is_probe=False)
        assert permit(endpoint, NOW) is Permit.ALLOW
    assert endpoint.concurrency == 8
    shut = record_result(endpoint, REFUSED, NOW, is_probe=False)
    assert (permit(shut, NOW), shut.concurrency) == (Permit.BLOCK, 1)
    orders = []
    for _ in range(3):
        orders.append(choose_probe(shut))
        shut = probed(shut, REFUSED, shut.gate.probe_at)
    assert orders == [ProbeOrder.NEWEST, ProbeOrder.LONGEST_DUE, ProbeOrder.NEWEST]
    assert choose_probe(closed()) is ProbeOrder.MOST_URGENT


def test_the_time_of_the_last_success_is_known_to_a_second() -> None:
    """A note of each would be a write of each. A user who resumes the endpoint does not erase it."""
    endpoint = record_result(EndpointHealth(), OK, NOW, is_probe=False)
    endpoint = record_result(endpoint, OK, NOW + 999, is_probe=False)
    assert endpoint.accepted_at == NOW
    endpoint = record_result(endpoint, OK, NOW + 1_000, is_probe=False)
    assert endpoint.accepted_at == NOW + 1_000
    assert lift_suspension(suspend(endpoint)).accepted_at == NOW + 1_000


def test_410_parks_it_until_a_user_resumes_it() -> None:
    """No probe, no success in flight and no time brings it back; `resumed` does."""
    endpoint = record_result(EndpointHealth(), GONE, NOW, is_probe=False)
    assert endpoint.suspension is Suspension.GONE
    endpoint = record_result(endpoint, OK, NOW, is_probe=False)
    assert permit(endpoint, NOW + 10**12) is Permit.BLOCK
    assert "410" in describe_gate(endpoint)
    assert permit(lift_suspension(endpoint), NOW) is Permit.ALLOW


def test_a_pause_is_a_users_word() -> None:
    """Paused stays paused whatever comes in; resuming opens even a gate that was closed."""
    endpoint = record_result(suspend(closed()), OK, NOW, is_probe=True)
    assert permit(endpoint, NOW + 10**12) is Permit.BLOCK
    assert describe_gate(endpoint) == "paused by a user"
    again = lift_suspension(endpoint)
    assert is_unblocked(endpoint, again)
    assert count_free_slots(again, 0, NOW, limit=4) == 1


def test_to_resume_what_is_well_changes_nothing() -> None:
    """It would put a receiver that works on trial."""
    proven = EndpointHealth(concurrency=None)
    assert lift_suspension(proven) == proven


REPORTS = st.one_of(
    st.just(OK), st.just(REFUSED), st.builds(down, st.none() | st.integers(1_000, 86_400_000))
)


@given(st.lists(st.tuples(REPORTS, st.integers(0, 10_000_000)), max_size=60))
def test_whatever_happened_a_probe_will_go_out(
    history: list[tuple[AttemptFailed | AttemptAccepted, int]],
) -> None:
    """Never given up: unless a user or a 410 holds it, something may pass within a day."""
    endpoint, now = EndpointHealth(), NOW
    for report, passed in history:
        now += passed
        way = permit(endpoint, now)
        if way is Permit.PROBE:
            endpoint = probed(endpoint, report, now)
        elif way is Permit.ALLOW:
            endpoint = record_result(endpoint, report, now, is_probe=False)
        assert permit(endpoint, now + 86_400_000) is not Permit.BLOCK


def test_what_is_held_back_says_since_when_and_when_it_is_tried_again() -> None:
    """What is open holds nothing back."""
    assert describe_hold(EndpointHealth()) is None
    paused = Cause(Code.ENDPOINT_PAUSED)
    assert describe_hold(suspend(EndpointHealth())) == DeliveryHold("paused by a user", paused)
    assert describe_hold(closed()) == DeliveryHold(
        "closed: HTTP 503 since 2026-11-23T12:00:00.000Z, next probe at 2026-11-23T12:00:05.000Z",
        answered(503),
    )


def test_a_gate_that_closed_without_a_reason_still_holds() -> None:
    """No version wrote such a row; should one be there, its deliveries can be read all the same."""
    suspension = describe_hold(EndpointHealth(CircuitBreaker(since=NOW, probe_at=NOW)))
    assert suspension is not None
    assert suspension.cause.code is Code.LEGACY
    assert suspension.text.startswith("closed: ")
