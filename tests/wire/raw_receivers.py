"""Receivers that answer with odd bytes, as a table: what each writes, and what it means.

A callback is delivered by a final 2xx status line and the end of its head, and by nothing else.
A poll needs a body as well, whose end is certain.
"""

import asyncio
from dataclasses import dataclass

from notifier.core.exchange import FailureKind
from tests.wire.peers import Line, Script

OK = b"HTTP/1.1 200 OK\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n"
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
BODY = b"Content-Length: 2\r\n\r\n{}"
RESET, PROTOCOL, TOO_LARGE = FailureKind.RESET, FailureKind.PROTOCOL, FailureKind.TOO_LARGE


@dataclass(frozen=True)
class Receiver:
    """``callback`` and ``poll`` are a status, a status and a body, or the kind of failure."""

    name: str
    writes: bytes
    callback: int | FailureKind
    poll: tuple[int, bytes] | FailureKind
    then_closes: bool = False

    def script(self) -> Script:
        """Answer each request with the same bytes, or close after the first."""

        async def script(line: Line) -> None:
            while await line.request():
                await line.say(self.writes)
                if self.then_closes:
                    return

        return script


def _fields(count: int) -> bytes:
    return b"".join(b"X-Field-%d: a\r\n" % number for number in range(count))


WITH_BODIES = [
    Receiver("204 with a length and a body", NO_CONTENT + b"Content-Length: 5\r\n\r\nhello", 204, (204, b"")),
    Receiver(
        "204 with chunks",
        NO_CONTENT + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        204,
        (204, b""),
    ),
    Receiver(
        "204 of http.server that writes ok",
        b"HTTP/1.0 204 No Content\r\nServer: BaseHTTP/0.6 Python/3.11.7\r\n\r\nok",
        204,
        (204, b""),
        then_closes=True,
    ),
    Receiver("200 with a length 1 too small", OK + b"Content-Length: 1\r\n\r\n{}", 200, (200, b"{")),
    Receiver("200 with a length 2 too small", OK + b"Content-Length: 2\r\n\r\n{}\r\n", 200, (200, b"{}")),
    Receiver(
        "200 with a length too great", OK + b"Content-Length: 9\r\n\r\n{}", 200, RESET, then_closes=True
    ),
    Receiver(
        "200 and a bad chunk",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n",
        200,
        PROTOCOL,
    ),
    Receiver(
        "200 and a chunk that breaks off",
        OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}",
        200,
        RESET,
        then_closes=True,
    ),
    Receiver(
        "200 and another response after the last chunk",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil",
        200,
        (200, b"{}"),
    ),
    Receiver(
        "200 and bytes after the last chunk",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\ngarbage",
        200,
        (200, b"{}"),
    ),
]

WITH_ODD_HEADS = [
    Receiver(
        "a header of 9 KB",
        OK + b"Content-Security-Policy: " + b"a" * 9_000 + b"\r\n" + BODY,
        200,
        (200, b"{}"),
    ),
    Receiver("a header of 20 KB", OK + b"Set-Cookie: " + b"a" * 20_000 + b"\r\n" + BODY, 200, (200, b"{}")),
    Receiver("150 headers", OK + _fields(150) + BODY, 200, (200, b"{}")),
    Receiver("two equal lengths", OK + b"Content-Length: 2\r\n" + BODY, 200, (200, b"{}")),
    Receiver("a length twice in one line", OK + b"Content-Length: 2, 2\r\n\r\n{}", 200, (200, b"{}")),
    Receiver("two different lengths", OK + b"Content-Length: 1\r\n" + BODY, 200, PROTOCOL),
    Receiver("a length that is no number", OK + b"Content-Length: two\r\n\r\n{}", 200, PROTOCOL),
    Receiver("a folded length", OK + b"Content-Length:\r\n 2\r\n\r\n{}", 200, PROTOCOL),
    Receiver("a blank before the colon of the length", OK + b"Content-Length : 2\r\n\r\n{}", 200, PROTOCOL),
    Receiver(
        "both framings",
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        200,
        (200, b"{}"),
    ),
    Receiver("a coding other than chunked", OK + b"Transfer-Encoding: gzip\r\n\r\n{}", 200, PROTOCOL),
    Receiver("brackets in a header's name", OK + b"X-A[b]: c\r\n" + BODY, 200, (200, b"{}")),
    Receiver("a blank before a colon", OK + b"X-A : c\r\n" + BODY, 200, (200, b"{}")),
    Receiver("a folded header", OK + b"X-A: b\r\n  c\r\n" + BODY, 200, (200, b"{}")),
    Receiver("a line without a colon", OK + b"nonsense\r\n" + BODY, 200, PROTOCOL),
    Receiver("a status line in lower case", b"http/1.1 200 ok\r\n" + BODY, PROTOCOL, PROTOCOL),
    Receiver("a byte beyond ASCII", OK + b"X-A: sch\xf6n\r\n" + BODY, 200, (200, b"{}")),
    Receiver("a NUL in a header", OK + b"X-A: a\0b\r\n" + BODY, 200, PROTOCOL),
    Receiver("line feeds alone", b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 200, (200, b"{}")),
    Receiver("a status without a reason", b"HTTP/1.1 200\r\n" + BODY, 200, (200, b"{}")),
    Receiver("hints before the answer", HINT * 3 + OK + BODY, 200, (200, b"{}")),
    Receiver("a continue before the answer", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + BODY, 200, (200, b"{}")),
    Receiver("100 hints", HINT * 100 + OK + BODY, 200, (200, b"{}")),
    Receiver("a head of nearly 64 KB", OK + b"X-A: " + b"a" * 65_000 + b"\r\n" + BODY, 200, (200, b"{}")),
]

FAILURES = [
    Receiver("101 hints", HINT * 101 + OK + BODY, PROTOCOL, PROTOCOL),
    Receiver("a switch of protocols", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, (101, b"")),
    Receiver("a head over 64 KB", OK + b"X-A: " + b"a" * 66_000 + b"\r\n" + BODY, TOO_LARGE, TOO_LARGE),
    Receiver(
        "heads over 64 KB in all",
        (b"HTTP/1.1 103 Hi\r\nLink: " + b"a" * 8_000 + b"\r\n\r\n") * 9 + OK + BODY,
        TOO_LARGE,
        TOO_LARGE,
    ),
    Receiver("300 headers", OK + _fields(300) + BODY, PROTOCOL, PROTOCOL),
    Receiver("no end of the head", b"HTTP/1.1 200 OK\r\nX-A: b\r\n", RESET, RESET, then_closes=True),
    Receiver("hints and no answer", HINT, RESET, RESET, then_closes=True),
    Receiver("no HTTP", b"220 mail.example ESMTP\r\n", PROTOCOL, PROTOCOL),
    Receiver("four digits", b"HTTP/1.1 2000 OK\r\n" + BODY, PROTOCOL, PROTOCOL),
    Receiver(
        "a refusal whose body breaks off",
        b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\n",
        503,
        (503, b""),
        True,
    ),
    Receiver(
        "a refusal with a bad chunk",
        b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        429,
        (429, b""),
    ),
]

RECEIVERS = WITH_BODIES + WITH_ODD_HEADS + FAILURES


def answering_early(writes: bytes, *, reads: int) -> Script:
    """Answer after ``reads`` bytes of the request and close with the rest unread, as HAProxy does."""

    async def script(line: Line) -> None:
        await line.reader.readexactly(reads)
        line.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a reading transport too
        await line.say(writes)
        await asyncio.sleep(0.002)

    return script
