"""Translate exceptions of the HTTP library into a failure kind and one line of detail.

The line quotes neither what the peer sent nor what we sent, because both may contain a key.
"""

import os
import ssl

import aiohttp
from aiohttp import http_exceptions

from notifier.core.exchange import FailureKind, FailureSubkind, NoReply
from notifier.outbound.exchange_state import ExchangeState

CLOSED_BY_US = NoReply(
    FailureKind.CONNECT, "given up on our side: the daemon is stopping or was reconfigured"
)


def error_to_no_reply(error: BaseException, state: ExchangeState) -> NoReply:
    """Translate an exception of aiohttp or of the socket below it."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return NoReply(FailureKind.DNS, f"{state.host}: {error.os_error.strerror or 'no address'}")
        case aiohttp.ClientConnectorCertificateError():
            return NoReply(FailureKind.TLS, _of_certificate(error.certificate_error))
        case aiohttp.ClientConnectorError():
            return _of_connect(error.os_error, state)
        case aiohttp.ClientPayloadError():
            return _of_body(error)
        case aiohttp.ClientResponseError():
            return _of_head(error)
        case aiohttp.InvalidURL():
            return NoReply(FailureKind.PROTOCOL, "this URL cannot be asked")
        case aiohttp.ServerDisconnectedError():
            return NoReply(FailureKind.RESET, f"{state.peer} closed it")
        case OSError():
            return NoReply(FailureKind.RESET, f"{state.peer}: {_of_errno(error)}")
        case aiohttp.ClientConnectionError():
            return CLOSED_BY_US
        case _:
            return NoReply(FailureKind.PROTOCOL, f"this cannot be sent ({type(error).__name__})")


def timeout_to_no_reply(timeout_ms: int, state: ExchangeState) -> NoReply:
    """Describe how far the exchange was at its deadline."""
    if state.is_answered:
        where = "the answer began and did not end"
    elif state.is_connected:
        where = "connected, and no answer began"
    else:
        where = "not even connected"
    return NoReply(FailureKind.TIMEOUT, f"{timeout_ms / 1_000:g} s, {where}")


def _of_connect(error: OSError, state: ExchangeState) -> NoReply:
    if state.refused and not state.tried:
        never = FailureSubkind.NEVER_ALLOWED if all(each.is_final for each in state.refused) else None
        return NoReply(FailureKind.BLOCKED, "; ".join(each.text for each in state.refused), subkind=never)
    if isinstance(error, ssl.SSLError):
        return _of_handshake(error)
    if isinstance(error, ConnectionResetError | ConnectionAbortedError) and state.url.scheme == "https":
        return NoReply(FailureKind.TLS, "closed during the handshake")
    return NoReply(FailureKind.CONNECT, f"{state.peer}: {_of_errno(error)}")


def _of_handshake(error: ssl.SSLError) -> NoReply:
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
        detail = "the peer does not speak TLS on this port"
        return NoReply(FailureKind.TLS, detail, subkind=FailureSubkind.TLS_NOT_SPOKEN)
    return NoReply(FailureKind.TLS, (error.reason or "").replace("_", " ").lower() or "the handshake failed")


def _of_certificate(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return "the certificate was refused"


def _of_errno(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) else "lost"


def _of_body(error: BaseException) -> NoReply:
    """Distinguish a connection that ended early from wrong framing."""
    cause = error.__cause__
    # aiohttp has no code for a short body; tests/wire/test_bad_peers.py fails if its words change.
    has_ended = isinstance(cause, http_exceptions.ContentLengthError | OSError)
    is_short = isinstance(cause, http_exceptions.TransferEncodingError) and "Not enough data" in cause.message
    if has_ended or is_short:
        return NoReply(FailureKind.RESET, "in the middle of the body")
    return NoReply(FailureKind.PROTOCOL, "the body is not framed as HTTP says")


def _of_head(error: BaseException) -> NoReply:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, http_exceptions.LineTooLong):
            return NoReply(FailureKind.TOO_LARGE, "a header line over 8 KiB")
        cause = cause.__cause__
    return NoReply(FailureKind.PROTOCOL, "the head cannot be read")
