"""Exchange requests and replies with the daemon's API by aiohttp, for ``AsyncNotifier``.

``AsyncNotifier`` imports this file when a program makes a client, because aiohttp takes 0.1 s to import.
docs/decisions/0011-libraries-before-own-code.md says why the sockets are aiohttp's and not httpx's.
"""

import ssl
from collections.abc import Mapping
from http.client import BadStatusLine, RemoteDisconnected

import aiohttp
from yarl import URL

from notifier.client import transport
from notifier.client.address import Address
from notifier.client.transport import (
    CALL_TIMEOUT_S,
    ApiReply,
    describe_no_reply,
    encode_call,
    parse_reply,
)


class AsyncApiConnection:
    """The daemon at one address. Every request opens a connection, so event loops may share this object."""

    def __init__(self, address: Address, token: str | None = None) -> None:
        self._address = address
        self._token = token
        self._tls: ssl.SSLContext | bool = ssl.create_default_context() if address.is_https else True

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
                self._session(timeout_s) as session,
                session.request(
                    call.method,
                    self._url(call.target),
                    data=call.content,
                    headers=call.headers,
                    allow_redirects=False,
                ) as response,
            ):
                raw = await _read(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a host that IDNA refuses
            raise describe_no_reply(_to_stdlib(error), self._address, timeout_s) from error
        return parse_reply(response.status, response.headers, raw, self._address)

    def _session(self, timeout_s: float) -> aiohttp.ClientSession:
        """Make a session that keeps nothing: no cookie, no proxy of the environment, no open connection."""
        path = self._address.socket_path
        return aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path, force_close=True)
            if path is not None
            else aiohttp.TCPConnector(ssl=self._tls, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        )

    def _url(self, target: str) -> URL:
        scheme = "https" if self._address.is_https else "http"
        origin = URL.build(scheme=scheme, host=self._address.host, port=self._address.port)
        return URL(f"{origin}{target}", encoded=True)  # the target is sent as it is written


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for part in response.content.iter_any():
        raw += part
        if len(raw) > transport.MAX_REPLY_BYTES:
            break
    return bytes(raw)


def _to_stdlib(error: Exception) -> Exception:
    """Return the standard library's error for the same failure, so that both clients describe it alike."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause) if isinstance(cause, OSError):
            return cause
        case aiohttp.ClientConnectorError(os_error=cause):
            return cause
        case aiohttp.ClientOSError(errno=int(number)):
            return OSError(number, error.strerror)  # which class it has follows from the number
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return RemoteDisconnected(str(error))
        case aiohttp.ClientResponseError():
            return BadStatusLine(error.message)
    return error
