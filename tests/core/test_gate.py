"""The gate before a peer: closes after failures in a row, probes singly, opens at the first success."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import (
    PROBE_TIMEOUT_MS,
    CircuitBreaker,
    Permit,
    block_until,
    permit,
    record_failure,
    record_probe,
    record_success,
    shift_breaker,
)
from tests.builders import answered

SECOND = 1_000
T = 1_000_000_000
DOWN, MISSING, BUSY = answered(503), answered(404), answered(429)
RESET, TIMEOUT = Cause(Code.CONNECTION_RESET), Cause(Code.TIMEOUT)


def closed_at(now: int = T) -> CircuitBreaker:
    gate = CircuitBreaker()
    for _ in range(3):
        gate = record_failure(gate, DOWN, now, is_probe=False)
    return gate


def probe_waits(cap_ms: int, count: int) -> list[int]:
    """Seconds from each failure to the probe that follows it, every probe failing at once."""
    gate, now, waits = closed_at(), T, []
    for _ in range(count):
        assert permit(gate, gate.probe_at - 1) is Permit.BLOCK
        assert permit(gate, gate.probe_at) is Permit.PROBE
        waits.append((gate.probe_at - now) // SECOND)
        now = gate.probe_at
        gate = record_failure(record_probe(gate, now), DOWN, now, is_probe=True, cap_ms=cap_ms)
    return waits


def test_three_failures_in_a_row_close_it() -> None:
    gate = CircuitBreaker()
    for _ in range(2):
        gate = record_failure(gate, DOWN, T, is_probe=False)
        assert permit(gate, T) is Permit.ALLOW
    assert permit(record_failure(gate, DOWN, T, is_probe=False), T) is Permit.BLOCK


def test_a_success_between_starts_the_count_anew() -> None:
    gate = record_failure(
        record_failure(CircuitBreaker(), RESET, T, is_probe=False), RESET, T, is_probe=False
    )
    gate = record_failure(record_success(gate, T), RESET, T, is_probe=False)
    assert permit(gate, T) is Permit.ALLOW


@pytest.mark.parametrize("threshold", [1, 5])
def test_the_threshold_is_the_callers(threshold: int) -> None:
    gate = CircuitBreaker()
    for count in range(1, threshold + 1):
        gate = record_failure(gate, DOWN, T, is_probe=False, threshold=threshold)
        assert (gate.since is not None) == (count == threshold)


def test_probes_come_after_5_10_20_40_and_then_every_60_seconds() -> None:
    assert probe_waits(60 * SECOND, 7) == [5, 10, 20, 40, 60, 60, 60]


def test_on_the_internet_they_may_come_as_rarely_as_every_10_minutes() -> None:
    assert probe_waits(600 * SECOND, 10) == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_the_first_success_opens_it_and_forgets_everything() -> None:
    gate = closed_at()
    assert record_success(record_probe(gate, gate.probe_at), gate.probe_at + 1) == CircuitBreaker()


def test_while_a_probe_is_under_way_nothing_else_passes() -> None:
    gate = closed_at()
    began_at = gate.probe_at
    gate = record_probe(gate, began_at)
    assert permit(gate, began_at) is Permit.BLOCK
    assert permit(gate, began_at + PROBE_TIMEOUT_MS - 1) is Permit.BLOCK


def test_a_probe_that_never_reports_is_followed_by_another() -> None:
    gate = closed_at()
    began_at = gate.probe_at
    assert permit(record_probe(gate, began_at), began_at + PROBE_TIMEOUT_MS) is Permit.PROBE
    patient = record_probe(gate, began_at, timeout_ms=90 * SECOND)
    assert permit(patient, began_at + 90 * SECOND - 1) is Permit.BLOCK


def test_late_failures_of_what_was_under_way_do_not_put_the_probe_off() -> None:
    gate = closed_at()
    assert record_failure(gate, TIMEOUT, T + 4 * SECOND, is_probe=False) == gate


def test_since_stays_and_the_reason_is_that_of_the_latest_probe() -> None:
    gate = closed_at()
    gate = record_failure(record_probe(gate, T + 5_000), MISSING, T + 5_001, is_probe=True)
    assert (gate.since, gate.reason) == (T, MISSING)


def test_retry_after_closes_at_once_and_sets_the_next_probe() -> None:
    gate = block_until(CircuitBreaker(), T + 30 * SECOND, BUSY, T, is_probe=False)
    assert (gate.since, gate.reason) == (T, BUSY)
    assert permit(gate, T + 30 * SECOND - 1) is Permit.BLOCK
    assert permit(gate, T + 30 * SECOND) is Permit.PROBE


def test_a_shorter_retry_after_takes_nothing_off_a_longer_one() -> None:
    gate = block_until(CircuitBreaker(), T + 30 * SECOND, BUSY, T, is_probe=False)
    gate = block_until(gate, T + 1 * SECOND, BUSY, T, is_probe=False)
    assert gate.probe_at == T + 30 * SECOND
    assert record_success(gate, T + 29 * SECOND) == gate


def test_a_probe_told_to_wait_waits_for_the_longer_of_schedule_and_wish() -> None:
    gate = closed_at()
    now = gate.probe_at
    probing = record_probe(gate, now)
    assert block_until(probing, now + 1_000, BUSY, now, is_probe=True).probe_at == now + 10_000
    assert block_until(probing, now + 99_000, BUSY, now, is_probe=True).probe_at == now + 99_000


def test_a_pause_that_comes_while_a_probe_is_under_way_outlasts_its_failure() -> None:
    gate = closed_at()
    now = gate.probe_at
    gate = block_until(record_probe(gate, now), now + 99_000, BUSY, now, is_probe=False)
    assert record_failure(gate, TIMEOUT, now + 15_000, is_probe=True).probe_at == now + 99_000


def test_a_success_that_was_under_way_does_not_end_a_pause() -> None:
    gate = block_until(CircuitBreaker(), T + 30 * SECOND, BUSY, T, is_probe=False)
    assert record_success(gate, T + 1) == gate
    assert record_success(gate, T + 30 * SECOND) == CircuitBreaker()


@pytest.mark.parametrize("delta", [-3_600_000, 3_600_000])
def test_a_stepped_clock_moves_it_along(delta: int) -> None:
    gate = block_until(closed_at(), T + 30 * SECOND, BUSY, T, is_probe=False)
    moved = shift_breaker(gate, delta)
    assert permit(moved, T + delta + 30 * SECOND - 1) is Permit.BLOCK
    assert permit(moved, T + delta + 30 * SECOND) is Permit.PROBE
    assert moved.since == T + delta
    assert shift_breaker(moved, -delta) == gate
    assert shift_breaker(CircuitBreaker(), delta).since is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "fail", "success", "pause", "silence"]), st.integers(0, 90_000)),
    max_size=60,
)


@given(STEPS, st.sampled_from([60_000, 600_000]))
def test_whatever_happens_one_probe_at_a_time_and_the_next_is_never_out_of_reach(
    steps: list[tuple[str, int]], cap_ms: int
) -> None:
    gate, now, probing_since, latest_pause = CircuitBreaker(), T, None, 0
    for what, passed in steps:
        now += passed
        is_probe = probing_since is not None
        match what:
            case "ask":
                if permit(gate, now) is Permit.PROBE:
                    assert probing_since is None or now - probing_since >= PROBE_TIMEOUT_MS
                    gate, probing_since = record_probe(gate, now), now
            case "fail":
                gate, probing_since = record_failure(gate, DOWN, now, is_probe=is_probe, cap_ms=cap_ms), None
            case "success":
                gate, probing_since = record_success(gate, now), None
            case "pause":
                latest_pause = max(latest_pause, now + passed)
                gate = block_until(gate, now + passed, DOWN, now, is_probe=is_probe, cap_ms=cap_ms)
                probing_since = None
            case _:
                probing_since = None
        if gate.since is not None:
            assert gate.since <= now
            assert gate.probe_at <= max(now + max(cap_ms, PROBE_TIMEOUT_MS), latest_pause)
            assert permit(gate, gate.probe_at) is Permit.PROBE
        else:
            assert permit(gate, now) is Permit.ALLOW
