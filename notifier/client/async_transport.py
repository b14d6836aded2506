"""Exchange requests and replies with the daemon's API by httpx, for ``AsyncNotifier``.

``AsyncNotifier`` imports this file when a program makes a client, because httpx takes 0.1 s to import. The
connections are those of ``outbound/``: docs/decisions/0011-libraries-before-own-code.md says why.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from http.client import BadStatusLine, RemoteDisconnected

import httpx

from notifier.client import transport
from notifier.client.address import Address
from notifier.client.transport import (
    CALL_TIMEOUT_S,
    ApiReply,
    describe_no_reply,
    encode_call,
    parse_reply,
)
from notifier.core.exchange import FailureKind
from notifier.outbound.connector import Connector, TcpConnector, UnixConnector
from notifier.outbound.errors import ExchangeError
from notifier.outbound.resolver import CachingResolver
from notifier.outbound.transport import HttpTransport


class AsyncApiConnection:
    """The daemon at one address. Every request opens a connection, so event loops may share this object."""

    def __init__(self, address: Address, token: str | None = None) -> None:
        self._address = address
        self._token = token
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._origin = f"{'https' if address.is_https else 'http'}://{host}:{address.port}"
        # Loading the system's certificates takes 17 ms of CPU. The other context trusts no peer.
        is_https = address.is_https
        self._tls = ssl.create_default_context() if is_https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> ApiReply:
        """Send one request and return the reply. Raise as ``ApiConnection.request`` does."""
        call = encode_call(self._address, self._token, method, path, body=body, query=query)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client() as client,
                client.stream(
                    call.method, self._origin + call.target, content=call.content, headers=call.headers
                ) as response,
            ):
                raw = await _read(response)
        except ExchangeError as error:
            raise describe_no_reply(_to_stdlib(error), self._address, timeout_s) from error
        except (OSError, ValueError, httpx.InvalidURL) as error:  # ValueError: a host that IDNA refuses
            raise describe_no_reply(error, self._address, timeout_s) from error
        return parse_reply(response.status_code, response.headers, raw, self._address)

    def _client(self) -> httpx.AsyncClient:
        """Make a client that keeps nothing: no cookie, no proxy of the environment, no open connection."""
        http_transport = HttpTransport(
            self._connector(), max_idle=0, keepalive_s=0.0, monotonic=time.monotonic
        )
        return httpx.AsyncClient(transport=http_transport, trust_env=False, follow_redirects=False)

    def _connector(self) -> Connector:
        if self._address.socket_path is not None:
            return UnixConnector(self._address.socket_path)
        return TcpConnector(None, self._tls, CachingResolver(), time.monotonic)


async def _read(response: httpx.Response) -> bytes:
    raw = bytearray()
    async for part in response.aiter_raw():
        raw += part
        if len(raw) > transport.MAX_REPLY_BYTES:
            break
    return bytes(raw)


def _to_stdlib(error: ExchangeError) -> Exception:
    """Return the standard library's error for the same failure, so that both clients describe it alike."""
    if isinstance(error.__cause__, OSError):
        return error.__cause__
    match error.no_reply.kind:
        case FailureKind.RESET:
            return RemoteDisconnected(error.no_reply.detail)
        case FailureKind.TLS:
            return ssl.SSLError(error.no_reply.detail)
        case _:
            return BadStatusLine(error.no_reply.detail)
