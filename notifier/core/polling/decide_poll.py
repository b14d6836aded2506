"""Decide what follows for a watch from the verdict of a poll."""

from dataclasses import dataclass, replace
from typing import assert_never

from notifier.core.causes.cause import Audience, Cause
from notifier.core.model import MissingStreak, Trouble, Watch
from notifier.core.polling import age_schedule, learned_schedule
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.completion import completion_to_json
from notifier.core.polling.decision import EndWatch, PollAgain, PollDecision, ScheduleReason, ScheduleRule
from notifier.core.polling.evidence import classify_verdict
from notifier.core.polling.finished_ends import end_finished, end_without_result
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.polling.task_age import find_start
from notifier.core.polling.unfinished_ends import end_expired, end_lost
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    NotPolled,
    ResultPending,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
    describe_verdict,
)

LOST_MIN_REPLIES = 3  # CONTRACT, Names: lost after at least three replies …
LOST_MIN_MS = 30_000  # … over at least 30 s …
# … or longer, and told within 3 min, where nothing shows that the path works and the task was there.
LOST_MIN_UNPROVEN_MS = 150_000
# A last poll later than this follows a stop of the daemon. No record of why; changing it needs a measurement.
LATE_MS = 10_000
# Past the deadline without a reply about the task. No record of why; changing it needs a measurement.
OVERDUE_GRACE_MS = 300_000
MISSING_INTERVAL_MS = 15_000  # CONTRACT, Names: three replies over 30 s, an event within 60 s

_MISSING = ScheduleReason(ScheduleRule.MISSING)
_DEADLINE = ScheduleReason(ScheduleRule.DEADLINE)

# A gateway's page says as little about the task as no reply.
_OF_THE_TASK = frozenset({InconclusiveKind.STATUS, InconclusiveKind.UNREADABLE, InconclusiveKind.INTERNAL})

_OpenVerdict = Running | TaskUnknown | AccountRefused | Throttled | Inconclusive


@dataclass(frozen=True, slots=True)
class ScheduleInputs:
    """The inputs of the interval beside the watch: settings, and learned durations."""

    schedule: AgeSchedule
    result_ttl_ms: int
    durations: TaskDurations | None = None
    lost_min_ms: int = LOST_MIN_MS


def decide_poll(
    watch: Watch,
    verdict: Verdict,
    *,
    schedule: AgeSchedule,
    result_ttl_ms: int,
    now: int,
    jitter: float,
    poll_started_at: int | None = None,
    durations: TaskDurations | None = None,
    lost_min_ms: int = LOST_MIN_MS,
) -> PollDecision:
    """Decide whether and how the watch ends now, or when it is polled again.

    ``poll_started_at`` is the start of the poll (None: now). Only a poll that started after the deadline ends
    a watch by it. ``durations`` are the learned ones; without them the interval follows from age.
    ``lost_min_ms`` is how long a task must be unknown before it ends as lost.
    """
    decision: PollDecision
    when = (now if poll_started_at is None else poll_started_at, now)
    inputs = ScheduleInputs(schedule, result_ttl_ms, durations, lost_min_ms)
    match verdict:
        case Finished():
            decision = end_finished(watch, verdict, result_ttl_ms, now)
        case NotPolled(condition=condition):
            if now < watch.expires_at:
                raise AssertionError("an unpolled watch is decided at its deadline only")
            why = condition.text(Audience.RECEIVER)
            decision = end_expired(watch, watch.upstream_status, watch.task_created_at, why, is_polled=False)
        case Running() | TaskUnknown() | AccountRefused() | Throttled() | Inconclusive():
            decision = _decide_unfinished(watch, verdict, inputs, when, jitter)
        case ResultPending():
            decision = _decide_pending(watch, verdict, inputs, when, jitter)
        case _:
            assert_never(verdict)
    return replace(decision, summary=describe_verdict(verdict))


def _decide_pending(
    watch: Watch, pending: ResultPending, inputs: ScheduleInputs, when: tuple[int, int], jitter: float
) -> PollDecision:
    """Read the result of a completed task at once, then at the pace of the polls, until the deadline."""
    if isinstance(pending.failure, NotPolled):
        return end_without_result(watch, pending, inputs.result_ttl_ms, when[1])
    if pending.failure is None:
        return _read_result_now(watch, pending, when[1])
    decision = _decide_unfinished(watch, pending.failure, inputs, when, jitter)
    if isinstance(decision, EndWatch):
        return end_without_result(watch, pending, inputs.result_ttl_ms, when[1])
    return replace(decision, upstream_status=pending.first.upstream_status)


def _read_result_now(watch: Watch, pending: ResultPending, now: int) -> PollAgain:
    created_at = pending.first.created_at
    return PollAgain(
        due_at=now,
        interval_ms=watch.interval_ms,
        upstream_status=pending.first.upstream_status,
        task_created_at=watch.task_created_at if created_at is None else created_at,
        trouble=None,
        missing=None,
        reason=ScheduleReason(ScheduleRule.RESULT),
        completion=completion_to_json(pending),
    )


def _decide_unfinished(
    watch: Watch, verdict: _OpenVerdict, inputs: ScheduleInputs, when: tuple[int, int], jitter: float
) -> PollDecision:
    poll_started_at, now = when
    status, created_at = watch.upstream_status, watch.task_created_at
    if isinstance(verdict, Running):
        status = verdict.upstream_status or status
        created_at = created_at if verdict.created_at is None else verdict.created_at
    missing = _count_missing(watch, verdict, now)
    trouble = _update_trouble(watch, verdict, poll_started_at, now)
    if isinstance(verdict, TaskUnknown) and missing and _is_lost(missing, now, inputs.lost_min_ms):
        return end_lost(status, created_at, missing, verdict.status, now)
    if _has_expired(watch, verdict, trouble, poll_started_at):
        why = trouble.cause.text(Audience.RECEIVER) if trouble else None
        return end_expired(watch, status, created_at, why)
    interval, reason = _compute_interval(watch, inputs, now - find_start(watch, created_at, now), jitter)
    failures = watch.failures + 1 if classify_verdict(verdict).is_failure else 0
    wait_ms, reason = _compute_wait(inputs.schedule, (interval, reason), missing, failures)
    paced_at = _pace(poll_started_at, now, wait_ms)
    due_at, reason = _compute_due(watch, (paced_at, reason), when, _get_retry_after_ms(verdict) or 0)
    return PollAgain(
        due_at=due_at,
        interval_ms=interval,
        upstream_status=status,
        task_created_at=created_at,
        trouble=trouble,
        missing=missing,
        failures=failures,
        paced_due_at=paced_at if failures and paced_at < due_at else None,
        reason=reason,
    )


def _compute_interval(
    watch: Watch, inputs: ScheduleInputs, age_ms: int, jitter: float
) -> tuple[int, ScheduleReason]:
    """Return the interval, and the rule that it follows. Other rules may still move the next poll."""
    durations, last_ms = inputs.durations, watch.interval_ms
    if durations is None or not durations.is_reliable:
        interval = age_schedule.compute_interval_ms(
            inputs.schedule, age_ms=age_ms, last_interval_ms=last_ms, jitter=jitter
        )
        return interval, ScheduleReason(ScheduleRule.AGE, age_ms)
    interval = learned_schedule.compute_interval_ms(
        durations,
        inputs.schedule,
        age_ms=age_ms,
        last_interval_ms=last_ms,
        jitter=jitter,
        result_ttl_ms=inputs.result_ttl_ms,
    )
    return interval, ScheduleReason(ScheduleRule.LEARNED, age_ms, durations)


def _compute_wait(
    schedule: AgeSchedule, paced: tuple[int, ScheduleReason], missing: MissingStreak | None, failures: int
) -> tuple[int, ScheduleReason]:
    """Return the wait until the next poll, which the state of the watch makes longer or shorter.

    While a task is missing, the promise to tell of it within 60 s goes before the interval.
    """
    wait_ms, reason = paced
    if failures:
        wait_ms = age_schedule.compute_backoff_ms(schedule, wait_ms, failures)
        reason = ScheduleReason(ScheduleRule.FAILING, failures=failures)
    if missing is not None and wait_ms > MISSING_INTERVAL_MS:
        return MISSING_INTERVAL_MS, _MISSING
    return wait_ms, reason


def _compute_due(
    watch: Watch, paced: tuple[int, ScheduleReason], when: tuple[int, int], retry_ms: int
) -> tuple[int, ScheduleReason]:
    """Return when to poll next, and the rule that decided it."""
    poll_started_at, now = when
    due_at, reason = paced
    if now + retry_ms > due_at:
        due_at = now + retry_ms
        reason = ScheduleReason(ScheduleRule.RETRY_AFTER, wait_ms=retry_ms)
    deadline = max(watch.expires_at, now)
    if poll_started_at < watch.expires_at and deadline < due_at:
        return deadline, _DEADLINE
    return due_at, reason


def _has_expired(watch: Watch, verdict: _OpenVerdict, trouble: Trouble | None, poll_started_at: int) -> bool:
    """Return whether the deadline ends the watch now.

    The last poll is made at the deadline. A later one follows a stop of the daemon, and the task may have
    finished meanwhile. So a provider that says nothing about the task then gets ``OVERDUE_GRACE_MS`` more.
    """
    if poll_started_at < watch.expires_at:
        return False
    if _is_about_task(verdict) or poll_started_at - watch.expires_at <= LATE_MS:
        return True
    return trouble is not None and poll_started_at - trouble.since >= OVERDUE_GRACE_MS


def _is_about_task(verdict: _OpenVerdict) -> bool:
    """Return whether the reply says something about this task."""
    match verdict:
        case Running() | TaskUnknown():
            return True
        case Inconclusive(kind=kind):
            return kind in _OF_THE_TASK
        case AccountRefused() | Throttled():
            return False
        case _:
            assert_never(verdict)


def _pace(poll_started_at: int, now: int, wait_ms: int) -> int:
    """Return the time of the next poll: one wait after the last start, and half a wait from now at least."""
    return max(poll_started_at + wait_ms, now + wait_ms // 2)


def _count_missing(watch: Watch, verdict: _OpenVerdict, now: int) -> MissingStreak | None:
    match verdict:
        case Running():
            return None
        case TaskUnknown():
            last = watch.missing
            return MissingStreak(1, now) if last is None else MissingStreak(last.count + 1, last.since)
        case Inconclusive(kind=InconclusiveKind.VANISHED):
            return None
        case AccountRefused() | Throttled() | Inconclusive():
            return watch.missing
        case _:
            assert_never(verdict)


def _is_lost(missing: MissingStreak, now: int, lost_min_ms: int) -> bool:
    return missing.count >= LOST_MIN_REPLIES and now - missing.since >= lost_min_ms


def _update_trouble(watch: Watch, verdict: _OpenVerdict, poll_started_at: int, now: int) -> Trouble | None:
    """Return the trouble after a poll, and since when it lasts.

    ``OVERDUE_GRACE_MS`` counts from that time. So past the deadline it is the time of the first late poll,
    whatever the trouble was before and whatever its cause is later.
    """
    cause, last = _find_cause(verdict), watch.trouble
    if cause is None:
        return None
    was_past = watch.last_polled_at is not None and watch.last_polled_at >= watch.expires_at
    if was_past and last is not None:
        return Trouble(cause, last.since)
    is_same = last is not None and last.cause == cause and poll_started_at - watch.expires_at <= LATE_MS
    return last if is_same else Trouble(cause, now)


def _find_cause(verdict: _OpenVerdict) -> Cause | None:
    return verdict.oddity if isinstance(verdict, Running) else verdict.cause


def _get_retry_after_ms(verdict: _OpenVerdict) -> int | None:
    match verdict:
        case (
            Running(retry_after_ms=wait_ms)
            | Throttled(retry_after_ms=wait_ms)
            | Inconclusive(retry_after_ms=wait_ms)
        ):
            return wait_ms
        case TaskUnknown() | AccountRefused():
            return None
        case _:
            assert_never(verdict)
