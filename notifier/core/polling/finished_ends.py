"""End watches whose task the provider reports as finished."""

from dataclasses import replace

from notifier.core.causes.cause import Audience
from notifier.core.model import TaskError, Watch, WatchState
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.task_age import find_finish, measure_duration_ms
from notifier.core.polling.verdict import Finished, NotPolled, ResultPending


def end_finished(watch: Watch, verdict: Finished, result_ttl_ms: int, now: int) -> EndWatch:
    """End the watch as the provider says."""
    # An end some days ago counts, because its links may have expired.
    finished_at = find_finish(watch, verdict.finished_at, now)
    created_at = watch.task_created_at if verdict.created_at is None else verdict.created_at
    # A cancelled task does not show how long such tasks take.
    is_whole = verdict.state in (WatchState.COMPLETED, WatchState.FAILED)
    return EndWatch(
        state=verdict.state,
        upstream_status=verdict.upstream_status,
        outputs=verdict.outputs,
        error=verdict.error,
        payload=verdict.payload,
        result_expires_at=_find_result_expiry(verdict, finished_at, result_ttl_ms, now),
        task_created_at=created_at,
        duration_ms=measure_duration_ms(watch, created_at, verdict.finished_at, now) if is_whole else None,
        finished_at=finished_at,
        notes=verdict.notes,
    )


def end_without_result(watch: Watch, pending: ResultPending, result_ttl_ms: int, now: int) -> EndWatch:
    """End the watch of a completed task whose result could not be read before the deadline.

    The event is ``task.completed`` still, because only the provider says how a task ended (CONTRACT P4).
    """
    failure = pending.failure
    is_polled = not isinstance(failure, NotPolled)
    detail = None
    if failure is not None:
        why = failure.condition if isinstance(failure, NotPolled) else failure.cause
        detail = why.text(Audience.RECEIVER)
    title = "The task completed, but its result could not be read"
    error = TaskError("notifier", "result_unavailable", title, detail)
    end = end_finished(watch, replace(pending.first, error=error), result_ttl_ms, now)
    return replace(end, is_polled=is_polled)


def _find_result_expiry(
    verdict: Finished, finished_at: int | None, result_ttl_ms: int, now: int
) -> int | None:
    """Return until when the result can be fetched: as the reply says, else by how long results live."""
    has_result = verdict.state is WatchState.COMPLETED or bool(verdict.outputs)
    if not has_result or verdict.expires_at is not None:
        return verdict.expires_at if has_result else None
    return (now if finished_at is None else finished_at) + result_ttl_ms if result_ttl_ms else None
