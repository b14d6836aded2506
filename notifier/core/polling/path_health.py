"""The health of one api_path of a provider: its circuit breaker, and what its latest polls say about it.

One task that fails says nothing about the others. Three different tasks that fail in a row, with no reply
about any task between, block the path. Its breaker then permits single probes. A blocked task that has never
failed is probed within ``FRESH_PROBE_MS``, so that a good task among bad ones is not held up by them.

Values in, values out: each function returns the next state.
"""

from dataclasses import dataclass, replace

from notifier.core import circuit_breaker
from notifier.core.causes.cause import Cause, Condition
from notifier.core.circuit_breaker import FAILURE_THRESHOLD, CircuitBreaker, Permit, shift_breaker

FRESH_PROBE_MS = 5_000  # CONTRACT P5: a healthy task is told within its interval plus 5 s
VANISH_WINDOW_MS = 60_000  # CONTRACT, Names, "lost": three or more tasks that vanish within a minute …
VANISH_COUNT = 3  # … are an outage of the path
# Above the 60 s and 15 s between two probes of a blocked path: while each of them finds its task unknown, the
# outage goes on.
VANISH_HOLD_MS = 180_000


@dataclass(frozen=True, slots=True)
class PathHealth:
    """What is known of one api_path.

    ``failed_tasks`` are different tasks that failed since the last reply about any, at most as many as block.
    ``failing_since`` is the instant of the first of these failures. ``vanished`` maps tasks that were seen
    running to the instant at which they were unknown, ``vanishing_until`` is set while that is an outage.
    ``proven_at`` is when a reply last said how a task stands, None before that. ``fresh_probe_at`` is when
    the next task that has never failed may be probed.
    """

    breaker: CircuitBreaker = CircuitBreaker()
    failing_since: int | None = None
    failed_tasks: tuple[str, ...] = ()
    vanished: tuple[tuple[str, int], ...] = ()
    vanishing_until: int = 0
    proven_at: int | None = None
    fresh_probe_at: int = 0

    @property
    def is_blocked(self) -> bool:
        """Return whether only probes may go out."""
        return self.breaker.since is not None

    @property
    def is_failing(self) -> bool:
        """Return whether the latest poll of the path failed."""
        return bool(self.failed_tasks) or self.is_blocked

    @property
    def condition(self) -> Condition | None:
        """Return what is wrong with the path, and since when; None where nothing is."""
        if not self.is_failing or self.breaker.reason is None:
            return None
        return Condition(self.breaker.reason, self.failing_since)


@dataclass(frozen=True, slots=True)
class PathCondition:
    """What is wrong with an api_path. It is blocked, or the latest poll of it failed."""

    provider: str
    api_path: str
    condition: Condition
    next_probe_at: int | None

    @property
    def is_blocked(self) -> bool:
        """Return whether only probes may go out."""
        return self.next_probe_at is not None


def permit(path: PathHealth, now: int) -> Permit:
    """Return whether any task of the path may be polled, one as a probe, or none."""
    return circuit_breaker.permit(path.breaker, now)


def permits_fresh_probe(path: PathHealth, now: int) -> bool:
    """Return whether one task of a blocked path that has never failed may be polled."""
    return path.is_blocked and now >= path.fresh_probe_at


def record_probe(path: PathHealth, now: int, *, is_fresh: bool, timeout_ms: int) -> PathHealth:
    """Record that a probe starts. One of a fresh task does not move the schedule of the others."""
    breaker = path.breaker
    if not is_fresh:
        breaker = circuit_breaker.record_probe(breaker, now, timeout_ms=timeout_ms)
    return replace(path, breaker=breaker, fresh_probe_at=now + FRESH_PROBE_MS)


def record_reply(path: PathHealth, now: int, *, has_status: bool) -> PathHealth:
    """Record a reply about a task, which ends every streak of failures and unblocks the path."""
    return replace(
        path,
        breaker=circuit_breaker.record_success(path.breaker, now),
        failing_since=None,
        failed_tasks=(),
        proven_at=now if has_status else path.proven_at,
    )


def record_failure(
    path: PathHealth, task_id: str, cause: Cause, now: int, *, is_probe: bool, cap_ms: int
) -> PathHealth:
    """Record a failed poll. A task that fails again does not count twice."""
    if not path.is_blocked and task_id in path.failed_tasks:
        return path
    breaker = circuit_breaker.record_failure(path.breaker, cause, now, is_probe=is_probe, cap_ms=cap_ms)
    is_new_block = breaker.since is not None and not path.is_blocked
    return replace(
        path,
        breaker=breaker,
        failing_since=now if path.failing_since is None else path.failing_since,
        failed_tasks=(*path.failed_tasks, task_id)[:FAILURE_THRESHOLD],
        fresh_probe_at=now + FRESH_PROBE_MS if is_new_block else path.fresh_probe_at,
    )


def record_vanished(path: PathHealth, task_id: str, now: int) -> PathHealth:
    """Record that a task which was seen running is unknown now."""
    recent = tuple(
        (other, at) for other, at in path.vanished if other != task_id and now - at < VANISH_WINDOW_MS
    )
    vanished = (*recent, (task_id, now))[-VANISH_COUNT:]
    is_outage = is_vanishing(path, now) or len(vanished) >= VANISH_COUNT
    return replace(
        path, vanished=vanished, vanishing_until=now + VANISH_HOLD_MS if is_outage else path.vanishing_until
    )


def is_vanishing(path: PathHealth, now: int) -> bool:
    """Return whether so many tasks have vanished that it is an outage of the path."""
    return now < path.vanishing_until


def shift_path(path: PathHealth, delta_ms: int) -> PathHealth:
    """Return the health on a clock that was stepped by ``delta_ms``."""
    return replace(
        path,
        breaker=shift_breaker(path.breaker, delta_ms),
        failing_since=None if path.failing_since is None else path.failing_since + delta_ms,
        vanished=tuple((task_id, at + delta_ms) for task_id, at in path.vanished),
        vanishing_until=path.vanishing_until + delta_ms,
        proven_at=None if path.proven_at is None else path.proven_at + delta_ms,
        fresh_probe_at=path.fresh_probe_at + delta_ms,
    )
