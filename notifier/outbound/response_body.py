"""Read the body of a response, framed by its length, by chunks or by the end of the connection."""

from collections.abc import AsyncIterator, Callable

import httptools
import httpx

from notifier.core.exchange import FailureKind, NoReply
from notifier.core.formats.response_head import (
    CHUNKED,
    InvalidHead,
    ResponseHead,
    body_framing,
    keeps_alive,
)
from notifier.outbound.connection import Connection
from notifier.outbound.errors import ExchangeError, invalid_response

PIECE_BYTES = 64 * 1024  # trade-off: few copies, and one piece holds up other exchanges below 1 ms
MAX_CHUNK_OVERHEAD_BYTES = 64 * 1024  # trade-off: extensions and trailers may be as long as a head
Release = Callable[[Connection, bool], None]
"""Takes back a connection; the second argument says whether it can be used again."""
_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class ResponseBody(httpx.AsyncByteStream):
    """The body of one response. Closing it releases the connection, to be kept after a complete body."""

    def __init__(self, connection: Connection, head: ResponseHead, release: Release) -> None:
        self._connection = connection
        self._head = head
        self._release = release
        self._is_complete = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            framing = body_framing(self._head)
        except InvalidHead as error:
            raise invalid_response(error) from None
        chunks = _Chunks() if framing == CHUNKED else None
        left = None if chunks else framing
        while left != 0 and not (chunks and chunks.is_complete):
            piece = await self._connection.receive(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
            if not piece and framing is None:
                break
            if not piece:
                raise ExchangeError(NoReply(FailureKind.RESET, "in the middle of the body"))
            left = None if left is None else left - len(piece)
            yield chunks.decode(piece) if chunks else piece
        self._is_complete = not (chunks and chunks.is_overrun)

    async def aclose(self) -> None:
        """Release the connection; called once."""
        self._release(self._connection, self._is_complete and keeps_alive(self._head))


class _Chunks:
    """Decode chunks by httptools. It is fed a head of ours, because the peer's has been parsed already."""

    def __init__(self) -> None:
        self.is_complete = self.is_overrun = False
        self._data = bytearray()
        self._overhead = 0
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(_CHUNKED_HEAD)

    def decode(self, piece: bytes) -> bytes:
        """Return the data in a piece. Raise ExchangeError if it is not chunked well."""
        self._data.clear()
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError:
            if not self.is_complete:
                raise self._error() from None
            self.is_overrun = True
        self._overhead = 0 if self._data else self._overhead + len(piece)
        if self._overhead > MAX_CHUNK_OVERHEAD_BYTES:
            raise self._error()
        return bytes(self._data)

    def on_message_begin(self) -> None:
        """Note bytes after the end; httptools calls this, the first time for our own head."""
        self.is_overrun = self.is_complete

    def on_body(self, data: bytes) -> None:
        """Collect decoded data; httptools calls this, for bytes after the end as well."""
        if not self.is_complete:
            self._data += data

    def on_message_complete(self) -> None:
        """Note the end; httptools calls this."""
        self.is_complete = True

    def _error(self) -> ExchangeError:
        return invalid_response("the body is not framed as HTTP says")
