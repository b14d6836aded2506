"""Make causes of failed exchanges. Details from a peer are cleaned and shortened here."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from notifier.core.causes.cause import ATTEMPT, Cause
from notifier.core.causes.table import Code
from notifier.core.exchange import FailureKind, FailureSubkind, NoReply
from notifier.core.formats.text import one_line

MAX_DETAIL_CHARS = 200  # no record of why; changing it needs a measurement
MAX_HOST_CHARS = 100  # no record of why; changing it needs a measurement

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
"""The code of each kind of failure without a subkind."""

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

    ``peer`` names the side that failed, if the text must say so. The detail must contain no secret.
    """
    code = FAILURE_CODES[failure.kind] if failure.subkind is None else _SUBKIND_CODES[failure.subkind]
    params = {"peer": peer, "detail": one_line(failure.detail, MAX_DETAIL_CHARS)}
    return Cause(code, {name: value for name, value in params.items() if value})


def redirect_to_cause(status: int, location: str) -> Cause:
    """Make the cause of a 3xx of a receiver or of a result."""
    host = describe_redirect_host(location)
    return (
        Cause(Code.RECEIVER_REDIRECT, {"host": host})
        if host
        else Cause(Code.RECEIVER_HTTP_STATUS, {"status": status})
    )


def describe_redirect_host(location: str) -> str:
    """Return the host that a redirect points to; empty without a location.

    Paths and userinfo are left out, because they may contain secrets.
    """
    if not location.strip():
        return ""
    try:
        host = urlsplit(location.strip()).hostname
    except ValueError:
        return "an unreadable place"
    return one_line(host, MAX_HOST_CHARS) if host else "the same host"


def find_attempt_fix(status: int | None, failure: str | None) -> str:
    """Return what to do about a stored attempt; empty if it was accepted or nothing is known."""
    if status is not None:
        is_accepted = 200 <= status <= 299
        return "" if is_accepted else Cause(Code.RECEIVER_HTTP_STATUS, {"status": status}).fix(ATTEMPT)
    return Cause(FAILURE_CODES[FailureKind(failure)]).fix(ATTEMPT) if failure in set(FailureKind) else ""
