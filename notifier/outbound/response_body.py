"""Read the body of a response, framed by its length, by chunks or by the end of the connection."""

from collections.abc import AsyncIterator

import httptools

from notifier.core.exchange import FailureKind, NoReply
from notifier.core.formats.response_head import CHUNKED
from notifier.outbound.connection import Connection
from notifier.outbound.errors import ExchangeError, invalid_response

PIECE_BYTES = 64 * 1024  # trade-off: few copies, and one piece holds up other exchanges below 1 ms
MAX_CHUNK_OVERHEAD_BYTES = 64 * 1024  # trade-off: extensions and trailers may be as long as a head
_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def read_body(connection: Connection, framing: int | None) -> AsyncIterator[bytes]:
    """Yield the pieces of a body. Raise ExchangeError if it breaks off or is not framed well."""
    chunks = _Chunks() if framing == CHUNKED else None
    left = None if chunks else framing
    while left != 0 and not (chunks and chunks.is_complete):
        piece = await connection.receive(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
        if not piece and framing is None:
            return
        if not piece:
            raise ExchangeError(NoReply(FailureKind.RESET, "in the middle of the body"))
        left = None if left is None else left - len(piece)
        yield chunks.decode(piece) if chunks else piece
    if chunks and chunks.is_overrun:
        connection.abort()


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
        """Collect decoded data; httptools calls this."""
        self._data += data

    def on_message_complete(self) -> None:
        """Note the end; httptools calls this."""
        self.is_complete = True

    def _error(self) -> ExchangeError:
        return invalid_response("the body is not framed as HTTP says")
