"""The error of an exchange, and the words for it.

The words never quote what the peer sent nor what notifier sent, because either may hold a key.
"""

import os
import ssl
from collections.abc import Collection

import httpx

from notifier.core.exchange import FailureKind, FailureSubkind, NoReply
from notifier.core.formats.addresses import AddressRefusal


class ExchangeError(httpx.TransportError):
    """Why an exchange brought no reply."""

    def __init__(self, no_reply: NoReply) -> None:
        super().__init__(no_reply.detail)
        self.no_reply = no_reply


class ClosedUnansweredError(ExchangeError):
    """The peer closed the connection before the first byte of an answer."""


def blocked(refusals: Collection[AddressRefusal]) -> NoReply:
    """Describe why no address of a host is allowed."""
    never = FailureSubkind.NEVER_ALLOWED if all(refusal.is_final for refusal in refusals) else None
    return NoReply(FailureKind.BLOCKED, "; ".join(refusal.text for refusal in refusals), subkind=never)


def connection_lost(error: Exception | None, peer: str) -> NoReply:
    """Describe the end of a connection before the end of a head."""
    if isinstance(error, ssl.SSLError):
        return tls_failed(error)
    return NoReply(FailureKind.RESET, f"{peer}: {describe_os_error(error)}" if error else f"{peer} closed it")


def tls_failed(error: Exception | None) -> NoReply:
    """Describe a failed handshake, or an alert that came after it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return NoReply(FailureKind.TLS, error.verify_message)
    reason = error.reason or "the handshake failed" if isinstance(error, ssl.SSLError) else ""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
        not_spoken = FailureSubkind.TLS_NOT_SPOKEN
        return NoReply(FailureKind.TLS, "the peer does not speak TLS on this port", subkind=not_spoken)
    if reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return NoReply(FailureKind.TLS, "the peer requires a client certificate")
    return NoReply(FailureKind.TLS, reason.replace("_", " ").lower() or "closed during the handshake")


def invalid_response(detail: object) -> ExchangeError:
    """Return the error of a response that is not HTTP."""
    return ExchangeError(NoReply(FailureKind.PROTOCOL, str(detail)))


def describe_os_error(error: BaseException) -> str:
    """Return the system's words for an error number."""
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) else "lost"
