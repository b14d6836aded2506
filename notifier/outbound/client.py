"""Send HTTP requests and return the outcome as a value before the deadline.

This is the only file that imports httpx. The sockets under it are aiohttp's: the pool of httpx loses a
connection permanently when an exchange is cancelled, and a deadline is a cancellation. The transport is
called without a client: redirects, cookies, credentials and proxies of the environment are unwanted here,
and a client costs as much CPU again.
"""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from notifier import __version__
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.addresses import AddressPolicy
from notifier.outbound import errors
from notifier.outbound.address_check import AddressCheck
from notifier.outbound.connector import PooledConnector
from notifier.outbound.exchange_state import CURRENT, ExchangeState
from notifier.outbound.reply_room import ReplyRoom
from notifier.outbound.resolver import CachingResolver
from notifier.outbound.tls import make_tls_context
from notifier.ports import MemoryHold

REMAINDER_LIMIT_S = 0.02
"""Time for the rest of the reply to an accepted POST; after it the connection is not reused.

No record of why; changing it needs a measurement.
"""

_PIECE_BYTES = 256 * 1024  # no record of why; changing it needs a measurement
_NETWORK_ERRORS = (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError)
_HEADERS = {"accept-encoding": "identity", "user-agent": f"notifier/{__version__}"}


class HttpxClient:
    """``ports.HttpClient`` over httpx. Polls and callbacks have one each and share no connections.

    ``policy`` restricts the addresses (None: all are allowed). ``max_body`` limits the bytes read of a reply,
    whose body is as it was sent, compressed or not.
    An idle connection is kept for ``keepalive_s``. ``ca_file`` has certificates to trust beside the system's;
    raise OSError without any.

    aiohttp repeats a GET once if the connection is lost before the reply, because a GET changes nothing. A
    POST is never repeated, because it may have arrived. To make that rare, callbacks have a short
    ``keepalive_s``, and no request uses an idle connection that the peer has closed.
    """

    def __init__(
        self,
        *,
        connections: int,
        keepalive_s: float,
        max_body: int,
        policy: AddressPolicy | None = None,
        ca_file: str | None = None,
        resolver: CachingResolver | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._keepalive_s = keepalive_s
        self._max_body = max_body
        self._address_check = AddressCheck(policy)
        self._tls = make_tls_context(ca_file)
        self._resolver = resolver or CachingResolver()
        self._monotonic = monotonic
        self._transport = AiohttpTransport(verify=self._tls, trust_env=False, client=self._open_session)

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
        return await self._exchange("GET", url, headers, None, timeout_ms, max_body, memory)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> Exchange:
        """Send a POST. For a 2xx status the body does not matter; for another status it is read."""
        return await self._exchange("POST", url, headers, body, timeout_ms)

    async def close(self) -> None:
        """Close all connections. A running exchange ends without a reply."""
        await self._transport.aclose()

    def _open_session(self) -> aiohttp.ClientSession:
        """Open the session at the first exchange, because aiohttp needs a running loop."""
        connector = PooledConnector(
            limit=self._connections,
            keepalive_s=self._keepalive_s,
            tls=self._tls,
            resolver=self._resolver,
            guard=self._address_check,
            monotonic=self._monotonic,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            middlewares=(_keep_spelling,),
        )

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_ms: int,
        max_body: int | None = None,
        memory: MemoryHold | None = None,
    ) -> Exchange:
        started_at = self._monotonic()
        try:
            parsed = _parse_url(url)
            request = _request(method, parsed, headers, body)
            state = ExchangeState(URL(str(parsed), encoded=True), started_at)
        except (
            httpx.InvalidURL,
            ValueError,
        ):  # UnicodeError: IDNA, a header not in ASCII
            return NoReply(FailureKind.PROTOCOL, "this URL or a header cannot be sent")
        token = CURRENT.set(state)
        try:
            exchange = await self._send(request, state, timeout_ms, max_body or self._max_body, memory)
        finally:
            state.abort()
            CURRENT.reset(token)
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
        try:
            async with asyncio.timeout(timeout_ms / 1_000) as deadline:
                room = None if memory is None else ReplyRoom(memory, deadline)
                response = await self._transport.handle_async_request(request)
                state.is_answered = True
                try:
                    return await self._receive(response, request.method, state, max_body, room)
                finally:
                    await response.aclose()  # back into the pool, or closed if incomplete
        except TimeoutError:
            failure = errors.timeout_to_no_reply(timeout_ms, state)
        except _NETWORK_ERRORS as error:
            cause = error.__cause__ if isinstance(error, httpx.HTTPError) else None
            failure = errors.error_to_no_reply(cause or error, state)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            failure = errors.CLOSED_BY_US  # close() cancels exchanges that wait for a connection
        return state.final_reply or failure

    async def _receive(
        self,
        response: httpx.Response,
        method: str,
        state: ExchangeState,
        max_body: int,
        room: ReplyRoom | None,
    ) -> Exchange:
        """Read the body of a reply as far as it matters."""
        first_byte_ms = state.ms_until(self._monotonic())
        head = HttpReply(response.status_code, dict(response.headers), first_byte_ms=first_byte_ms)
        if response.is_success and method == "POST":
            state.final_reply = head
            async with asyncio.timeout(REMAINDER_LIMIT_S):
                await self._read(response, max_body)
            return head
        if not response.is_success:
            state.final_reply = replace(head, is_cut=True)
        body, is_cut = await self._read(response, max_body, room)
        return replace(head, body=body, is_cut=is_cut)

    async def _read(
        self, response: httpx.Response, max_body: int, room: ReplyRoom | None = None
    ) -> tuple[bytes, bool]:
        """Return the body up to the limit, and whether it was longer."""
        body = bytearray()
        async for chunk in response.aiter_raw():
            left = max_body - len(body)
            body += chunk[:left]
            if len(chunk) > left:
                return bytes(body), True
            if room is not None:
                await room.reserve(len(body))
        return bytes(body), False


@functools.lru_cache(maxsize=1_024)
def _parse_url(url: str) -> httpx.URL:
    """Parse a URL, or raise httpx.InvalidURL. Parsing takes 15 us, and a task is polled again soon."""
    return httpx.URL(url)


def _request(method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | None) -> httpx.Request:
    """Make a request. A long body is sent in pieces, so that unread bytes do not fill a buffer."""
    if body is None or len(body) <= _PIECE_BYTES:
        return httpx.Request(method, url, headers={**_HEADERS, **headers}, content=body)
    sized = {**_HEADERS, **headers, "content-length": str(len(body))}
    return httpx.Request(method, url, headers=sized, content=_pieces(body))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def _keep_spelling(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send the URL as written. aiohttp would change its spelling (``%2F`` in a query to ``/``)."""
    request.url = CURRENT.get().url
    return await send(request)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]
