"""What follows from a verdict: when to poll again, or how the watch ends."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.model import Callback, MissingStreak, TaskError, Trouble, Watch, WatchState
from notifier.core.polling.age_schedule import AgeSchedule, compute_backoff_ms
from notifier.core.polling.decide_poll import decide_poll
from notifier.core.polling.decision import EndWatch, PollAgain, PollDecision, ScheduleRule
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    NotPolled,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
)
from tests.builders import KEY_REFUSED, SERVER_ERROR
from tests.builders import THROTTLED as SLOW_DOWN

SECOND = 1_000
HOUR = 3_600_000
DAY = 24 * HOUR
T = 1_795_435_200_000
SCHEDULE = AgeSchedule(min_interval_ms=2_500, max_interval_ms=60_000, growth=0.1)
A_WATCH = Watch(
    id="wch_1",
    provider="mulerouter",
    api_path="/vendors/x/generation",
    task_id="t",
    state=WatchState.WATCHING,
    callbacks=(Callback("http://127.0.0.1:9001/hook"),),
    metadata="{}",
    registered_at=T,
    expires_at=T + HOUR,
    due_at=T,
    upstream_status="pending",
)
RUNNING = Running("processing")
OUTAGE = Inconclusive(SERVER_ERROR, InconclusiveKind.SERVER_ERROR)
REFUSED = AccountRefused(401, KEY_REFUSED)
THROTTLED = Throttled(None, SLOW_DOWN)
ODD = Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": "odd"})
EMPTY = Condition(Cause(Code.PROVIDER_ACCOUNT_EMPTY))
DONE = Finished(WatchState.COMPLETED, "completed", ("https://x/1.jpg",), None, "{}")
UNFINISHED = [RUNNING, Running("odd", oddity=ODD), TaskUnknown(404), REFUSED, THROTTLED, OUTAGE]


def decide(
    verdict: Verdict,
    now: int = T,
    *,
    watch: Watch = A_WATCH,
    schedule: AgeSchedule = SCHEDULE,
    ttl_ms: int = DAY,
    jitter: float = 0.0,
    durations: TaskDurations | None = None,
    **more: int,
) -> PollDecision:
    return decide_poll(
        watch,
        verdict,
        schedule=schedule,
        result_ttl_ms=ttl_ms,
        now=now,
        jitter=jitter,
        durations=durations,
        **more,
    )


def wait(verdict: Verdict, now: int = T, **more: Any) -> PollAgain:
    found = decide(verdict, now, **more)
    assert isinstance(found, PollAgain), found
    return found


def end(verdict: Verdict, now: int = T, **more: Any) -> EndWatch:
    found = decide(verdict, now, **more)
    assert isinstance(found, EndWatch), found
    return found


def after(watch: Watch, found: PollAgain) -> Watch:
    """The watch as the store would have it."""
    return replace(
        watch,
        due_at=found.due_at,
        interval_ms=found.interval_ms,
        upstream_status=found.upstream_status,
        task_created_at=found.task_created_at,
        trouble=found.trouble,
        missing=found.missing,
        polls=watch.polls + 1,
    )


# ---- when to poll again


@pytest.mark.parametrize(
    ("created_at", "age_ms"),
    [
        (None, 300_000),
        (T - 100_000, 400_000),
        (T + 200_000, 100_000),
        (T + 300_000, 0),
        (T + 300_001, 300_000),
        (T + DAY, 300_000),
        (T - DAY - 1, 300_000),
        (1_699_335_116_000, 300_000),
        (0, 300_000),
    ],
)
def test_age_is_the_tasks_own_where_plausible_else_since_registration(
    created_at: int | None, age_ms: int
) -> None:
    found = wait(Running("processing", created_at), T + 300_000)
    assert found.interval_ms == max(2_500, age_ms // 10)
    assert found.due_at == T + 300_000 + found.interval_ms
    assert found.task_created_at == created_at


def test_a_task_a_day_old_at_registration_is_polled_as_such() -> None:
    assert wait(Running("processing", T - DAY)).interval_ms == 60_000


@pytest.mark.parametrize("verdict", [Running("x"), OUTAGE, REFUSED, THROTTLED, TaskUnknown(404)])
def test_a_known_creation_time_is_kept(verdict: Verdict) -> None:
    known = replace(A_WATCH, task_created_at=T - 100_000)
    found = wait(verdict, watch=known)
    assert (found.task_created_at, found.interval_ms) == (T - 100_000, 10_000)


@pytest.mark.parametrize("verdict", UNFINISHED)
def test_the_interval_never_shrinks(verdict: Verdict) -> None:
    assert wait(verdict, watch=replace(A_WATCH, interval_ms=20_000)).interval_ms == 20_000


def test_jitter_puts_a_poll_off_by_up_to_a_tenth() -> None:
    assert wait(RUNNING, jitter=0.999).due_at == T + 2_500 + 249


@pytest.mark.parametrize(
    "verdict",
    [
        Running("processing", retry_after_ms=90_000),
        Throttled(90_000, SLOW_DOWN),
        Inconclusive(SERVER_ERROR, InconclusiveKind.SERVER_ERROR, retry_after_ms=90_000),
    ],
)
def test_a_longer_retry_after_puts_the_poll_off_but_not_the_interval(verdict: Verdict) -> None:
    found = wait(verdict)
    assert (found.due_at, found.interval_ms) == (T + 90_000, 2_500)
    assert wait(verdict, watch=replace(A_WATCH, registered_at=T - DAY)).due_at == T + 90_000
    assert wait(RUNNING, T + 90_000, watch=after(A_WATCH, found)).interval_ms == 9_000


def test_a_shorter_retry_after_brings_nothing_forward() -> None:
    """Neither the interval nor what a failure makes of it."""
    assert wait(Throttled(1_000, SLOW_DOWN), watch=replace(A_WATCH, interval_ms=20_000)).due_at == T + 40_000


# ---- failures of the watch's own


FAILURES = [
    REFUSED,
    AccountRefused(403, KEY_REFUSED),
    THROTTLED,
    OUTAGE,
    Inconclusive(ODD, InconclusiveKind.UNREADABLE),
]


@pytest.mark.parametrize("verdict", FAILURES)
def test_the_wait_of_a_failing_watch_doubles_and_its_interval_stays(verdict: Verdict) -> None:
    """By its own failures alone, to the longest interval; the first reply about the task ends that."""
    waits, now, watch = [], T, A_WATCH
    for number in range(1, 8):
        found = wait(verdict, now, watch=watch)
        assert (found.failures, found.paced_due_at) == (number, None)
        waits.append(found.due_at - now)
        watch = replace(after(watch, found), failures=found.failures, interval_ms=2_500)
        now = T  # the age does not grow, so that only the failures count
    assert waits == [5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]
    for reply in (RUNNING, TaskUnknown(404)):
        recovered = wait(reply, now, watch=watch)
        assert (recovered.failures, recovered.due_at) == (0, now + 2_500)


@given(
    interval_ms=st.integers(50, 24 * HOUR),
    failures=st.integers(0, 10_000),
    max_interval_ms=st.integers(50, DAY),
    least_ms=st.integers(50, 60_000),
)
def test_a_backoff_never_shrinks_and_keeps_its_bounds(
    interval_ms: int, failures: int, max_interval_ms: int, least_ms: int
) -> None:
    """P7: above its own interval no wait is longer than the longest interval or a minute."""
    schedule = AgeSchedule(least_ms, max_interval_ms, 0.1)
    found = compute_backoff_ms(schedule, interval_ms, failures)
    assert interval_ms <= found <= max(interval_ms, min(max_interval_ms, 60_000))
    assert found <= compute_backoff_ms(schedule, interval_ms, failures + 1)


@pytest.mark.parametrize(
    "verdict", [Throttled(HOUR // 2, SLOW_DOWN), replace(OUTAGE, retry_after_ms=HOUR // 2)]
)
def test_what_a_failure_asks_to_wait_leaves_the_instant_that_it_moved(verdict: Verdict) -> None:
    """So that the poll can be brought back to it when the failure turns out to be over."""
    found = wait(verdict)
    assert (found.due_at, found.paced_due_at) == (T + HOUR // 2, T + 5_000)


def test_a_deadline_before_what_is_asked_to_wait_bounds_both() -> None:
    near = replace(A_WATCH, expires_at=T + 4_000)
    assert wait(Throttled(HOUR, SLOW_DOWN), watch=near).paced_due_at is None
    assert wait(Throttled(HOUR, SLOW_DOWN), watch=near).due_at == T + 4_000


@pytest.mark.fault(47)
@pytest.mark.parametrize(("lost_min_ms", "lost_at_s"), [(30_000, 30), (150_000, 150)])
def test_a_task_is_lost_after_as_long_as_its_path_deserves(lost_min_ms: int, lost_at_s: int) -> None:
    """Three replies over 30 s, or over 150 s where nothing shows that the path works."""
    watch, now = A_WATCH, T
    while isinstance(found := decide(TaskUnknown(404), now, watch=watch, lost_min_ms=lost_min_ms), PollAgain):
        watch, now = after(watch, found), found.due_at
    assert found.state is WatchState.LOST
    assert lost_at_s <= (now - T) // SECOND <= lost_at_s + 15


@pytest.mark.parametrize("verdict", [*UNFINISHED, Throttled(HOUR, SLOW_DOWN)])
def test_the_last_poll_is_made_at_the_deadline(verdict: Verdict) -> None:
    found = wait(verdict, T + HOUR - 1)
    assert found.due_at == T + HOUR
    assert found.interval_ms == 60_000, "the stored one is not cut"


# ---- the deadline


@pytest.mark.fault(63)
@pytest.mark.parametrize("late", [0, 1, 10_000])
@pytest.mark.parametrize("verdict", UNFINISHED)
def test_after_the_deadline_whatever_is_no_outcome_ends_it_as_expired(verdict: Verdict, late: int) -> None:
    """Also what never gave an answer."""
    found = end(verdict, T + HOUR + late)
    assert (found.state, found.is_polled) == (WatchState.EXPIRED, True)
    assert (found.outputs, found.payload, found.result_expires_at) == ((), None, None)
    assert found.error is not None
    assert (found.error.source, found.error.code) == ("notifier", "expired")


@pytest.mark.parametrize(
    ("verdict", "detail"),
    [
        (RUNNING, 'the provider last said "processing"'),
        (REFUSED, 'the provider last said "pending"; trouble: provider refuses the key (401)'),
        (
            TaskUnknown(404),
            'the provider last said "pending"; trouble: provider does not know the task (404)',
        ),
        (NotPolled(EMPTY), 'the provider last said "pending"; trouble: account is empty (402)'),
    ],
)
def test_an_expiry_tells_the_last_word_and_the_trouble(verdict: Verdict, detail: str) -> None:
    stale = replace(A_WATCH, trouble=Trouble(ODD, T))
    assert end(verdict, T + HOUR, watch=stale).error == TaskError(
        "notifier", "expired", "The deadline passed before the task ended", detail
    )


OF_A_FILE = Cause(Code.PROVIDER_KEY_REFUSED, {"key_origin": "file /etc/a since 2 key"})


@pytest.mark.parametrize(
    ("verdict", "since"),
    [
        (AccountRefused(401, OF_A_FILE), ""),
        (NotPolled(Condition(OF_A_FILE)), ""),
        (NotPolled(Condition(OF_A_FILE, T)), " since 2026-11-23T12:00:00.000Z"),
    ],
    ids=["polled", "unpolled", "unpolled since"],
)
def test_an_expiry_tells_no_receiver_where_the_key_lies(verdict: Verdict, since: str) -> None:
    """The trouble names the file for the operator; the event goes to others."""
    ended = end(verdict, T + HOUR)
    assert ended.error is not None
    assert ended.error.detail == (
        f'the provider last said "pending"; trouble: provider refuses the key (401){since}'
    )


def test_an_expiry_of_what_never_answered_says_so() -> None:
    found = end(OUTAGE, T + HOUR, watch=replace(A_WATCH, upstream_status=None))
    assert found.error is not None
    assert found.error.detail == "the provider never said how it stands; trouble: provider answers HTTP 503"


def test_an_outcome_found_after_the_deadline_is_the_outcome() -> None:
    assert end(DONE, T + 7 * DAY).state is WatchState.COMPLETED


def test_an_unpolled_watch_expires_without_a_poll() -> None:
    found = end(NotPolled(EMPTY), T + HOUR)
    assert (found.state, found.is_polled) == (WatchState.EXPIRED, False)


def test_an_unpolled_watch_before_its_deadline_is_our_own_fault() -> None:
    with pytest.raises(AssertionError):
        decide(NotPolled(EMPTY), T + HOUR - 1)


# ---- missing


def polls_while_missing(
    watch: Watch, schedule: AgeSchedule, jitter: float = 0.0, took_ms: int = 0
) -> tuple[EndWatch, list[int]]:
    """Answer 404 until it ends; the seconds at which that was asked."""
    now, asked = T, []
    while True:
        asked.append((now - T) // SECOND)
        found = decide(TaskUnknown(404), now + took_ms, watch=watch, schedule=schedule, jitter=jitter)
        if isinstance(found, EndWatch):
            return found, asked
        watch, now = after(watch, found), found.due_at


def test_it_is_lost_after_three_answers_over_thirty_seconds() -> None:
    old = replace(A_WATCH, interval_ms=60_000)
    found, asked = polls_while_missing(old, SCHEDULE)
    assert asked == [0, 15, 30]
    assert found.state is WatchState.LOST
    assert found.error == TaskError(
        "notifier",
        "lost",
        "The provider does not know the task",
        "3 answers in a row over 30 s said so, the last with HTTP 404",
    )
    assert (found.payload, found.outputs, found.is_polled) == (None, (), True)


def test_many_quick_answers_are_not_enough_before_thirty_seconds() -> None:
    found, asked = polls_while_missing(A_WATCH, SCHEDULE)
    assert found.state is WatchState.LOST
    assert len(asked) > 3
    assert asked[-2] < 30 <= asked[-1]


@pytest.mark.parametrize(
    ("missing", "is_lost"),
    [
        (None, False),
        (MissingStreak(1, T - HOUR), False),
        (MissingStreak(2, T - 29_999), False),
        (MissingStreak(2, T - 30_000), True),
        (MissingStreak(9, T - 29_999), False),
        (MissingStreak(9, T + HOUR), False),
    ],
)
def test_both_the_count_and_the_time_are_needed(missing: MissingStreak | None, is_lost: bool) -> None:
    found = decide(TaskUnknown(404), watch=replace(A_WATCH, missing=missing))
    assert isinstance(found, EndWatch) == is_lost


@pytest.mark.fault(47, 48)
@given(
    st.integers(50, 20_000),
    st.integers(0, 600_000),
    st.floats(0, 2),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 600_000),
)
def test_a_lost_task_is_told_within_sixty_seconds(
    least: int, more: int, growth: float, jitter: float, last_interval: int
) -> None:
    """However rarely it was polled before."""
    schedule = AgeSchedule(least, least + more, growth)
    watch = replace(A_WATCH, interval_ms=min(last_interval, schedule.max_interval_ms), registered_at=T - HOUR)
    found, asked = polls_while_missing(watch, schedule, jitter)
    assert found.state is WatchState.LOST
    assert len(asked) >= 3
    assert 30 <= asked[-1] <= 60


def test_while_missing_the_poll_is_near_and_the_interval_stays() -> None:
    found = wait(TaskUnknown(404), watch=replace(A_WATCH, interval_ms=60_000))
    assert (found.due_at, found.interval_ms) == (T + 15_000, 60_000)


def test_a_missing_task_is_told_of_in_time_however_rare_the_polls() -> None:
    """The promise of 60 s goes before the user's least interval; the stored interval keeps to it."""
    rare = AgeSchedule(min_interval_ms=120_000, max_interval_ms=600_000, growth=0.1)
    decision = wait(TaskUnknown(404), schedule=rare)
    assert (decision.due_at, decision.interval_ms) == (T + 15_000, 120_000)


def test_a_poll_begun_before_the_deadline_does_not_judge_it() -> None:
    """Asked just before, answered just after: asked once more, and then it has expired."""
    watch = replace(A_WATCH, expires_at=T)
    more = {"schedule": SCHEDULE, "result_ttl_ms": 0, "jitter": 0.0}
    early = decide_poll(watch, Running("pending"), now=T + 500, poll_started_at=T - 500, **more)  # type: ignore[arg-type]
    assert isinstance(early, PollAgain)
    assert early.due_at <= T + 500
    late = decide_poll(watch, Running("pending"), now=T + 900, poll_started_at=T + 600, **more)  # type: ignore[arg-type]
    assert isinstance(late, EndWatch)


@pytest.mark.parametrize(
    ("answered_after_ms", "due_after_ms"),
    [(0, 2_500), (40, 2_500), (1_250, 2_500), (1_300, 2_550), (30_000, 31_250)],
)
def test_the_interval_runs_from_request_to_request(answered_after_ms: int, due_after_ms: int) -> None:
    """What an answer takes is not added to the wait, but half of the wait is left after a slow one."""
    now = T + answered_after_ms
    found = decide_poll(
        A_WATCH,
        RUNNING,
        schedule=replace(SCHEDULE, growth=0.0),
        result_ttl_ms=DAY,
        now=now,
        jitter=0.0,
        poll_started_at=T,
    )
    assert isinstance(found, PollAgain)
    assert found.due_at == T + due_after_ms


def test_retry_after_runs_from_the_answer() -> None:
    """A provider counts from when it says so (RFC 9110, 10.2.3)."""
    found = decide_poll(
        A_WATCH,
        Throttled(10_000, SLOW_DOWN),
        schedule=SCHEDULE,
        result_ttl_ms=DAY,
        now=T + 900,
        jitter=0.0,
        poll_started_at=T,
    )
    assert isinstance(found, PollAgain)
    assert found.due_at == T + 900 + 10_000


def test_missing_is_counted_from_the_first_answer() -> None:
    first = wait(TaskUnknown(404))
    second = wait(TaskUnknown(410), T + 5_000, watch=after(A_WATCH, first))
    assert (first.missing, second.missing) == (MissingStreak(1, T), MissingStreak(2, T))


@pytest.mark.parametrize("verdict", [RUNNING, Running("martian", oddity=ODD)])
def test_an_answer_that_knows_the_task_clears_missing(verdict: Verdict) -> None:
    assert wait(verdict, watch=replace(A_WATCH, missing=MissingStreak(2, T - 60_000))).missing is None


@pytest.mark.parametrize("verdict", [OUTAGE, REFUSED, THROTTLED])
def test_an_unclear_answer_keeps_missing_and_its_near_poll(verdict: Verdict) -> None:
    missing = MissingStreak(7, T - HOUR)
    found = wait(verdict, watch=replace(A_WATCH, missing=missing, interval_ms=60_000))
    assert (found.missing, found.due_at) == (missing, T + 15_000)


def test_at_the_deadline_enough_missing_is_lost_and_too_little_expired() -> None:
    enough = replace(A_WATCH, missing=MissingStreak(2, T))
    assert end(TaskUnknown(404), T + HOUR, watch=enough).state is WatchState.LOST
    assert end(TaskUnknown(404), T + HOUR).state is WatchState.EXPIRED


# ---- trouble


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Running("odd", oddity=ODD), 'provider says "odd", a status we do not know'),
        (TaskUnknown(404), "provider does not know the task (404)"),
        (TaskUnknown(410), "provider does not know the task (410)"),
        (REFUSED, "provider refuses the key (401)"),
        (THROTTLED, "provider throttles (429)"),
        (OUTAGE, "provider answers HTTP 503"),
    ],
)
def test_trouble_is_said_and_its_since_stays_while_it_is_the_same(verdict: Verdict, text: str) -> None:
    first = wait(verdict)
    assert first.trouble is not None
    assert (first.trouble.cause.text(), first.trouble.since) == (text, T)
    again = wait(verdict, T + 9_000, watch=after(A_WATCH, first))
    assert again.trouble == first.trouble
    for other in (Cause(Code.REPLY_EMPTY), Cause(first.trouble.cause.code, {"word": "other", "status": 1})):
        before = replace(A_WATCH, trouble=Trouble(other, T - HOUR))
        assert wait(verdict, watch=before).trouble == first.trouble


def test_a_trouble_that_an_older_version_wrote_is_replaced_by_the_next_poll() -> None:
    """Its text alone was kept, so nothing can be compared with it, even where it reads the same."""
    legacy = Cause(Code.LEGACY, {"text": SERVER_ERROR.text()})
    watch = replace(A_WATCH, trouble=Trouble(legacy, T - HOUR))
    assert wait(OUTAGE, watch=watch).trouble == Trouble(SERVER_ERROR, T)


def test_a_clean_answer_clears_trouble() -> None:
    assert wait(RUNNING, watch=replace(A_WATCH, trouble=Trouble(ODD, T))).trouble is None


def test_the_last_known_status_stays_when_nothing_new_is_said() -> None:
    assert wait(OUTAGE).upstream_status == "pending"
    assert wait(Running(None)).upstream_status == "pending"
    assert wait(RUNNING).upstream_status == "processing"


# ---- finished


def test_an_outcome_is_passed_on_as_it_is() -> None:
    error = TaskError("provider", 3001, "Invalid Request", None)
    verdict = Finished(WatchState.FAILED, "failed", (), error, '{"a": 1}', T - 60_000, T - 1_000)
    assert decide(verdict) == EndWatch(
        state=WatchState.FAILED,
        upstream_status="failed",
        outputs=(),
        error=error,
        payload='{"a": 1}',
        result_expires_at=None,
        task_created_at=T - 60_000,
        duration_ms=59_000,
        finished_at=T - 1_000,
        summary="failed",
    )


@pytest.mark.parametrize(
    ("finished_at", "expected"),
    [
        (None, T + DAY),
        (T - 90_000, T - 90_000 + DAY),
        (T, T + DAY),
        (T + HOUR, T + DAY),
        (T - 10 * DAY, T - 9 * DAY),
        (T - 30 * DAY, T - 29 * DAY),
        (T - 31 * DAY, T + DAY),
        (1_699_335_116_000, T + DAY),
        (0, T + DAY),
    ],
)
def test_the_life_of_results_counts_from_the_providers_finish(finished_at: int | None, expected: int) -> None:
    assert end(replace(DONE, finished_at=finished_at)).result_expires_at == expected


@pytest.mark.parametrize(("finished_at", "expected"), [(None, None), (T - 90_000, T - 90_000), (T + HOUR, T)])
def test_an_end_says_when_the_provider_had_it_end(finished_at: int | None, expected: int | None) -> None:
    """Nothing where it did not say: what we would put there tells of ourselves."""
    assert end(replace(DONE, finished_at=finished_at)).finished_at == expected


def test_an_unknown_life_expires_never() -> None:
    assert end(DONE, ttl_ms=0).result_expires_at is None


def test_a_result_without_outputs_expires_too() -> None:
    """PROVIDER-TABLES, result_ttl: the payload may hold what outputs does not find."""
    assert end(replace(DONE, outputs=())).result_expires_at == end(DONE).result_expires_at
    assert end(replace(DONE, state=WatchState.FAILED, outputs=())).result_expires_at is None


def test_the_providers_own_expiry_wins_over_the_lifetime() -> None:
    assert end(replace(DONE, expires_at=T + 7)).result_expires_at == T + 7
    assert end(replace(DONE, expires_at=T + 7), ttl_ms=0).result_expires_at == T + 7


def test_a_creation_time_known_before_is_kept_at_the_end() -> None:
    known = replace(A_WATCH, task_created_at=T - 5_000)
    assert end(DONE, watch=known).task_created_at == T - 5_000
    assert end(replace(DONE, created_at=T - 6_000), watch=known).task_created_at == T - 6_000


# ---- properties

WAITS_MS = st.none() | st.integers(1_000, HOUR)
ANY_CAUSE = st.builds(
    Cause, st.sampled_from(Code), st.dictionaries(st.sampled_from(["detail", "text"]), st.text())
)
VERDICTS = st.one_of(
    st.builds(
        Running,
        st.just("processing"),
        st.none() | st.integers(-(10**15), 10**15),
        st.none() | st.just(ODD),
        WAITS_MS,
    ),
    st.builds(TaskUnknown, st.sampled_from([404, 410])),
    st.builds(AccountRefused, st.just(401), ANY_CAUSE),
    st.builds(Throttled, WAITS_MS, ANY_CAUSE),
    st.builds(Inconclusive, ANY_CAUSE, st.sampled_from(InconclusiveKind), WAITS_MS),
)


@pytest.mark.fault(63)
@given(st.lists(VERDICTS, max_size=300), st.floats(0, 1, exclude_max=True), st.integers(50, DAY))
def test_whatever_is_answered_a_watch_ends_by_its_deadline_and_never_spins(
    verdicts: list[Verdict], jitter: float, life_ms: int
) -> None:
    """Any answers, at any times."""
    watch, now = replace(A_WATCH, expires_at=T + life_ms), T
    for verdict in verdicts:
        found = decide(verdict, now, watch=watch, jitter=jitter)
        if isinstance(found, EndWatch):
            assert found.state in {WatchState.LOST, WatchState.EXPIRED}
            assert found.state is WatchState.LOST or now == watch.expires_at
            return
        assert now < found.due_at <= watch.expires_at
        assert found.due_at - now >= SCHEDULE.min_interval_ms or found.due_at == watch.expires_at
        assert watch.interval_ms <= found.interval_ms <= 66_000
        assert found.trouble is None or found.trouble.since <= now
        watch, now = after(watch, found), found.due_at


@pytest.mark.parametrize("verdict", [REFUSED, THROTTLED, OUTAGE])
def test_downtime_of_ours_expires_nothing_that_the_provider_was_not_heard_about(verdict: Verdict) -> None:
    """Found long past its deadline: silence gets five minutes more, a word about the task settles it."""
    watch = replace(A_WATCH, expires_at=T - DAY)
    first = decide(verdict, watch=watch)
    assert isinstance(first, PollAgain)
    assert first.due_at > T
    again = replace(watch, trouble=first.trouble, last_polled_at=T)
    assert isinstance(decide(verdict, T + 299_000, watch=again), PollAgain)
    assert isinstance(decide(verdict, T + 300_000, watch=again), EndWatch)
    assert isinstance(decide(RUNNING, watch=watch), EndWatch)


@pytest.mark.parametrize("verdict", [REFUSED, THROTTLED, OUTAGE])
def test_trouble_from_before_a_downtime_of_ours_does_not_count_as_patience(verdict: Verdict) -> None:
    """It was there when we stopped and is there still; what the task did meanwhile, nobody has asked."""
    before = wait(verdict, T, watch=A_WATCH)
    watch = replace(after(A_WATCH, before), last_polled_at=T, expires_at=T + 1_000)
    late = T + 5 * HOUR
    first = wait(verdict, late, watch=watch)
    watch = replace(after(watch, first), last_polled_at=late)
    wait(verdict, late + 299_000, watch=watch)
    end(verdict, late + 300_000, watch=watch)


@pytest.mark.fault(63)
def test_silence_that_changes_its_words_gets_five_minutes_in_all() -> None:
    """A task whose page fails in a different way each time, at a provider that is up, would never end."""
    watch, now = replace(A_WATCH, expires_at=T - DAY), T
    for polls in range(100):
        cause = Cause(Code.PROVIDER_SERVER_ERROR, {"status": 502 + polls % 2})
        found = decide(Inconclusive(cause, InconclusiveKind.SERVER_ERROR), now, watch=watch)
        if isinstance(found, EndWatch):
            break
        watch, now = replace(after(watch, found), last_polled_at=now), found.due_at
    assert T + 300_000 <= now < T + 400_000


@pytest.mark.parametrize("verdict", UNFINISHED)
def test_in_the_usual_run_the_deadline_is_kept_whatever_the_provider_says(verdict: Verdict) -> None:
    """The last poll is made at the deadline, and judges it."""
    assert isinstance(decide(verdict, watch=replace(A_WATCH, expires_at=T)), EndWatch)


VIDEO = TaskDurations(finished_count=50, p5_ms=150_000, p50_ms=300_000, p90_ms=500_000)


def test_what_is_known_of_such_tasks_decides_the_step() -> None:
    watch = replace(A_WATCH, polls=1, last_polled_at=T + 100 * SECOND)
    now = T + 200 * SECOND
    assert wait(RUNNING, now, watch=watch, durations=VIDEO).due_at == now + 14_700
    assert wait(RUNNING, now, watch=watch, durations=replace(VIDEO, finished_count=9)).due_at == now + 20_000
    assert wait(RUNNING, now, watch=watch).due_at == now + 20_000


@pytest.mark.parametrize(
    ("verdict", "over", "durations", "rule", "text"),
    [
        (RUNNING, {}, None, ScheduleRule.AGE, "by age: the task is 200 s old"),
        (RUNNING, {}, replace(VIDEO, finished_count=9), ScheduleRule.AGE, "by age: the task is 200 s old"),
        (
            RUNNING,
            {},
            VIDEO,
            ScheduleRule.LEARNED,
            "learned: the task is 200 s old, such take 150 s to 500 s (50 have ended)",
        ),
        (
            Throttled(40_000, SLOW_DOWN),
            {},
            VIDEO,
            ScheduleRule.RETRY_AFTER,
            "the provider asks to wait 40.0 s",
        ),
        (Throttled(1_000, SLOW_DOWN), {}, None, ScheduleRule.FAILING, "the last poll failed"),
        (OUTAGE, {"failures": 4}, None, ScheduleRule.FAILING, "the last 5 polls failed"),
        (
            TaskUnknown(404),
            {},
            None,
            ScheduleRule.MISSING,
            "the provider does not know the task; whether it is lost is told soon",
        ),
        (RUNNING, {"expires_at": T + 201 * SECOND}, VIDEO, ScheduleRule.DEADLINE, "its deadline is then"),
    ],
)
def test_each_wait_says_which_rule_had_the_last_word(
    verdict: Verdict, over: dict[str, Any], durations: TaskDurations | None, rule: ScheduleRule, text: str
) -> None:
    found = wait(verdict, T + 200 * SECOND, watch=replace(A_WATCH, **over), durations=durations).reason
    assert (found.rule, found.text) == (rule, text)


@pytest.mark.parametrize(
    ("state", "expected"),
    [(WatchState.COMPLETED, 15_000), (WatchState.FAILED, 15_000), (WatchState.CANCELLED, None)],
)
def test_how_long_it_took_is_told_of_what_ended_by_itself(state: WatchState, expected: int | None) -> None:
    verdict = Finished(state, state.value, (), None, "{}", T, T + 15 * SECOND)
    assert end(verdict, T + 16 * SECOND).duration_ms == expected


def test_a_watch_that_we_end_says_nothing_of_how_long_tasks_take() -> None:
    assert end(RUNNING, T + HOUR).duration_ms is None
