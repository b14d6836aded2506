"""One provider's budget: in flight, rate, and the gate before it."""

from dataclasses import replace

import pytest

from notifier.config.model import ProviderSettings
from notifier.core.causes.cause import Condition
from notifier.core.circuit_breaker import Permit
from notifier.core.polling.verdict import (
    AccountRefused,
    Inconclusive,
    InconclusiveKind,
    Running,
    TaskUnknown,
    Throttled,
)
from notifier.core.secret import Secret
from notifier.engine.provider_limiter import ProviderLimiter
from tests.builders import KEY_REFUSED, SERVER_ERROR, THROTTLED
from tests.fakes import NOON

PROVIDER = ProviderSettings(max_in_flight=4, max_rate_per_s=8.0)
OUTAGE = Inconclusive(SERVER_ERROR, InconclusiveKind.SERVER_ERROR)
REFUSED = AccountRefused(401, KEY_REFUSED)


def test_never_more_in_flight_than_allowed() -> None:
    """Room shrinks with each request that began and grows with each that ended."""
    limiter = ProviderLimiter(replace(PROVIDER, max_rate_per_s=1_000.0), NOON)
    limiter.record_start(4, NOON, is_probe=False)
    assert limiter.count_free_slots(NOON + 60_000) == 0
    limiter.record_end(Running("pending"), NOON, is_probe=False)
    assert limiter.count_free_slots(NOON + 60_000) == 1


def test_the_rate_bounds_any_second() -> None:
    """After the first burst, no more start than the rate allows, however much is due."""
    limiter = ProviderLimiter(replace(PROVIDER, max_in_flight=1_000), NOON)
    started = 0
    for tick in range(100):
        now = NOON + tick * 100
        free_slots = limiter.count_free_slots(now)
        limiter.record_start(free_slots, now, is_probe=False)
        started += free_slots
    assert 8 * 9 <= started <= 8 * 10 + 2


def test_it_says_when_the_rate_has_room_again() -> None:
    """The instant it names is one at which there is room."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    limiter.record_start(limiter.count_free_slots(NOON), NOON, is_probe=False)
    at = limiter.find_next_start(NOON)
    assert at is not None
    assert at > NOON
    assert limiter.count_free_slots(at) >= 1


@pytest.mark.fault(51)
def test_throttling_pauses_the_whole_provider_at_once() -> None:
    """429 with Retry-After: nothing goes out before that instant, then one probe."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    limiter.record_start(1, NOON, is_probe=False)
    limiter.record_end(Throttled(30_000, THROTTLED), NOON, is_probe=False)
    assert limiter.permit(NOON + 29_999) is Permit.BLOCK
    assert limiter.permit(NOON + 30_000) is Permit.PROBE
    assert limiter.condition is not None
    assert limiter.condition.cause == THROTTLED


@pytest.mark.fault(45)
def test_three_refusals_in_a_row_pause_and_one_success_resumes() -> None:
    """A refused key holds the provider back, with probes at most a minute apart; one success is enough."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    for _ in range(3):
        assert limiter.permit(NOON) is Permit.ALLOW
        limiter.record_start(1, NOON, is_probe=False)
        limiter.record_end(REFUSED, NOON, is_probe=False)
    assert limiter.permit(NOON) is Permit.BLOCK
    now = NOON
    for _ in range(20):
        assert limiter.gate.probe_at - now <= 60_000
        now = limiter.gate.probe_at
        limiter.record_start(1, now, is_probe=True)
        assert limiter.permit(now) is Permit.BLOCK, "one probe at a time"
        limiter.record_end(REFUSED, now, is_probe=True)
    limiter.record_start(1, now, is_probe=True)
    limiter.record_end(Running("pending"), now, is_probe=True)
    assert limiter.permit(now) is Permit.ALLOW
    assert limiter.condition is None


def test_a_provider_is_held_back_since_its_first_failure_in_a_row() -> None:
    """Not since the third, which closed the gate; a success in between begins anew."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    for after_s, verdict in ((0, OUTAGE), (1, Running("pending")), (2, OUTAGE), (3, OUTAGE), (4, OUTAGE)):
        limiter.record_start(1, NOON + after_s * 1_000, is_probe=False)
        limiter.record_end(verdict, NOON + after_s * 1_000, is_probe=False)
    assert limiter.condition == Condition(SERVER_ERROR, NOON + 2_000)
    limiter.shift(60_000)
    assert limiter.condition == Condition(SERVER_ERROR, NOON + 62_000)


def test_an_unknown_task_says_nothing_against_the_provider() -> None:
    """404 is an answer about one task: it counts as a success of the provider."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    for verdict in (OUTAGE, OUTAGE, TaskUnknown(404), OUTAGE, OUTAGE):
        limiter.record_start(1, NOON, is_probe=False)
        limiter.record_end(verdict, NOON, is_probe=False)
    assert limiter.permit(NOON) is Permit.ALLOW


def test_a_request_that_broke_off_gives_its_place_back() -> None:
    """A crash in our code takes no slot with it."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    limiter.record_start(1, NOON, is_probe=False)
    limiter.record_end(None, NOON, is_probe=False)
    assert limiter.in_flight == 0


def test_a_new_key_deserves_a_fresh_start() -> None:
    """After a reload with another key nobody waits for the next probe."""
    limiter = ProviderLimiter(replace(PROVIDER, api_key=Secret("old-key")), NOON)
    for _ in range(3):
        limiter.record_start(1, NOON, is_probe=False)
        limiter.record_end(REFUSED, NOON, is_probe=False)
    limiter.configure(replace(PROVIDER, api_key=Secret("new-key")))
    assert limiter.permit(NOON) is Permit.ALLOW
