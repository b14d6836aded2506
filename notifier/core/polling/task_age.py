"""Compute the age and the duration of a task: by the provider's times if plausible, else by our polls."""

from notifier.core.model import Watch

# An older stamp is implausible. No record of why; changing it needs a measurement.
MAX_AGE_AT_REGISTRATION_MS = 86_400_000
STAMP_PRECISION_MS = 1_000  # stamps are often cut to the second
# A user who registers a task late knows it from days ago; samples in documents and test servers show years.
MAX_FINISH_AGE_AT_REGISTRATION_MS = 30 * 86_400_000
# A poll later than this says little of the end. No record of why; changing it needs a measurement.
MAX_POLL_DELAY_MS = 10_000


def find_start(watch: Watch, created_at: int | None, now: int) -> int:
    """Return the provider's creation time of the task if it is plausible, else that of the registration.

    Documents and test servers have fixed times that are years old. With those, polling would start at the
    maximum interval.
    """
    oldest = watch.registered_at - MAX_AGE_AT_REGISTRATION_MS
    is_plausible = created_at is not None and oldest <= created_at <= now
    return created_at if created_at is not None and is_plausible else watch.registered_at


def find_finish(watch: Watch, finished_at: int | None, now: int) -> int | None:
    """Return the provider's end time of the task if it is plausible, at most now; else None.

    A task cannot end before the last reply that found it running, nor a month before its registration.
    """
    earliest = watch.registered_at - MAX_FINISH_AGE_AT_REGISTRATION_MS
    if _was_running(watch) and watch.last_polled_at is not None:
        earliest = max(earliest, watch.last_polled_at - STAMP_PRECISION_MS)
    return None if finished_at is None or finished_at < earliest else min(finished_at, now)


def measure_duration_ms(
    watch: Watch, created_at: int | None, finished_at: int | None, now: int
) -> int | None:
    """Return the duration of a task that a poll has just found finished; None if it is too uncertain.

    The provider's two times are of one clock, so a wrong clock does not matter. They are not used if the task
    was seen running for longer. Otherwise the end is taken to be in the middle of the time since the last
    poll. This needs a last poll that found it running, and a poll that was not late.
    """
    began = find_start(watch, created_at, now)
    if began == created_at and finished_at is not None:
        reported_ms = finished_at - began
        if reported_ms >= max(0, _measure_running_ms(watch) - STAMP_PRECISION_MS):
            return min(reported_ms, now - began)
    gap = _measure_gap_ms(watch, now)
    return None if gap is None else max(0, now - began - gap // 2)


def _was_running(watch: Watch) -> bool:
    """Return whether the last reply found the task running."""
    return watch.last_polled_at is not None and watch.trouble is None


def _measure_running_ms(watch: Watch) -> int:
    seen_at = watch.last_polled_at if _was_running(watch) else None
    return 0 if seen_at is None else seen_at - watch.registered_at


def _measure_gap_ms(watch: Watch, now: int) -> int | None:
    """Return the time without a known state of the task; None if it was longer than planned."""
    if watch.trouble is not None:
        return None
    if watch.last_polled_at is None:
        since, planned = watch.registered_at, (watch.due_at or watch.registered_at) - watch.registered_at
    else:
        since, planned = watch.last_polled_at, watch.interval_ms
    gap = max(0, now - since)
    return gap if gap <= planned + MAX_POLL_DELAY_MS else None
