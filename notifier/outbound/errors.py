"""The error of an exchange, and the words for it.

The words never quote what the peer sent nor what notifier sent, because either may hold a key.
"""

import os
import ssl
from collections.abc import Collection
from dataclasses import replace

import httpx

from notifier.core.exchange import FailureKind, FailureSubkind, NoReply
from notifier.core.formats.allow_rules import AddressRefusal

TLS_NOT_SPOKEN = NoReply(
    FailureKind.TLS, "the peer does not speak TLS on this port", subkind=FailureSubkind.TLS_NOT_SPOKEN
)
TLS_EXPECTED = NoReply(
    FailureKind.TLS, "the peer speaks TLS on this port", subkind=FailureSubkind.TLS_EXPECTED
)
CLIENT_CERTIFICATE = NoReply(
    FailureKind.TLS,
    "the peer requires a client certificate",
    subkind=FailureSubkind.TLS_CLIENT_CERTIFICATE,
)
CLIENT_CERTIFICATE_REFUSED = replace(CLIENT_CERTIFICATE, detail="the peer refuses our client certificate")
_CERTIFICATE_ALERTS = {  # RFC 8446, 6.2: the peer sends them about a certificate of ours
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "TLSV1_ALERT_UNKNOWN_CA",
}
_CONNECTION_PAGES = {
    b"plain HTTP request was sent to HTTPS port": TLS_EXPECTED,  # nginx
    b"speaking plain HTTP to an SSL-enabled server port": TLS_EXPECTED,  # Apache
    b"Client sent an HTTP request to an HTTPS server": TLS_EXPECTED,  # Go, and so Caddy
    b"No required SSL certificate was sent": CLIENT_CERTIFICATE,  # nginx
    b"The SSL certificate error": CLIENT_CERTIFICATE_REFUSED,  # nginx
}
"""Texts with status 400. They have no code; ``tests/wire/test_real_servers.py`` fails if they change."""


class ExchangeError(httpx.TransportError):
    """The reason why an exchange has no reply; the cause is the error of the system or of TLS, if any."""

    def __init__(self, no_reply: NoReply) -> None:
        super().__init__(no_reply.detail)
        self.no_reply = no_reply


class ClosedUnansweredError(ExchangeError):
    """The peer closed the connection before the first byte of an answer."""


def blocked(refusals: Collection[AddressRefusal]) -> NoReply:
    """Describe why no address of a host is allowed."""
    never = FailureSubkind.NEVER_ALLOWED if all(refusal.is_final for refusal in refusals) else None
    return NoReply(FailureKind.BLOCKED, "; ".join(refusal.text for refusal in refusals), subkind=never)


def connect_failed(error: OSError, peer: str) -> NoReply:
    """Describe a connection that could not be opened."""
    return NoReply(FailureKind.CONNECT, f"{peer}: {describe_os_error(error)}")


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
        return TLS_NOT_SPOKEN
    if reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return CLIENT_CERTIFICATE
    if reason in _CERTIFICATE_ALERTS:
        return CLIENT_CERTIFICATE_REFUSED
    return NoReply(FailureKind.TLS, reason.replace("_", " ").lower() or "closed during the handshake")


def connection_page(status: int, body: bytes) -> NoReply | None:
    """Recognise the pages of servers that are about the connection and not about the request."""
    pages = _CONNECTION_PAGES.items() if status == 400 else ()
    return next((no_reply for phrase, no_reply in pages if phrase in body), None)


def invalid_response(detail: object) -> ExchangeError:
    """Return the error of a response that is not HTTP."""
    return ExchangeError(NoReply(FailureKind.PROTOCOL, str(detail)))


def describe_os_error(error: BaseException) -> str:
    """Return the system's words for an error number."""
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) else "lost"
