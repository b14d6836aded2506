"""Judge an attempt: decide what an exchange with a receiver means, and what a failure concerns."""

from typing import assert_never
from urllib.parse import urlsplit

from notifier.core.causes.cause import Cause
from notifier.core.causes.failures import failure_to_cause, redirect_to_cause
from notifier.core.circuit_breaker import FIRST_PROBE_MS
from notifier.core.delivery.endpoint import (
    MAX_PRIVATE_PROBE_MS,
    MAX_PUBLIC_PROBE_MS,
    REFUSAL_STATUSES,
    AttemptAccepted,
    AttemptFailed,
    AttemptResult,
    FailureScope,
)
from notifier.core.exchange import Exchange, HttpReply, NoReply
from notifier.core.formats.addresses import is_local_host
from notifier.core.formats.retry_after import MAX_ATTEMPT_RETRY_AFTER_MS, parse_retry_after

# A failure that takes longer is one of an endpoint that hangs. Trade-off: at 2 s the 16 slots of trials still
# make 80 tries in 10 s, and receivers that fail on purpose do it sooner.
SLOW_FAILURE_MS = 2_000


def judge_attempt(exchange: Exchange, *, url: str, now: int) -> AttemptResult:
    """Return whether a receiver accepted a callback: only a 2xx status does.

    Standard Webhooks: 3xx is a failure, 410 means that the endpoint is gone, ``Retry-After`` is honoured.
    """
    match exchange:
        case HttpReply(status=status) if 200 <= status <= 299:
            return AttemptAccepted()
        case NoReply():
            cause = failure_to_cause(exchange)
            return _failed(FailureScope.ENDPOINT, cause, None, exchange, url)
        case HttpReply(status=status):
            location = exchange.headers.get("location", "") if 300 <= status <= 399 else ""
            cause = redirect_to_cause(status, location)
            header = exchange.headers.get("retry-after")
            retry_ms = parse_retry_after(header, now=now, cap_ms=MAX_ATTEMPT_RETRY_AFTER_MS)
            return _failed(status_to_scope(status), cause, retry_ms, exchange, url)
        case _:
            assert_never(exchange)


def _failed(
    scope: FailureScope, cause: Cause, retry_after_ms: int | None, exchange: Exchange, url: str
) -> AttemptFailed:
    is_slow = exchange.elapsed_ms >= SLOW_FAILURE_MS
    return AttemptFailed(scope, cause, retry_after_ms, _limit_probe_wait_ms(exchange, url), is_slow)


def _limit_probe_wait_ms(exchange: Exchange, url: str) -> int:
    """Return the longest wait for a probe. It counts from probe to probe, so subtract this one."""
    longest_ms = MAX_PUBLIC_PROBE_MS if is_public(url, exchange.peer) else MAX_PRIVATE_PROBE_MS
    return max(longest_ms - exchange.elapsed_ms, FIRST_PROBE_MS)


def status_to_scope(status: int) -> FailureScope:
    """Return what a status other than 2xx concerns.

    410 says that the endpoint is gone. The event itself may be at fault for a few statuses. Every other one
    concerns all events: a proxy, a wrong path or method, a refused signature, a deployment, an error.
    """
    if status == 410:
        return FailureScope.GONE
    return FailureScope.EVENT if status in REFUSAL_STATUSES else FailureScope.ENDPOINT


def classify_failure(exchange: Exchange) -> str | None:
    """Return the class of a failure (``dns``, ``timeout``, ``http_5xx`` …); None for a success."""
    match exchange:
        case NoReply(kind=kind):
            return str(kind)
        case HttpReply(status=status) if 200 <= status <= 299:
            return None
        case HttpReply(status=status):
            return f"http_{status // 100}xx"
        case _:
            assert_never(exchange)


def is_public(url: str, peer: str | None) -> bool:
    """Return whether the receiver is on the internet, by its address, else by the name of its host.

    ``peer`` is the address with its port, as in a URL; None if the name did not resolve.
    """
    return not is_local_host(urlsplit(url if peer is None else f"//{peer}").hostname or "")
