"""HTTP for the engine: an exchange goes out, and a value comes back before its deadline.

The transport is called without an httpx client around it. What a client adds (redirects, cookies, credentials
and proxies of the environment) is unwanted here, and costs as much CPU again.
"""

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import httpx

from notifier import __version__
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.sockets import SocketPolicy
from notifier.core.formats.urls import split_socket_url
from notifier.outbound.connection import Origin
from notifier.outbound.connector import SchemeConnector, TcpConnector
from notifier.outbound.errors import ExchangeError, connection_page
from notifier.outbound.exchange_state import EXTENSION, ExchangeState
from notifier.outbound.reply_room import ReplyRoom
from notifier.outbound.resolver import CachingResolver
from notifier.outbound.tls import make_tls_context
from notifier.outbound.transport import HttpTransport, origin_of
from notifier.ports import MemoryHold

REMAINDER_LIMIT_S = 0.02
"""Time for the rest of the reply to an accepted POST; after it the connection is not reused.

No record of why; changing it needs a measurement.
"""

SOCKET_HOST = "localhost"  # what curl sends as Host to a Unix socket, too
_DEFAULTS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": f"notifier/{__version__}"}
_CLOSED = NoReply(FailureKind.CONNECT, "given up on our side: the daemon is stopping or was reconfigured")


class HttpxClient:
    """``ports.HttpClient`` over httpx. Polls and callbacks have one each and share no connections.

    ``policy`` restricts the addresses (None: all are allowed, and no Unix socket). ``max_body`` limits the
    bytes read of a reply, whose body is as it was sent, compressed or not. An idle connection is kept for
    ``keepalive_s``. ``tls`` says whom to trust, by default whom the system trusts; ``origin_tls`` does for
    single origins.
    """

    def __init__(
        self,
        *,
        connections: int,
        keepalive_s: float,
        max_body: int,
        policy: AddressPolicy | None = None,
        tls: ssl.SSLContext | None = None,
        origin_tls: Mapping[Origin, ssl.SSLContext] | None = None,
        resolver: CachingResolver | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_body = max_body
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(connections)
        self._deadlines: set[asyncio.Timeout] = set()
        self._is_closed = False
        tcp = TcpConnector(
            policy, tls or make_tls_context(), resolver or CachingResolver(), monotonic, origin_tls
        )
        sockets = SocketPolicy() if policy is None else policy.sockets
        self._transport = HttpTransport(
            SchemeConnector(sockets, tcp, monotonic),
            max_idle=connections,
            keepalive_s=keepalive_s,
            monotonic=monotonic,
        )

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        """Send a GET. The body of the reply is whole or cut at ``max_body``."""
        limit = max_body or self._max_body
        return await self._exchange("GET", url, headers, None, timeout_ms, limit, memory)

    async def query(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        """Send a POST that changes nothing. The body of the reply is whole or cut at ``max_body``."""
        limit = max_body or self._max_body
        return await self._exchange("POST", url, headers, body, timeout_ms, limit, memory, is_body_read=True)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> Exchange:
        """Send a POST. For a 2xx status the body does not matter; for another status it is read."""
        return await self._exchange("POST", url, headers, body, timeout_ms, self._max_body)

    async def close(self) -> None:
        """Close all connections. An exchange under way ends without a reply."""
        self._is_closed = True
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(0.0)
        await self._transport.aclose()

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_ms: int,
        max_body: int,
        memory: MemoryHold | None = None,
        *,
        is_body_read: bool = False,
    ) -> Exchange:
        state = ExchangeState(self._monotonic(), is_body_read=is_body_read or method != "POST")
        try:
            request = _make_request(method, url, headers, body, state)
            exchange = await self._send(request, state, timeout_ms, max_body, memory)
        except (httpx.InvalidURL, ValueError):  # UnicodeError too: idna, a header that is not ASCII
            return NoReply(FailureKind.PROTOCOL, "this URL or a header cannot be sent")
        return replace(
            exchange,
            peer=state.peer,
            elapsed_ms=state.ms_until(self._monotonic()),
            connect_ms=None if state.connected_at is None else state.ms_until(state.connected_at),
        )

    async def _send(
        self,
        request: httpx.Request,
        state: ExchangeState,
        timeout_ms: int,
        max_body: int,
        memory: MemoryHold | None,
    ) -> Exchange:
        """Send the request and read the reply. ``state.final_reply`` counts even if the body never ends."""
        deadline = asyncio.timeout(timeout_ms / 1_000)
        room = None if memory is None else ReplyRoom(memory, deadline)
        self._deadlines.add(deadline)
        try:
            async with deadline, self._slots:
                if self._is_closed:
                    return _CLOSED
                response = await self._transport.handle_async_request(request)
                try:
                    return await self._receive(response, state, max_body, room)
                finally:
                    await response.stream.aclose()  # type: ignore[union-attr] # the transport's are async
        except TimeoutError:
            no_reply = NoReply(FailureKind.TIMEOUT, f"{timeout_ms / 1_000:g} s, {state.stage}")
            return state.final_reply or (_CLOSED if self._is_closed else no_reply)
        except ExchangeError as error:
            return state.final_reply or error.no_reply
        finally:
            self._deadlines.discard(deadline)

    async def _receive(
        self, response: httpx.Response, state: ExchangeState, max_body: int, room: ReplyRoom | None
    ) -> Exchange:
        """Read the body of a reply as far as it matters."""
        first_byte_ms = state.ms_until(self._monotonic())
        reply = HttpReply(response.status_code, dict(response.headers), first_byte_ms=first_byte_ms)
        if response.is_success and not state.is_body_read:
            state.final_reply = reply
            async with asyncio.timeout(REMAINDER_LIMIT_S):
                await _read_body(response, max_body)
            return reply
        if not response.is_success:
            state.final_reply = replace(reply, is_cut=True)
        body, is_cut = await _read_body(response, max_body, room)
        return connection_page(reply.status, body) or replace(reply, body=body, is_cut=is_cut)


async def _read_body(
    response: httpx.Response, max_body: int, room: ReplyRoom | None = None
) -> tuple[bytes, bool]:
    """Return the body up to the limit, and whether it was longer."""
    body = bytearray()
    async for piece in response.stream:  # type: ignore[union-attr] # the transport's are async
        left = max_body - len(body)
        body += piece[:left]
        if len(piece) > left:
            return bytes(body), True
        if room is not None:
            await room.reserve(len(body))
    return bytes(body), False


def _make_request(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, state: ExchangeState
) -> httpx.Request:
    """Return a request with our default headers. Raise httpx.InvalidURL or ValueError."""
    parsed, host, state.socket_path = _parse_url(url)
    names = {name.lower() for name in headers}
    ours = {"host": host} | {name: value for name, value in _DEFAULTS.items() if name not in names}
    if body is not None:
        ours["content-length"] = str(len(body))
    stream = httpx.ByteStream(body or b"")  # given ``content``, httpx would build the headers twice
    return httpx.Request(
        method, parsed, headers=ours | dict(headers), stream=stream, extensions={EXTENSION: state}
    )


@functools.lru_cache(maxsize=1_024)  # a task is polled again and again, and parsing takes 15 us
def _parse_url(url: str) -> tuple[httpx.URL, str, str | None]:
    """Return the URL, its Host header and its Unix socket. Raise httpx.InvalidURL if nothing can be sent."""
    if (split := split_socket_url(url)) is not None:
        socket_path, target = split
        return httpx.URL(f"http://{SOCKET_HOST}{target}"), SOCKET_HOST, socket_path
    parsed = httpx.URL(url)
    name, port = origin_of(parsed).server_name, parsed.port
    if parsed.scheme not in {"http", "https"} or not name or port == 0 or (port or 0) > 65_535:
        raise httpx.InvalidURL("neither http nor https, or no host and port")
    return parsed, (f"[{name}]" if ":" in name else name) + (f":{port}" if port else ""), None
