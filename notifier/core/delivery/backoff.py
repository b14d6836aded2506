"""Decide when a failed delivery is sent again: soon at first, hourly at last, until it is given up."""

from typing import assert_never

from notifier.core.circuit_breaker import FAILURE_THRESHOLD
from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import AttemptAccepted, AttemptFailed, AttemptResult, FailureScope
from notifier.core.model import ClaimedDelivery

SCHEDULE_MS = (
    1_000,
    4_000,
    10_000,
    45_000,
    120_000,
    300_000,
    600_000,
    1_200_000,
    1_800_000,
    1_800_000,
    3_600_000,
)
"""The waits after the first attempt, the second …; then the last one repeats.

They are short at first, because a receiver that restarts is back soon.
"""

SOON_ATTEMPTS = FAILURE_THRESHOLD
"""The number of attempts without a growing wait: so many failures in a row block the endpoint anyway."""


def schedule_retry(
    number: int,
    *,
    now: int,
    give_up_at: int,
    retry_after_ms: int | None,
    jitter: float,
    cap_ms: int | None = None,
) -> int | None:
    """Return when to send again after attempt ``number``; None at or after ``give_up_at``.

    The wait is the one of the schedule ±20 %, ``cap_ms`` at most, or ``Retry-After`` if that is longer. The
    last attempt is made at ``give_up_at`` even if the wait would be longer, so that the whole time is used.
    """
    if now >= give_up_at:
        return None
    wait_ms = _add_jitter(SCHEDULE_MS[min(max(number, 1), len(SCHEDULE_MS)) - 1], jitter)
    if cap_ms is not None:
        wait_ms = min(wait_ms, cap_ms)
    return min(now + max(wait_ms, retry_after_ms or 0), give_up_at)


def decide_attempt(
    delivery: ClaimedDelivery, result: AttemptResult, *, now: int, jitter: float
) -> AttemptDecision:
    """Decide what follows from an attempt for its delivery. ``endpoint.py`` decides for the endpoint.

    Only a refusal of the event itself uses up the schedule, and only while the endpoint accepts others.
    Otherwise it may be the endpoint that fails, and must be tried as often as one that is down.

    During an outage the delivery is sent again soon, or when the breaker of the endpoint allows it. If the
    endpoint accepts other deliveries meanwhile, the breaker never blocks. Then the waits grow up to the
    longest wait for a probe.
    """
    if isinstance(result, AttemptAccepted):
        return Delivered()
    match result.scope:
        case FailureScope.EVENT:
            number = delivery.refusals + 1
            due_at = schedule_retry(
                number,
                now=now,
                give_up_at=delivery.give_up_at,
                retry_after_ms=result.retry_after_ms,
                jitter=jitter,
                cap_ms=None if delivery.has_accepted_others else result.cap_ms,
            )
            return _give_up(delivery, result) if due_at is None else Retry(due_at, is_refusal=True)
        case FailureScope.GONE:
            return Retry(now)  # the suspension of the endpoint holds it back; nothing is dropped
        case FailureScope.ENDPOINT if now >= delivery.give_up_at:
            return _give_up(delivery, result)
        case FailureScope.ENDPOINT:
            wait_ms = _add_jitter(_retry_wait_ms(delivery), jitter)
            return Retry(min(now + min(wait_ms, result.cap_ms), delivery.give_up_at))
        case _:
            assert_never(result.scope)


def _retry_wait_ms(delivery: ClaimedDelivery) -> int:
    """Return the wait of the schedule, counted from the attempts that would block the endpoint alone."""
    if delivery.is_probe:  # the breaker decides when the next one is sent
        return SCHEDULE_MS[0]
    return SCHEDULE_MS[min(max(delivery.number - SOON_ATTEMPTS, 0), len(SCHEDULE_MS) - 1)]


def _give_up(delivery: ClaimedDelivery, result: AttemptFailed) -> GiveUp:
    times = "1 attempt" if delivery.number == 1 else f"{delivery.number} attempts"
    return GiveUp(f"given up after {times}; the last: {result.cause.text()}")


def _add_jitter(wait_ms: int, jitter: float) -> int:
    return wait_ms * (800 + int(jitter * 401)) // 1_000
