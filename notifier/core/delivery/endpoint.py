"""What stands between a queue of callbacks and their endpoint (a URL without its query).

An outage is the endpoint's, not a message's: three failures in a row, of whatever kind, close its gate, and
what waits burns no attempts. A single probe goes out now and then; the first 2xx opens the gate, wakes all,
and starts slowly. A user may pause it; 410 parks it until a user resumes it (Standard Webhooks: "the endpoint
is gone"). Nothing here ever gives an endpoint up.

What has taken nothing yet, or failed last, is on trial: it gets one message at a time until it takes one. All
that are on trial share a part of the slots, so that however many hang, what works has room.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from notifier.core import circuit_breaker
from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import CircuitBreaker, Permit
from notifier.core.formats.times import format_instant
from notifier.core.model import DeliveryHold

MAX_PRIVATE_PROBE_MS = 60_000  # CONTRACT P7: a receiver on a private address, within 60 s
MAX_PUBLIC_PROBE_MS = 600_000  # CONTRACT P7: a receiver on the internet, within 10 min
# Above each limit per origin that is likely. No record of why; changing it needs a measurement.
MAX_SLOW_START = 64

_UNKNOWN = Cause(Code.LEGACY)  # of a gate that closed before reasons were kept


class FailureScope(StrEnum):
    """Whom a failed attempt speaks against."""

    ENDPOINT = "endpoint"
    EVENT = "event"
    GONE = "gone"


class Suspension(StrEnum):
    """A stop that only a user lifts."""

    PAUSED = "paused"
    GONE = "gone"


_SUSPENSION_CAUSES = {
    Suspension.PAUSED: Cause(Code.ENDPOINT_PAUSED),
    Suspension.GONE: Cause(Code.RECEIVER_GONE),
}


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """Its gate, and how many may be in flight to it while it starts slowly (None: as many as its origin).

    A width of 1 is a trial.
    """

    gate: CircuitBreaker = CircuitBreaker()
    suspension: Suspension | None = None
    concurrency: int | None = 1


@dataclass(frozen=True, slots=True)
class AttemptAccepted:
    """The endpoint took a message."""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """The endpoint did not. ``retry_after_ms`` is clamped already; ``cap_ms`` bounds the wait for a probe."""

    scope: FailureScope
    cause: Cause
    retry_after_ms: int | None
    cap_ms: int


AttemptResult = AttemptAccepted | AttemptFailed


def permit(endpoint: EndpointHealth, now: int) -> Permit:
    """Say whether a message may go out: freely, as the one probe, or not."""
    return Permit.BLOCK if endpoint.suspension is not None else circuit_breaker.permit(endpoint.gate, now)


def count_free_slots(endpoint: EndpointHealth, in_flight: int, now: int, *, most: int) -> int:
    """How many more may go out now, of at most ``most`` at once."""
    match permit(endpoint, now):
        case Permit.ALLOW:
            widest = most if endpoint.concurrency is None else min(endpoint.concurrency, most)
            return max(0, widest - in_flight)
        case Permit.PROBE:
            return 1
        case Permit.BLOCK:
            return 0


def is_longest_due_next(endpoint: EndpointHealth) -> bool:
    """Whether the next probe is what is due longest, not what expires first.

    Every other one is: else a message that the endpoint never takes would be each probe, and hold up all.
    What has just failed is due anew, behind the rest.
    """
    return endpoint.gate.probes % 2 == 1


def record_result(
    endpoint: EndpointHealth, result: AttemptResult, now: int, *, is_probe: bool
) -> EndpointHealth:
    """Return the endpoint after an attempt has been reported."""
    if isinstance(result, AttemptAccepted):
        return _record_success(endpoint, now)
    match result.scope:
        case FailureScope.ENDPOINT:
            return _record_failure(endpoint, result, now, is_probe)
        case FailureScope.GONE:
            return replace(endpoint, suspension=endpoint.suspension or Suspension.GONE)
        case FailureScope.EVENT if endpoint.gate.since is None:
            return replace(endpoint, gate=CircuitBreaker())
        case FailureScope.EVENT:
            # It answers, but with no 2xx yet: that opens nothing.
            return _record_failure(endpoint, result, now, is_probe)
        case _:
            assert_never(result.scope)


def judge_origin(result: AttemptResult) -> bool | None:
    """Whether a new endpoint of the same origin may be trusted at once; None when this report does not say.

    Some callers have a URL for each task. They would be on trial for ever if every URL were.
    """
    if isinstance(result, AttemptAccepted):
        return True
    return False if result.scope is FailureScope.ENDPOINT else None


def is_unblocked(before: EndpointHealth, now_is: EndpointHealth) -> bool:
    """Whether what waits may go again that could not before."""
    return _is_blocked(before) and not _is_blocked(now_is)


def suspend(endpoint: EndpointHealth) -> EndpointHealth:
    """Stop sending on a user's word."""
    return replace(endpoint, suspension=endpoint.suspension or Suspension.PAUSED)


def lift_suspension(endpoint: EndpointHealth) -> EndpointHealth:
    """Send again on a user's word, whatever the gate thought, slowly at first; what is well stays so."""
    return EndpointHealth() if _is_blocked(endpoint) else endpoint


def describe_gate(endpoint: EndpointHealth, *, is_waited_for: bool = True) -> str:
    """Say how it stands, for the API, the command line and the page alike.

    ``is_waited_for``: something waits for it. Where nothing does, a closed gate makes no probe.
    """
    cause = find_hold_cause(endpoint)
    if cause is None:
        return "open" if endpoint.concurrency is None else "open, starting slowly"
    if endpoint.suspension is not None:
        return cause.text()
    word = "closed" if is_waited_for else "closed, but nothing waits (the next callback is its probe)"
    return f"{word}: {cause.text()}"


def find_hold_cause(endpoint: EndpointHealth) -> Cause | None:
    """Return why messages for it are held back; None where nothing holds them."""
    if endpoint.suspension is not None:
        return _SUSPENSION_CAUSES[endpoint.suspension]
    return None if endpoint.gate.since is None else endpoint.gate.reason or _UNKNOWN


def describe_hold(endpoint: EndpointHealth) -> DeliveryHold | None:
    """Say what holds back the messages for it, since when and until when; None where nothing does."""
    cause, gate = find_hold_cause(endpoint), endpoint.gate
    if cause is None:
        return None
    text = describe_gate(endpoint)
    if endpoint.suspension is None and gate.since is not None:
        text += f" since {format_instant(gate.since)}, next probe at {format_instant(gate.probe_at)}"
    return DeliveryHold(text, cause)


def _record_success(endpoint: EndpointHealth, now: int) -> EndpointHealth:
    gate = circuit_breaker.record_success(endpoint.gate, now)
    if gate.since is not None:
        return replace(endpoint, gate=gate)
    return replace(endpoint, gate=gate, concurrency=_widen(endpoint.concurrency))


def _widen(concurrency: int | None) -> int | None:
    """1, 2, 4 …, then without limit."""
    if concurrency is None or concurrency >= MAX_SLOW_START:
        return None
    return concurrency * 2


def _record_failure(
    endpoint: EndpointHealth, result: AttemptFailed, now: int, is_probe: bool
) -> EndpointHealth:
    gate, cap_ms = endpoint.gate, result.cap_ms
    if result.retry_after_ms is not None and result.scope is FailureScope.ENDPOINT:
        until = now + result.retry_after_ms
        shut = circuit_breaker.block_until(gate, until, result.cause, now, is_probe=is_probe, cap_ms=cap_ms)
    else:
        shut = circuit_breaker.record_failure(gate, result.cause, now, is_probe=is_probe, cap_ms=cap_ms)
    return replace(endpoint, gate=shut, concurrency=1)


def _is_blocked(endpoint: EndpointHealth) -> bool:
    return endpoint.suspension is not None or endpoint.gate.since is not None
