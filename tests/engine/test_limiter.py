"""The limits of one provider: requests in flight, rate, circuit breakers, and the part of what is suspect."""

from dataclasses import replace

import pytest

from notifier.config.model import ProviderSettings
from notifier.core.causes.cause import Condition
from notifier.core.circuit_breaker import Permit
from notifier.core.model import Watch, WatchState
from notifier.core.polling.poll_choice import PathProbe
from notifier.core.polling.verdict import (
    AccountRefused,
    Inconclusive,
    InconclusiveKind,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
)
from notifier.core.secret import Secret
from notifier.engine.provider_limiter import ProviderLimiter
from notifier.engine.provider_monitor import PollTicket
from tests.builders import KEY_REFUSED, SERVER_ERROR, THROTTLED, new_watch
from tests.fakes import NOON

PROVIDER = ProviderSettings(max_in_flight=4, max_rate_per_s=8.0)
FAST = replace(PROVIDER, max_in_flight=32, max_rate_per_s=1_000.0)
OUTAGE = Inconclusive(SERVER_ERROR, InconclusiveKind.SERVER_ERROR)
REFUSED = AccountRefused(401, KEY_REFUSED)
RUNNING = Running("pending")
A, B = "/path/a", "/path/b"


def watch(api_path: str = A, task_id: str = "task", failures: int = 0) -> Watch:
    new = new_watch(task_id, api_path=api_path)
    return Watch(
        id=f"wch_{task_id}",
        provider=new.provider,
        api_path=api_path,
        task_id=task_id,
        state=WatchState.WATCHING,
        callbacks=new.callbacks,
        metadata=new.metadata,
        registered_at=new.registered_at,
        expires_at=new.expires_at,
        due_at=new.first_poll_at,
        failures=failures,
    )


def start(
    limiter: ProviderLimiter, now: int, api_path: str = A, task_id: str = "task", failures: int = 0
) -> PollTicket:
    return limiter.record_start(watch(api_path, task_id, failures), limiter.plan(now), now)


def poll(
    limiter: ProviderLimiter, verdict: Verdict | None, now: int, api_path: str = A, task_id: str = "task"
) -> None:
    limiter.record_end(start(limiter, now, api_path, task_id), verdict, now)


def fail(limiter: ProviderLimiter, verdict: Verdict, now: int, api_path: str = A) -> None:
    """Let three different tasks of a path fail."""
    for number in range(3):
        poll(limiter, verdict, now, api_path, f"task-{number}")


def test_never_more_in_flight_than_allowed() -> None:
    """Room shrinks with each request that began and grows with each that ended."""
    limiter = ProviderLimiter(replace(PROVIDER, max_rate_per_s=1_000.0), NOON)
    tickets = [start(limiter, NOON) for _ in range(4)]
    assert limiter.plan(NOON + 60_000).limit == 0
    limiter.record_end(tickets[0], RUNNING, NOON)
    assert limiter.plan(NOON + 60_000).limit == 1


def test_the_rate_bounds_any_second() -> None:
    """After the first burst, no more start than the rate allows, however much is due."""
    limiter = ProviderLimiter(replace(PROVIDER, max_in_flight=1_000), NOON)
    started = 0
    for tick in range(100):
        now = NOON + tick * 100
        for _ in range(limiter.plan(now).limit):
            start(limiter, now)
            started += 1
    assert 8 * 9 <= started <= 8 * 10 + 2


def test_it_says_when_the_rate_has_room_again() -> None:
    """The instant it names is one at which there is room."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    for _ in range(limiter.plan(NOON).limit):
        start(limiter, NOON)
    at = limiter.find_next_start(NOON)
    assert at is not None
    assert at > NOON
    assert limiter.plan(at).limit >= 1


@pytest.mark.fault(51)
def test_throttling_pauses_the_whole_provider_at_once() -> None:
    """429 with Retry-After: nothing goes out before that instant, then one probe."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    poll(limiter, Throttled(30_000, THROTTLED), NOON)
    assert limiter.monitor.permit(NOON + 29_999) is Permit.BLOCK
    assert limiter.plan(NOON + 29_999).limit == 0
    assert limiter.monitor.permit(NOON + 30_000) is Permit.PROBE
    assert (limiter.plan(NOON + 30_000).limit, limiter.plan(NOON + 30_000).is_probe) == (1, True)
    assert limiter.monitor.condition is not None
    assert limiter.monitor.condition.cause == THROTTLED


@pytest.mark.fault(45)
def test_three_refusals_in_a_row_pause_and_one_success_resumes() -> None:
    """A refused key holds the provider back, with probes at most a minute apart; one success is enough."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    for _ in range(3):
        assert limiter.monitor.permit(NOON) is Permit.ALLOW
        poll(limiter, REFUSED, NOON)
    assert limiter.monitor.permit(NOON) is Permit.BLOCK
    now = NOON
    for _ in range(20):
        assert limiter.monitor.health.breaker.probe_at - now <= 60_000
        now = limiter.monitor.health.breaker.probe_at
        ticket = start(limiter, now)
        assert limiter.monitor.permit(now) is Permit.BLOCK, "one probe at a time"
        limiter.record_end(ticket, REFUSED, now)
    now = limiter.monitor.health.breaker.probe_at
    poll(limiter, RUNNING, now)
    assert limiter.monitor.permit(now) is Permit.ALLOW
    assert limiter.monitor.condition is None


def test_a_provider_is_held_back_since_its_first_failure_in_a_row() -> None:
    """Not since the third, which blocked it; a success in between begins anew."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    for after_s, verdict in ((0, REFUSED), (1, RUNNING), (2, REFUSED), (3, REFUSED), (4, REFUSED)):
        poll(limiter, verdict, NOON + after_s * 1_000)
    assert limiter.monitor.condition == Condition(KEY_REFUSED, NOON + 2_000)
    limiter.shift(60_000)
    assert limiter.monitor.condition == Condition(KEY_REFUSED, NOON + 62_000)


@pytest.mark.parametrize("verdict", [OUTAGE, REFUSED])
def test_an_unknown_task_says_nothing_against_path_or_provider(verdict: Verdict) -> None:
    """404 is an answer about one task: it counts as a success of both."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    for number, each in enumerate((verdict, verdict, TaskUnknown(404), verdict, verdict)):
        poll(limiter, each, NOON, task_id=f"task-{number}")
    assert limiter.monitor.permit(NOON) is Permit.ALLOW
    assert limiter.monitor.list_blocked() == {}


def test_a_request_that_broke_off_gives_its_place_back() -> None:
    """A crash in our code takes no slot with it."""
    limiter = ProviderLimiter(PROVIDER, NOON)
    poll(limiter, None, NOON)
    assert limiter.in_flight == 0


def test_a_new_key_deserves_a_fresh_start() -> None:
    """After a reload with another key nobody waits for the next probe, of the provider or of a path."""
    limiter = ProviderLimiter(replace(PROVIDER, api_key=Secret("old-key")), NOON)
    fail(limiter, REFUSED, NOON)
    assert limiter.monitor.list_blocked()
    limiter.configure(replace(PROVIDER, api_key=Secret("new-key")), NOON)
    assert limiter.monitor.permit(NOON) is Permit.ALLOW
    assert limiter.monitor.list_blocked() == {}


@pytest.mark.fault(51)
def test_server_errors_of_a_path_hold_back_this_path_only() -> None:
    """Three tasks of it failed, so that only its probes go out; another path goes on as before."""
    limiter = ProviderLimiter(FAST, NOON)
    poll(limiter, RUNNING, NOON, B)
    fail(limiter, OUTAGE, NOON)
    rules = limiter.plan(NOON).rules
    assert limiter.monitor.permit(NOON) is Permit.ALLOW
    assert dict(rules.blocked) == {A: PathProbe.NONE}
    assert limiter.monitor.condition is None
    assert limiter.monitor.get_path_condition(A) == Condition(SERVER_ERROR, NOON, is_of_path=True)
    assert limiter.monitor.get_path_condition(B) is None
    assert dict(limiter.plan(NOON + 5_000).rules.blocked) == {A: PathProbe.ANY}


def test_when_each_path_fails_alike_the_provider_says_so() -> None:
    """In words only: what is held back is still each path by itself."""
    limiter = ProviderLimiter(FAST, NOON)
    fail(limiter, OUTAGE, NOON, A)
    assert limiter.monitor.condition == Condition(SERVER_ERROR, NOON)
    fail(limiter, OUTAGE, NOON + 1_000, B)
    assert limiter.monitor.condition == Condition(SERVER_ERROR, NOON)
    assert limiter.monitor.permit(NOON + 1_000) is Permit.ALLOW
    poll(limiter, RUNNING, NOON + 6_000, B)
    assert limiter.monitor.condition is None


def test_where_a_path_works_a_refused_key_must_be_seen_on_two() -> None:
    """A path that works does not share what a single one fails with."""
    limiter = ProviderLimiter(FAST, NOON)
    poll(limiter, RUNNING, NOON, "/path/well")
    for number in range(9):
        poll(limiter, REFUSED, NOON, A, f"task-{number}")
    assert limiter.monitor.permit(NOON) is Permit.ALLOW
    poll(limiter, REFUSED, NOON, B)
    assert limiter.monitor.permit(NOON) is Permit.BLOCK


def test_what_hangs_has_half_of_the_slots_at_most() -> None:
    """Different requests that are out for long make a path suspect; probes have a quarter more."""
    limiter = ProviderLimiter(FAST, NOON)
    poll(limiter, RUNNING, NOON, B)
    for number in range(10):
        start(limiter, NOON, A, f"task-{number}")
    assert limiter.plan(NOON + 100).rules.suspects == set()
    rules = limiter.plan(NOON + 1_000).rules
    assert (rules.suspects, rules.suspect_room, rules.probe_room) == ({A}, 16 - 10, 24 - 10)


def test_one_task_that_hangs_or_fails_makes_its_path_not_suspect() -> None:
    """It counts alone: what is well on its path goes on, even while another path hangs."""
    limiter = ProviderLimiter(FAST, NOON)
    poll(limiter, OUTAGE, NOON, A, "poison")
    start(limiter, NOON, A, "poison", failures=1)
    start(limiter, NOON, A, "first hang")
    rules = limiter.plan(NOON + 1_000).rules
    assert (rules.suspects, rules.suspect_room) == (set(), 16 - 2)
    start(limiter, NOON, A, "second hang")
    rules = limiter.plan(NOON + 1_000).rules
    assert (rules.suspects, rules.suspect_room) == ({A}, 16 - 3)


def test_watches_that_failed_last_share_the_part_of_what_is_suspect() -> None:
    """Their path may be well: they are counted one by one."""
    limiter = ProviderLimiter(FAST, NOON)
    for number in range(3):
        start(limiter, NOON, A, f"task-{number}", failures=2)
    start(limiter, NOON, A)
    rules = limiter.plan(NOON + 100).rules
    assert (rules.suspects, rules.suspect_room) == (set(), 16 - 3)
