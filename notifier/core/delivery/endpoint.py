"""Decide when callbacks to an endpoint (a callback URL without its query) are held back.

An outage concerns the endpoint and not one delivery. So three failures in a row, of any kind, make its
breaker block, and waiting deliveries use up no attempts. Single probes are sent. The first 2xx makes the
breaker allow all, and sending starts slowly. The refusal of an event (400, 422 …) is a failure too, but only
the first one of each event counts: one bad event alone must hold up no other.

A user may pause an endpoint. A 410 parks it until a user resumes it (Standard Webhooks: "the endpoint is
gone"). An endpoint is never given up.

An endpoint that has accepted nothing yet, or failed last, is on trial: it gets one delivery at a time until
it accepts one. ``slots.py`` limits how many slots such endpoints use together.
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

# A success is noted once in this time, because each note is a write. A refusal that is judged by an older
# note is repeated sooner, which harms nobody.
ACCEPTED_PRECISION_MS = 1_000

REFUSAL_STATUSES = frozenset({400, 409, 413, 415, 422})
"""The statuses that may be the fault of the event itself: its bytes are malformed, too many or unwanted."""

_UNKNOWN = Cause(Code.LEGACY)  # of an endpoint that an older version blocked without a reason


class FailureScope(StrEnum):
    """What a failure says something about: the endpoint, the event, or an endpoint that is gone."""

    ENDPOINT = "endpoint"
    EVENT = "event"
    GONE = "gone"


class ProbeOrder(StrEnum):
    """Which waiting delivery is the next probe."""

    MOST_URGENT = "most_urgent"
    LONGEST_DUE = "longest_due"
    NEWEST = "newest"


class Suspension(StrEnum):
    """A hold on an endpoint that only a user lifts."""

    PAUSED = "paused"
    GONE = "gone"


_SUSPENSION_CAUSES = {
    Suspension.PAUSED: Cause(Code.ENDPOINT_PAUSED),
    Suspension.GONE: Cause(Code.RECEIVER_GONE),
}


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """The state of an endpoint: its breaker (``gate``), a suspension, and its slow start.

    ``concurrency`` limits what is in flight during a slow start, and 1 is a trial. None: the limit of the
    origin alone counts. ``accepted_at`` is the time of the last 2xx, to a second; None: there was none.
    ``is_hanging``: the last failure held a slot for long.
    """

    gate: CircuitBreaker = CircuitBreaker()
    suspension: Suspension | None = None
    concurrency: int | None = 1
    accepted_at: int | None = None
    is_hanging: bool = False


@dataclass(frozen=True, slots=True)
class AttemptAccepted:
    """The endpoint accepted the event."""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """The attempt failed. ``retry_after_ms`` is within its limits; ``cap_ms`` bounds the wait for a probe.

    ``is_slow``: it took so long that many of its kind would use up the slots.
    """

    scope: FailureScope
    cause: Cause
    retry_after_ms: int | None
    cap_ms: int
    is_slow: bool = False


AttemptResult = AttemptAccepted | AttemptFailed


def permit(endpoint: EndpointHealth, now: int) -> Permit:
    """Return whether a delivery may be sent now: freely, as the only probe, or not."""
    return Permit.BLOCK if endpoint.suspension is not None else circuit_breaker.permit(endpoint.gate, now)


def count_free_slots(endpoint: EndpointHealth, in_flight: int, now: int, *, limit: int) -> int:
    """Return how many more deliveries may be sent now, of at most ``limit`` at once."""
    match permit(endpoint, now):
        case Permit.ALLOW:
            widest = limit if endpoint.concurrency is None else min(endpoint.concurrency, limit)
            return max(0, widest - in_flight)
        case Permit.PROBE:
            return 1
        case Permit.BLOCK:
            return 0


def choose_probe(endpoint: EndpointHealth) -> ProbeOrder:
    """Return which delivery is the next probe.

    Every other probe is the delivery that is due longest. Otherwise a delivery that the endpoint never
    accepts would be every probe and hold up all others. A delivery that failed is due again behind the rest.
    After a refusal the others are the newest, because an event that was not refused yet tells most.
    """
    gate = endpoint.gate
    if gate.probes % 2 == 1:
        return ProbeOrder.LONGEST_DUE
    is_refused = gate.reason is not None and gate.reason.params.get("status") in REFUSAL_STATUSES
    return ProbeOrder.NEWEST if is_refused else ProbeOrder.MOST_URGENT


def record_result(
    endpoint: EndpointHealth, result: AttemptResult, now: int, *, is_probe: bool, is_repeat: bool = False
) -> EndpointHealth:
    """Return the health of the endpoint after an attempt.

    ``is_repeat``: this event was refused before, or others were accepted since. Then a refusal says nothing
    new about the endpoint.
    """
    if isinstance(result, AttemptAccepted):
        return _record_success(endpoint, now)
    match result.scope:
        case FailureScope.ENDPOINT:
            return _record_failure(endpoint, result, now, is_probe)
        case FailureScope.GONE:
            return replace(endpoint, suspension=endpoint.suspension or Suspension.GONE)
        case FailureScope.EVENT if endpoint.gate.since is None:
            return endpoint if is_repeat else _record_refusal(endpoint, result, now)
        case FailureScope.EVENT:
            # A reply, but no 2xx: the breaker keeps blocking.
            return _record_failure(endpoint, result, now, is_probe)
        case _:
            assert_never(result.scope)


def judge_origin(result: AttemptResult) -> bool | None:
    """Return whether new endpoints of the same origin need no trial; None if this result does not show it.

    Some programs use a URL per task. If each new URL were on trial, all their deliveries would be.
    """
    if isinstance(result, AttemptAccepted):
        return True
    return False if result.scope is FailureScope.ENDPOINT else None


def is_unblocked(before: EndpointHealth, after: EndpointHealth) -> bool:
    """Return whether waiting deliveries may be sent that could not before."""
    return _is_blocked(before) and not _is_blocked(after)


def suspend(endpoint: EndpointHealth) -> EndpointHealth:
    """Return the endpoint after a user paused it."""
    return replace(endpoint, suspension=endpoint.suspension or Suspension.PAUSED)


def lift_suspension(endpoint: EndpointHealth) -> EndpointHealth:
    """Return the endpoint after a user resumed it: it starts slowly, unless it was not blocked."""
    return EndpointHealth(accepted_at=endpoint.accepted_at) if _is_blocked(endpoint) else endpoint


def describe_gate(endpoint: EndpointHealth, *, is_waited_for: bool = True) -> str:
    """Describe the gate in words, for the API, the commands and the page.

    ``is_waited_for``: a delivery waits for it. Without one there are no probes.
    """
    cause = find_hold_cause(endpoint)
    if cause is None:
        return "open" if endpoint.concurrency is None else "open, starting slowly"
    if endpoint.suspension is not None:
        return cause.text()
    word = "closed" if is_waited_for else "closed, but nothing waits (the next callback is its probe)"
    return f"{word}: {cause.text()}"


def find_hold_cause(endpoint: EndpointHealth) -> Cause | None:
    """Return why its deliveries are held back; None if they are not."""
    if endpoint.suspension is not None:
        return _SUSPENSION_CAUSES[endpoint.suspension]
    return None if endpoint.gate.since is None else endpoint.gate.reason or _UNKNOWN


def describe_hold(endpoint: EndpointHealth) -> DeliveryHold | None:
    """Describe what holds its deliveries back, since when and until when; None if nothing does."""
    cause, gate = find_hold_cause(endpoint), endpoint.gate
    if cause is None:
        return None
    text = describe_gate(endpoint)
    if endpoint.suspension is None and gate.since is not None:
        text += f" since {format_instant(gate.since)}, next probe at {format_instant(gate.probe_at)}"
    return DeliveryHold(text, cause)


def _record_success(endpoint: EndpointHealth, now: int) -> EndpointHealth:
    gate = circuit_breaker.record_success(endpoint.gate, now)
    accepted_at = endpoint.accepted_at
    if accepted_at is None or abs(now - accepted_at) >= ACCEPTED_PRECISION_MS:
        accepted_at = now
    concurrency = endpoint.concurrency if gate.since is not None else _widen(endpoint.concurrency)
    return replace(endpoint, gate=gate, concurrency=concurrency, accepted_at=accepted_at, is_hanging=False)


def _record_refusal(endpoint: EndpointHealth, result: AttemptFailed, now: int) -> EndpointHealth:
    """Count the first refusal of an event; unless it makes the breaker block, no trial follows from it."""
    counted = circuit_breaker.record_failure(
        endpoint.gate, result.cause, now, is_probe=False, cap_ms=result.cap_ms
    )
    return replace(endpoint, gate=counted, concurrency=endpoint.concurrency if counted.since is None else 1)


def _widen(concurrency: int | None) -> int | None:
    """Double the concurrency of a slow start; None is without a limit."""
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
    return replace(endpoint, gate=shut, concurrency=1, is_hanging=result.is_slow)


def _is_blocked(endpoint: EndpointHealth) -> bool:
    return endpoint.suspension is not None or endpoint.gate.since is not None
