"""From a failed exchange to its cause. Here a peer's particulars are cleaned and cut."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from notifier.core.causes.cause import ATTEMPT, Cause
from notifier.core.causes.table import Code
from notifier.core.exchange import FailureKind, FailureSubkind, NoReply
from notifier.core.formats.text import one_line

DETAIL_CHARS = 200  # no record of why; changing it needs a measurement
HOST_CHARS = 100  # no record of why; changing it needs a measurement

FAILURE_CODES: Mapping[FailureKind, Code] = MappingProxyType(
    {
        FailureKind.DNS: Code.DNS_FAILED,
        FailureKind.CONNECT: Code.CONNECT_FAILED,
        FailureKind.TLS: Code.TLS_FAILED,
        FailureKind.TIMEOUT: Code.TIMEOUT,
        FailureKind.RESET: Code.CONNECTION_RESET,
        FailureKind.PROTOCOL: Code.NOT_HTTP,
        FailureKind.BLOCKED: Code.ADDRESS_NOT_ALLOWED,
        FailureKind.TOO_LARGE: Code.BODY_TOO_LARGE,
    }
)
"""The code of each kind of failure, where nothing closer is known of it."""


_SUBKIND_CODES: Mapping[FailureSubkind, Code] = MappingProxyType(
    {
        FailureSubkind.TLS_NOT_SPOKEN: Code.TLS_NOT_SPOKEN,
        FailureSubkind.TLS_EXPECTED: Code.TLS_EXPECTED,
        FailureSubkind.TLS_CLIENT_CERTIFICATE: Code.TLS_CLIENT_CERTIFICATE,
        FailureSubkind.NEVER_ALLOWED: Code.ADDRESS_NEVER_ALLOWED,
    }
)


def failure_to_cause(failure: NoReply, *, peer: str = "") -> Cause:
    """Make the cause of an exchange without a reply.

    ``peer`` names whose peer failed, where the text must say so. The particulars must hold no secret.
    """
    code = FAILURE_CODES[failure.fault] if failure.subkind is None else _SUBKIND_CODES[failure.subkind]
    params = {"peer": peer, "detail": one_line(failure.detail, DETAIL_CHARS)}
    return Cause(code, {name: value for name, value in params.items() if value})


def redirect_to_cause(status: int, location: str) -> Cause:
    """Make the cause of a 3xx that is not a provider's."""
    host = redirect_host(location)
    return (
        Cause(Code.RECEIVER_REDIRECT, {"host": host})
        if host
        else Cause(Code.RECEIVER_HTTP_STATUS, {"status": status})
    )


def redirect_host(location: str) -> str:
    """Say where a redirect points to; empty where it names no place.

    By host alone: paths and userinfo may hold secrets.
    """
    if not location.strip():
        return ""
    try:
        host = urlsplit(location.strip()).hostname
    except ValueError:
        return "an unreadable place"
    return one_line(host, HOST_CHARS) if host else "the same host"


def attempt_fix(status: int | None, fault: str | None) -> str:
    """Say what to do about a stored attempt; empty for one that was accepted, or where nothing is known."""
    if status is not None:
        is_accepted = 200 <= status <= 299
        return "" if is_accepted else Cause(Code.RECEIVER_HTTP_STATUS, {"status": status}).fix(ATTEMPT)
    return Cause(FAILURE_CODES[FailureKind(fault)]).fix(ATTEMPT) if fault in set(FailureKind) else ""
