"""Odd responses, and what notifier, h11 and curl make of each.

Two rules must hold: where curl sees a 2xx, a callback is delivered; where a poll reads a body, it is theirs.
``test_differential.py`` runs some hundreds, ``python -m tests.wire.fuzz`` hundreds of thousands.
"""

import asyncio
import random
import re
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import h11

from notifier.outbound.connection import Connection, Origin
from notifier.outbound.errors import ExchangeError
from notifier.outbound.response_body import ResponseBody

Reply = tuple[int, bytes]
"""A status, and a body that was read to its end."""

STATUS_LINES = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 201", b"HTTP/1.0 200 OK",
    b"HTTP/1.1 299 \xff", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 503 No", b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1  200 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 200OK", b"HTTP/2 200 OK",
    b"HTTP/1.2 200 OK", b"http/1.1 200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 099 No", b"ICY 200 OK",
    b" HTTP/1.1 200 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1 200 " + b"a" * 9_000,
]  # fmt: skip
INTERIM = [
    b"", b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b"HTTP/1.1 102 Processing\n\n", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", b"\r\n",
]  # fmt: skip
FIELDS = [
    b"Content-Type: application/json", b"X-A: b", b"X-A : b", b" folded", b"\tfolded", b"X-A[b]: c",
    b"nonsense", b": empty", b"X-A: a\0b", b"X-\0A: b", b"X-A: sch\xf6n", b"X-A: a\rb",
    b"X-Long: " + b"a" * 9_000, b"Connection: close", b"Connection: keep-alive, Close", b"Retry-After: 7",
    b"Set-Cookie: a=b", b"Content-Encoding: identity", b"Date: Tue, 01 Dec 2026 00:00:00 GMT", b"X-A:b",
    b"X-A:\t b \t",
]  # fmt: skip
FRAMINGS = [
    b"Content-Length: %d", b"content-length:%d", b"Content-Length: %d\r\nContent-Length: %d",
    b"Content-Length: 0%d", b"Content-Length: %d, %d", b"Content-Length : %d", b"Content-Length:\r\n %d",
    b"Content-Length: +%d", b"Content-Length: %d\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked", b"Content-Length: -1", b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked", b"", b"Content-Length: 99999999999999999999", b"Content-Length: %da",
    b"Content-Length: ", b"Content-Length: 9",
]  # fmt: skip
BODIES = [
    b"", b"{}", b"a" * 300, b"HTTP/1.1 200 OK\r\n\r\nevil", b"\0\xff\r\n\n",
]  # fmt: skip
CHUNK_LINES = [
    b"%x\r\n", b"%X\r\n", b"0%x\r\n", b"%x;a=b\r\n", b"%x ;a=\"b\"\r\n", b"%x\n", b" %x\r\n", b"+%x\r\n",
    b"0x%x\r\n", b"%xz\r\n",
]  # fmt: skip
CHUNK_ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"", b"\r\r\n", b"xx"]
LAST_CHUNKS = [
    b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX-Trailer: a\r\n\r\n", b"00\r\n\r\n", b"0\r\n", b"", b"0\n\n",
    b"0\r\n\r\ngarbage", b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil",
]  # fmt: skip


_WHOLE_2XX = re.compile(
    rb"(?s)(?:HTTP/[0-9](?:\.[0-9])? +1(?!01)[0-9]{2}(?:(?!\n\r*\n).)*\n\r*\n)*"  # interim heads
    rb"HTTP/[0-9](?:\.[0-9])? +2[0-9]{2}(?![0-9]).*?\n\r*\n"
)
"""A whole final head. curl takes one that is cut off too, and a status line that it cannot read for 200."""
_INTERIM = re.compile(rb"HTTP/[0-9](?:\.[0-9])? +1")


@dataclass(frozen=True)
class Verdict:
    """What notifier makes of a response: the status of a callback, and the reply to a poll."""

    callback: int | None
    poll: Reply | None


def odd_response(rng: random.Random) -> bytes:
    """Compose a response of odd parts, sometimes with a byte changed or its end cut off."""
    is_chunked = rng.random() < 0.5
    body = rng.choice(BODIES)
    usual = [b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d"]
    framing = rng.choice(FRAMINGS if rng.random() < 0.5 else usual)
    length = len(body) + rng.choice([0, 0, 0, 0, -1, 1])
    fields = [rng.choice(FIELDS) for _ in range(rng.choice([0, 1, 2, 3]))]
    fields.insert(rng.randint(0, len(fields)), framing.replace(b"%d", b"%d" % length))
    ending = rng.choice([b"\r\n"] * 6 + [b"\n"])
    head = [
        rng.choice(STATUS_LINES if rng.random() < 0.3 else STATUS_LINES[:2]),
        *filter(None, fields),
        b"",
        b"",
    ]
    written = _chunked(rng, body) if b"hunked" in framing or rng.random() < 0.1 else body
    return _spoiled(rng, rng.choice(INTERIM) + ending.join(head) + written)


def _chunked(rng: random.Random, body: bytes) -> bytes:
    pieces = []
    while body:
        size = rng.randint(1, len(body))
        line = rng.choice(CHUNK_LINES if rng.random() < 0.2 else CHUNK_LINES[:1])
        pieces += [line % size, body[:size], rng.choice(CHUNK_ENDS if rng.random() < 0.2 else CHUNK_ENDS[:1])]
        body = body[size:]
    return b"".join(pieces) + rng.choice(LAST_CHUNKS)


def _spoiled(rng: random.Random, response: bytes) -> bytes:
    at = rng.randrange(len(response))
    match rng.choice(["whole"] * 6 + ["cut", "changed", "doubled"]):
        case "cut":
            return response[:at]
        case "changed":
            return response[:at] + bytes([rng.randrange(256)]) + response[at + 1 :]
        case "doubled":
            return response[:at] + response[at : at + 1] + response[at:]
        case _:
            return response


class _NoTransport:
    """Stands for the transport of a connection that is fed by hand."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


async def notifiers_verdict(pieces: Sequence[bytes]) -> Verdict:
    """Feed the pieces to a connection, then its end."""
    with socket.socket() as unused:
        connection = Connection(Origin("http", "h", 80), "h:80", unused, 0.0)
        connection.connection_made(cast("asyncio.BaseTransport", _NoTransport()))
        feeding = asyncio.create_task(_feed(connection, pieces))
        try:
            head = await connection.read_head()
        except ExchangeError:
            return Verdict(None, None)
        finally:
            await feeding
        try:
            body = b"".join([piece async for piece in ResponseBody(connection, head, lambda *_: None)])
        except ExchangeError:
            return Verdict(head.status, None)
        return Verdict(head.status, (head.status, body))


async def _feed(connection: Connection, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        connection.data_received(piece)
        await asyncio.sleep(0)
    connection.eof_received()


def h11s_verdict(response: bytes) -> Reply | None:
    """Return the reply as h11 reads it, or None where it refuses."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        connection.receive_data(response)
        connection.receive_data(b"")
        while True:
            match cast("Any", connection.next_event()):
                case h11.Response(status_code=status):
                    pass
                case h11.Data(data=data):
                    body += data
                case h11.EndOfMessage():
                    return status, body
                case h11.ConnectionClosed() | h11.NEED_DATA | h11.PAUSED:
                    return None
    except (h11.ProtocolError, RuntimeError):
        return None


@dataclass(frozen=True)
class CurlsVerdict:
    """The last status that curl saw, and the reply if it was content with the body."""

    status: int
    reply: Reply | None
    exit_code: int


async def curls_verdicts(responses: Sequence[bytes], folder: Path) -> list[CurlsVerdict]:
    """Have one curl fetch all of them from a server of their own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            writer.write(responses[int(request.split(b" ")[1][1:])])
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1_000)
    verdicts: list[CurlsVerdict] = []
    async with server:
        port = server.sockets[0].getsockname()[1]
        while len(verdicts) < len(responses):  # some heads, of exit code 43, end the whole of curl
            verdicts += await _run_curl(port, range(len(verdicts), len(responses)), folder)
    return verdicts


async def _run_curl(port: int, numbers: range, folder: Path) -> list[CurlsVerdict]:
    lines = [f'url = "http://127.0.0.1:{port}/{n}"\noutput = "{folder / str(n)}"' for n in numbers]
    (folder / "config").write_text("\n".join(lines), encoding="ascii")
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-q", "-s", "--noproxy", "*", "--max-time", "10", "-K", str(folder / "config")),
        *("-w", "%{exitcode} %{http_code}\n"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await curl.communicate()
    verdicts = []
    for number, line in zip(numbers, output.decode("ascii").splitlines(), strict=False):
        exit_code, status = map(int, line.split())
        file = folder / str(number)
        body = file.read_bytes() if file.exists() else b""
        file.unlink(missing_ok=True)
        verdicts.append(CurlsVerdict(status, (status, body) if exit_code == 0 else None, exit_code))
    return verdicts


def disagreement(
    response: bytes, ours: Verdict, by_h11: Reply | None, by_curl: CurlsVerdict | None
) -> str | None:
    """Say which rule a response breaks; None if none."""
    if (
        by_curl is not None
        and is_2xx(by_curl.status)
        and _WHOLE_2XX.match(response)
        and not is_2xx(ours.callback)
    ):
        return f"curl sees a 2xx: {by_curl}; notifier {ours.callback}"
    if ours.poll is None or not is_2xx(ours.poll[0]):
        return None
    replies = [reply for reply in (by_h11, by_curl.reply if by_curl else None) if reply is not None]
    if any(reply != ours.poll for reply in replies):
        return f"notifier reads {ours.poll!r:.200}, h11 {by_h11!r:.200}, curl {by_curl!r:.300}"
    if (
        not replies and by_curl is not None and not _INTERIM.match(response)
    ):  # odd interim heads are passed over
        return f"notifier alone reads {ours.poll!r:.200}; curl {by_curl!r:.200}"
    return None


def is_2xx(status: int | None) -> bool:
    return status is not None and 200 <= status <= 299


def has_curl() -> bool:
    return shutil.which("curl") is not None
