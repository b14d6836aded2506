"""How a watch ends whose task has not: it is lost, or its deadline passed. Used by ``decide_poll``."""

from notifier.core.model import MissingStreak, TaskError, Watch, WatchState
from notifier.core.polling.decision import EndWatch


def end_lost(
    status: str | None, created_at: int | None, missing: MissingStreak, http_status: int, now: int
) -> EndWatch:
    """End the watch because the provider does not know the task."""
    seconds = (now - missing.since) // 1_000
    detail = f"{missing.count} answers in a row over {seconds} s said so, the last with HTTP {http_status}"
    error = TaskError("notifier", "lost", "The provider does not know the task", detail)
    return _end(WatchState.LOST, status, created_at, error)


def end_expired(
    watch: Watch, status: str | None, created_at: int | None, trouble: str | None, *, is_polled: bool = True
) -> EndWatch:
    """End the watch at its deadline. ``trouble`` stands in the event, so it is the text for receivers."""
    status_text = f'the provider last said "{status}"' if status else "the provider never said how it stands"
    detail = f"{status_text}; trouble: {trouble}" if trouble else status_text
    error = TaskError("notifier", "expired", "The deadline passed before the task ended", detail)
    return _end(WatchState.EXPIRED, status, created_at, error, is_polled=is_polled)


def _end(
    state: WatchState, status: str | None, created_at: int | None, error: TaskError, *, is_polled: bool = True
) -> EndWatch:
    return EndWatch(
        state=state,
        upstream_status=status,
        outputs=(),
        error=error,
        payload=None,
        result_expires_at=None,
        task_created_at=created_at,
        is_polled=is_polled,
    )
