"""Hold back requests to a peer that may be down.

The breaker blocks after failures in a row, then permits single probes, and allows all requests after the
first success. It is a value: each function returns the next one. API, page and commands call it a gate.

``is_probe`` says whether a reported request was a probe. A request that was in flight when the breaker began
to block may report late. It must not delay the next probe.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from notifier.core.causes.cause import Cause

FAILURE_THRESHOLD = 3  # no record of why; changing it needs a measurement
FIRST_PROBE_MS = 5_000  # no record of why; changing it needs a measurement
MAX_PROBE_INTERVAL_MS = 60_000  # CONTRACT P7: work resumes within 60 s after a fault
PROBE_TIMEOUT_MS = 20_000  # longer than a request can take: both timeouts are 15 s by default


class Permit(StrEnum):
    """Whether a request may start now: freely, as the only probe, or not."""

    ALLOW = "allow"
    PROBE = "probe"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """The state of a breaker. It blocks since ``since``; None: it allows.

    ``reason`` is the cause of the latest failure. ``failures`` counts failures in a row, ``probes`` the
    probes since ``since``. ``probe_at`` is the time of the next probe, never before ``paused_until``.
    """

    failures: int = 0
    since: int | None = None
    reason: Cause | None = None
    probe_at: int = 0
    probes: int = 0
    paused_until: int = 0


def permit(gate: CircuitBreaker, now: int) -> Permit:
    """Return whether a request may start now."""
    if gate.since is None:
        return Permit.ALLOW
    return Permit.PROBE if now >= gate.probe_at else Permit.BLOCK


def record_probe(gate: CircuitBreaker, now: int, *, timeout_ms: int = PROBE_TIMEOUT_MS) -> CircuitBreaker:
    """Record the start of the only probe.

    No other request starts until it has reported. If it never reports, the next probe may start after
    ``timeout_ms``, which must be longer than a request can take.
    """
    return replace(gate, probes=gate.probes + 1, probe_at=now + timeout_ms)


def record_failure(
    gate: CircuitBreaker,
    reason: Cause,
    now: int,
    *,
    is_probe: bool,
    threshold: int = FAILURE_THRESHOLD,
    cap_ms: int = MAX_PROBE_INTERVAL_MS,
) -> CircuitBreaker:
    """Record a failure. The ``threshold``-th in a row blocks; a failed probe delays the next one."""
    if gate.since is None:
        failures = gate.failures + 1
        counted = replace(gate, failures=failures, reason=reason)
        return _block(counted, now, now + _wait_ms(0, cap_ms)) if failures >= threshold else counted
    if not is_probe:
        return gate
    probe_at = max(now + _wait_ms(gate.probes, cap_ms), gate.paused_until)
    return replace(gate, failures=gate.failures + 1, reason=reason, probe_at=probe_at)


def block_until(
    gate: CircuitBreaker,
    until: int,
    reason: Cause,
    now: int,
    *,
    is_probe: bool,
    cap_ms: int = MAX_PROBE_INTERVAL_MS,
) -> CircuitBreaker:
    """Block at once, without a probe before ``until`` (a ``Retry-After``). Keep a longer wait."""
    paused_until = max(gate.paused_until, until)
    if gate.since is None:
        counted = replace(gate, failures=gate.failures + 1, reason=reason, paused_until=paused_until)
        return _block(counted, now, paused_until)
    put_off = record_failure(gate, reason, now, is_probe=is_probe, cap_ms=cap_ms)
    return replace(
        put_off, reason=reason, paused_until=paused_until, probe_at=max(put_off.probe_at, paused_until)
    )


def record_success(gate: CircuitBreaker, now: int) -> CircuitBreaker:
    """Record a success. It allows all requests, unless a pause that the peer requested is not over.

    During a pause the success is of a request that was in flight before, so it says nothing about the pause.
    """
    return gate if now < gate.paused_until else CircuitBreaker()


def shift_breaker(gate: CircuitBreaker, delta_ms: int) -> CircuitBreaker:
    """Return the breaker for a clock that was stepped by ``delta_ms``."""
    return replace(
        gate,
        since=None if gate.since is None else gate.since + delta_ms,
        probe_at=gate.probe_at + delta_ms,
        paused_until=gate.paused_until + delta_ms,
    )


def _block(gate: CircuitBreaker, now: int, probe_at: int) -> CircuitBreaker:
    return replace(gate, since=now, probes=0, probe_at=probe_at)


def _wait_ms(probes: int, cap_ms: int) -> int:
    return min(FIRST_PROBE_MS << min(probes, 30), cap_ms)
