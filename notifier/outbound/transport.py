"""An httpx transport: a pool of kept connections over ``connector.py``.

httpx's own pool loses a connection for good when an exchange is cancelled, and a deadline is a cancellation
(docs/decisions/0012-own-http-transport.md). Here a connection belongs to its exchange from start to end, and
every way out of the exchange either gives it back or aborts it.
"""

import asyncio
import time
from collections.abc import Callable

import httpx

from notifier.outbound.connection import SOCKET, Connection, Origin
from notifier.outbound.connector import Connector
from notifier.outbound.errors import ClosedUnansweredError
from notifier.outbound.exchange_state import EXTENSION, ExchangeState, Stage
from notifier.outbound.response_body import ResponseBody

CONNECTION_LIFETIME_S = 300.0  # decision 0012: steady traffic follows a change of DNS


class HttpTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over kept connections. At most ``max_idle`` of them are idle, each for ``keepalive_s``.

    If the peer closes a reused connection before the first byte of an answer, the request is repeated once on
    a new one. Callbacks may be repeated because receivers know their id.
    """

    def __init__(
        self, connector: Connector, *, max_idle: int, keepalive_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._connector = connector
        self._max_idle = max_idle
        self._keepalive_s = keepalive_s
        self._monotonic = monotonic
        self._idle: list[Connection] = []  # the longest idle one first
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the response, as soon as its head is complete."""
        state = request.extensions.get(EXTENSION) or ExchangeState(time.monotonic())
        data = encode_request(request)
        origin = Origin(SOCKET, state.socket_path, 0) if state.socket_path else origin_of(request.url)
        connection = self._take_idle(origin)
        if connection is not None:
            try:
                return await self._exchange(connection, data, state)
            except ClosedUnansweredError:
                state.stage = Stage.CONNECT
        return await self._exchange(await self._connector.connect(origin, state), data, state)

    async def aclose(self) -> None:
        """Close the idle connections, and from now on keep none."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().abort()
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round

    def _release(self, connection: Connection, is_reusable: bool) -> None:
        """Keep a connection for the next exchange, or drop it."""
        if self._is_closed or not is_reusable or not connection.is_silent():
            connection.abort()
            return
        connection.idle_since = self._monotonic()
        self._idle.append(connection)
        if len(self._idle) > self._max_idle:
            self._idle.pop(0).abort()
        if self._sweep_timer is None:
            self._sweep_timer = asyncio.get_running_loop().call_later(self._keepalive_s, self._sweep)

    async def _exchange(self, connection: Connection, data: bytes, state: ExchangeState) -> httpx.Response:
        state.peer = connection.peer
        state.stage = Stage.HEAD
        try:
            connection.send(data)
            head = await connection.read_head()
        except BaseException:
            connection.abort()
            raise
        state.stage = Stage.BODY
        return httpx.Response(
            head.status, headers=head.headers, stream=ResponseBody(connection, head, self._release)
        )

    def _take_idle(self, origin: Origin) -> Connection | None:
        """Return the last used connection to the origin that can still be used."""
        for connection in reversed(self._idle):
            if connection.origin == origin:
                self._idle.remove(connection)
                if connection.is_silent() and self._is_young(connection):
                    return connection
                connection.abort()
        return None

    def _is_young(self, connection: Connection) -> bool:
        now = self._monotonic()
        is_expired = now - connection.idle_since >= self._keepalive_s
        return not is_expired and now - connection.opened_at < CONNECTION_LIFETIME_S

    def _sweep(self) -> None:
        """Close what has been idle for too long; come again while something is idle."""
        while self._idle and not self._is_young(self._idle[0]):
            self._idle.pop(0).abort()
        self._sweep_timer = None
        if self._idle:
            wait_s = self._idle[0].idle_since + self._keepalive_s - self._monotonic()
            self._sweep_timer = asyncio.get_running_loop().call_later(max(wait_s, 0.0), self._sweep)


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and port of a URL."""
    scheme = url.scheme
    return Origin(scheme, url.raw_host.decode("ascii"), url.port or (443 if scheme == "https" else 80))


def parse_origin(url: str) -> Origin:
    """Return scheme, host and port of a URL as it is configured."""
    return origin_of(httpx.URL(url))


def encode_request(request: httpx.Request) -> bytes:
    """Return the bytes of a request. Raise ValueError if a header would end its line early."""
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % field for field in request.headers.raw]
    head = b"\r\n".join(lines)
    if head.count(b"\r") + head.count(b"\n") != 2 * (len(lines) - 1) or b"\0" in head:
        raise ValueError("a header with a line break")
    return head + b"\r\n\r\n" + request.read()
