"""Peers that answer by script, each misbehaving in its own way."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.outbound.client import HttpxClient
from notifier.outbound.resolver import CachingResolver
from notifier.outbound.tls import make_tls_context

MAX_BODY = 64 * 1024
SOON_MS = 1_000  # where nothing but the deadline is to end it
LONG_MS = 20_000
KEY = "Bearer sk-canary-0123456789"


@dataclass
class Peer:
    """One listening peer, what it was sent, and the connections it got."""

    port: int = 0
    scheme: str = "http"
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@dataclass
class Line:
    """One connection, from the peer's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: Peer

    async def request(self) -> bool:
        """Read one request; False when the other side has hung up instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        self.peer.heads.append(head)
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if b": " in line)
        self.peer.bodies.append(await self.reader.readexactly(int(fields.get(b"content-length", b"0"))))
        return True

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hang(self) -> None:
        """Do nothing until the other side goes."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass


Script = Callable[[Line], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Run a peer on a free port. Each connection runs the script once, and is closed at its end."""
    peer = Peer(scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        peer.connections += 1
        try:
            await script(Line(reader, writer, peer))
            peer.ended.append("done")
        except (ConnectionError, asyncio.IncompleteReadError):
            peer.ended.append("lost")
        except asyncio.CancelledError:
            peer.ended.append("cancelled")
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def wired(
    *,
    connections: int = 8,
    keepalive_s: float = 60.0,
    max_body: int = MAX_BODY,
    ca_file: str | None = None,
    **more: object,
) -> AsyncIterator[HttpxClient]:
    """A wire, closed at the end."""
    more.setdefault("tls", make_tls_context(ca_file))
    wire = HttpxClient(connections=connections, keepalive_s=keepalive_s, max_body=max_body, **more)  # type: ignore[arg-type] # passed on
    try:
        yield wire
    finally:
        await wire.close()


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer, as bytes."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def saying(*pieces: bytes, pause_s: float = 0.0) -> Script:
    """After each request, say these pieces; keep the connection."""

    async def script(line: Line) -> None:
        while await line.request():
            for piece in pieces:
                await line.say(piece)
                await asyncio.sleep(pause_s)

    return script


def for_ever(first: bytes, again: bytes, pause_s: float = 0.0) -> Script:
    """Say ``first``, then ``again`` without end."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(first)
        await asyncio.sleep(pause_s)
        while True:
            await line.say(again)
            await asyncio.sleep(pause_s)

    return script


def resolving(**names: Iterable[str]) -> CachingResolver:
    """A resolver that knows these names, written with _ for a dot."""
    known = {name.replace("_", "."): list(addresses) for name, addresses in names.items()}

    def lookup(name: str) -> list[str]:
        if name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known[name]

    return CachingResolver(lookup)


async def fetch(script: Script, *, timeout_ms: int = LONG_MS, method: str = "GET") -> tuple[Exchange, Peer]:
    """One exchange with a peer of its own, and a healthy one after it through the same wire."""
    async with listening(script) as peer, listening(saying(answer())) as healthy, wired() as wire:
        if method == "GET":
            exchange = await wire.get(peer.url(), {"Authorization": KEY}, timeout_ms=timeout_ms)
        else:
            exchange = await wire.post(peer.url(), {"Authorization": KEY}, b"{}", timeout_ms=timeout_ms)
        assert isinstance(await wire.get(healthy.url(), {}, timeout_ms=LONG_MS), HttpReply)
        return exchange, peer


def fault_of(exchange: Exchange) -> FailureKind:
    """Return the fault of an exchange that must have one, told in a line without secrets."""
    assert isinstance(exchange, NoReply), exchange
    assert "\n" not in exchange.detail
    assert exchange.detail
    assert "canary" not in exchange.detail
    return exchange.kind
