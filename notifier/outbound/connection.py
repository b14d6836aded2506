"""One connection: its bytes in and out, one exchange at a time."""

import asyncio
import contextlib
import select
import socket
import ssl
from typing import NamedTuple, cast

from notifier.core.exchange import FailureKind, NoReply
from notifier.core.formats.response_head import (
    HEAD_END,
    InvalidHead,
    ResponseHead,
    can_become_head,
    parse_head,
)
from notifier.outbound.errors import (
    ClosedUnansweredError,
    ExchangeError,
    connection_lost,
    invalid_response,
    tls_failed,
)
from notifier.outbound.tls import TlsSession

MAX_HEAD_BYTES = 64 * 1024  # decision 0012: all heads of a response together, to bound memory
MAX_HEADS = 101  # decision 0012: at most 100 interim heads, then the final one
READ_AHEAD_BYTES = 128 * 1024  # trade-off: holds any head, and of a body no more than this unread


SOCKET = "unix"
"""The scheme of an origin that is a Unix socket; ``host`` is its path then."""


class Origin(NamedTuple):
    """Where a connection leads to, as the URL has it."""

    scheme: str
    host: str
    port: int

    @property
    def server_name(self) -> str:
        """The name for Host, SNI and certificate: a dot at its end is for the resolver alone."""
        return self.host.removesuffix(".")


class Connection(asyncio.Protocol):
    """A connected socket, in clear or with TLS. ``peer`` is the address and port at the other end."""

    def __init__(self, origin: Origin, peer: str, sock: socket.socket, opened_at: float) -> None:
        self.origin = origin
        self.peer = peer
        self.opened_at = opened_at
        self.idle_since = opened_at
        self._socket = sock
        self._poll = select.poll()  # select() has no room for a descriptor over 1023
        self._poll.register(sock, select.POLLIN)
        self._loop = asyncio.get_running_loop()
        self._tls: TlsSession | None = None
        self._received = bytearray()
        self._is_paused = False
        self._is_ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport; asyncio calls this first."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Buffer bytes from the peer; asyncio calls this."""
        self._take(data)
        if len(self._received) > READ_AHEAD_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Note that the peer has closed its side; asyncio calls this."""
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection; asyncio calls this last, before it closes the socket.

        A peer may answer and close before it has read the request. Then writing fails first, and asyncio
        gives up while the answer is still unread in the kernel.
        """
        if exc is not None:
            with contextlib.suppress(OSError):
                while len(self._received) <= READ_AHEAD_BYTES and (
                    data := self._socket.recv(READ_AHEAD_BYTES)
                ):
                    self._take(data)
        self._end(exc)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands, and encrypt from here on. Raise ExchangeError if that fails."""
        self._tls = tls = TlsSession(context, self.origin.server_name)
        self._take(b"")
        while not tls.is_established:
            if not await self._wait():
                raise ExchangeError(tls_failed(self._error)) from self._error

    def send(self, data: bytes) -> None:
        """Send in one go. If that breaks, ``read_head`` tells, unless an answer has come all the same."""
        if self._is_ended:
            return
        if self._tls is not None:
            self._tls.encrypt(data)
            data = self._tls.outgoing()
        self._transport.write(data)

    async def read_head(self) -> ResponseHead:
        """Return the final head. Raise ExchangeError if none comes within the bounds."""
        left = MAX_HEAD_BYTES
        try:
            for _ in range(MAX_HEADS):
                head = parse_head(await self._read_raw_head(left))
                if not head.is_interim:
                    return head
                left -= len(head.raw)
        except InvalidHead as error:
            raise invalid_response(error) from None
        raise invalid_response("interim heads (1xx) without end")

    async def receive(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes, or none at the end. Raise ExchangeError if the connection broke."""
        while not self._received:
            if not await self._wait():
                if self._error is not None:
                    raise ExchangeError(NoReply(FailureKind.RESET, "in the middle of the body"))
                return b""
        data = bytes(self._received[:limit])
        del self._received[:limit]
        if self._is_paused and not self._is_ended:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def is_silent(self) -> bool:
        """Return whether nothing has come, nothing is still to be sent, and the peer has not closed.

        The event loop may not have seen the end yet, so the kernel is asked as well.
        """
        if self._is_ended or self._received or self._transport.get_write_buffer_size():
            return False
        return not self._poll.poll(0)

    def abort(self) -> None:
        """Drop the connection at once, with what the peer has not read. A close would wait for that."""
        self._end(None)
        self._transport.abort()

    async def _read_raw_head(self, limit: int) -> bytes:
        searched = 0
        while (end := HEAD_END.search(self._received, searched)) is None and len(self._received) <= limit:
            if not can_become_head(self._received):
                raise InvalidHead("the head cannot be read")
            searched = max(0, self._received.rfind(b"\n"))
            if not await self._wait():
                is_unanswered = not self._received and limit == MAX_HEAD_BYTES
                kind = ClosedUnansweredError if is_unanswered else ExchangeError
                raise kind(connection_lost(self._error, self.peer)) from self._error
        if end is None or end.end() > limit:
            raise ExchangeError(NoReply(FailureKind.TOO_LARGE, "a head over 64 KiB"))
        raw = bytes(self._received[: end.end()])
        del self._received[: end.end()]
        return raw

    def _take(self, data: bytes) -> None:
        if self._tls is None:
            self._received += data
        else:
            self._decrypt(self._tls, data)
        self._wake()

    def _decrypt(self, tls: TlsSession, data: bytes) -> None:
        try:
            if not tls.receive(data, self._received):
                self._end(None)
        except ssl.SSLError as error:
            self._end(error)
        if outgoing := tls.outgoing():
            self._transport.write(outgoing)

    def _end(self, error: Exception | None) -> None:
        self._is_ended = True
        self._error = self._error or error
        self._wake()

    async def _wait(self) -> bool:
        """Wait for bytes or the end. Return False if the end has come already."""
        if self._is_ended:
            return False
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
