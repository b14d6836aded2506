"""Translate exceptions of the HTTP library into a failure kind and one line of detail.

The line quotes neither what the peer sent nor what we sent, because both may contain a key.
"""

import os
import ssl

import aiohttp
from aiohttp import http_exceptions

from notifier.core.exchange import FailureKind
from notifier.outbound.exchange_state import ExchangeState

CLOSED_BY_US = (FailureKind.CONNECT, "given up on our side: the daemon is stopping or was reconfigured")


def error_to_no_reply(error: BaseException, state: ExchangeState) -> tuple[FailureKind, str]:
    """Translate an exception of aiohttp or of the socket below it."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return FailureKind.DNS, f"{state.host}: {error.os_error.strerror or 'no address'}"
        case aiohttp.ClientConnectorCertificateError():
            return FailureKind.TLS, _of_certificate(error.certificate_error)
        case aiohttp.ClientConnectorError():
            return _of_connect(error.os_error, state)
        case aiohttp.ClientPayloadError():
            return _of_body(error)
        case aiohttp.ClientResponseError():
            return _of_head(error)
        case aiohttp.InvalidURL():
            return FailureKind.PROTOCOL, "this URL cannot be asked"
        case aiohttp.ServerDisconnectedError():
            return FailureKind.RESET, f"{state.peer} closed it"
        case OSError():
            return FailureKind.RESET, f"{state.peer}: {_of_errno(error)}"
        case aiohttp.ClientConnectionError():
            return CLOSED_BY_US
        case _:
            return FailureKind.PROTOCOL, f"this cannot be sent ({type(error).__name__})"


def timeout_to_no_reply(timeout_ms: int, state: ExchangeState) -> tuple[FailureKind, str]:
    """Describe how far the exchange was at its deadline."""
    if state.is_answered:
        where = "the answer began and did not end"
    elif state.is_connected:
        where = "connected, and no answer began"
    else:
        where = "not even connected"
    return FailureKind.TIMEOUT, f"{timeout_ms / 1_000:g} s, {where}"


def _of_connect(error: OSError, state: ExchangeState) -> tuple[FailureKind, str]:
    if state.refused and not state.tried:
        return FailureKind.BLOCKED, "; ".join(state.refused)
    if isinstance(error, ssl.SSLError):
        spoken = (error.reason or "").replace("_", " ").lower()
        if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
            spoken = "the peer does not speak TLS on this port"
        return FailureKind.TLS, spoken or "the handshake failed"
    if isinstance(error, ConnectionResetError | ConnectionAbortedError) and state.url.scheme == "https":
        return FailureKind.TLS, "closed during the handshake"
    return FailureKind.CONNECT, f"{state.peer}: {_of_errno(error)}"


def _of_certificate(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return "the certificate was refused"


def _of_errno(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) else "lost"


def _of_body(error: BaseException) -> tuple[FailureKind, str]:
    """Distinguish a connection that ended early from wrong framing."""
    cause = error.__cause__
    has_ended = isinstance(cause, http_exceptions.ContentLengthError | OSError)
    is_short = isinstance(cause, http_exceptions.TransferEncodingError) and "Not enough data" in cause.message
    if has_ended or is_short:
        return FailureKind.RESET, "in the middle of the body"
    return FailureKind.PROTOCOL, "the body is not framed as HTTP says"


def _of_head(error: BaseException) -> tuple[FailureKind, str]:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, http_exceptions.LineTooLong):
            return FailureKind.TOO_LARGE, "a header line over 8 KiB"
        cause = cause.__cause__
    return FailureKind.PROTOCOL, "the head cannot be read"
