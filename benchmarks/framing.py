"""HTTP/1.1 messages cut out of a stream: only as much of it as two well-behaved ends of a benchmark need."""

END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Framer:
    """Collects bytes and gives out whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take what has come in."""
        self._buffer += piece

    def message(self) -> tuple[bytes, bytes] | None:
        """Return the next message as head and body, or None when it is not all there yet."""
        end = self._buffer.find(END_OF_HEAD)
        if end < 0:
            return None
        start = end + len(END_OF_HEAD)
        head = bytes(self._buffer[:start])
        whole = start + _length_of(head)
        if len(self._buffer) < whole:
            return None
        body = bytes(self._buffer[start:whole])
        del self._buffer[:whole]
        return head, body


def _length_of(head: bytes) -> int:
    """Return the body's length as the head says it. Chunked messages are not for us."""
    folded = head.lower()
    at = folded.find(_LENGTH)
    if at < 0:
        if b"transfer-encoding:" in folded:
            raise ValueError("a chunked message, which the benchmarks do not read")
        return 0
    return int(folded[at + len(_LENGTH) : folded.index(b"\r", at)])
