"""Receivers: they say 200 to everything and write down what came, and when. Others hang, or refuse."""

import asyncio
import contextlib
import socket
import time
from asyncio.trsock import TransportSocket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import cast

import msgspec

from benchmarks.framing import Framer
from notifier.core.formats.times import parse_instant

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class _Data(msgspec.Struct):
    task_id: str
    ended_at: str


class _Event(msgspec.Struct):
    id: str
    data: _Data


@dataclass(frozen=True, slots=True)
class Entry:
    """One callback: the event, when the daemon says that it noticed the end, and when it reached us."""

    event_id: str
    ended_at: int
    received_at: int


class Ledger:
    """All callbacks by task; the first of each counts, the others are duplicates.

    ``urls`` has one for each receiver.
    """

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.entries: dict[str, Entry] = {}
        self.duplicates = 0

    def note(self, body: bytes) -> None:
        """Write down one callback."""
        received_at = time.time_ns() // 1_000_000
        event = msgspec.json.decode(body, type=_Event)
        if event.data.task_id in self.entries:
            self.duplicates += 1
        else:
            ended_at = parse_instant(event.data.ended_at)
            assert ended_at is not None
            self.entries[event.data.task_id] = Entry(event.id, ended_at, received_at)


class _Receiver(asyncio.Protocol):
    """One connection of the daemon to the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio calls this."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        """asyncio calls this."""
        self._framer.feed(data)
        while (message := self._framer.message()) is not None:
            self._ledger.note(message[1])
            if self._transport is not None:
                self._transport.write(ANSWER)


@contextlib.asynccontextmanager
async def receiving(count: int = 1) -> AsyncIterator[Ledger]:
    """Receive for the block, at each of ``ledger.urls``: so many origins."""
    ledger = Ledger()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            ledger.urls.append(await stack.enter_async_context(_serving(lambda: _Receiver(ledger))))
        yield ledger


def hanging() -> contextlib.AbstractAsyncContextManager[str]:
    """Take connections and requests for the block and never answer; gives the URL."""
    return _serving(asyncio.Protocol)


@contextlib.contextmanager
def refusing() -> Iterator[tuple[socket.socket, str]]:
    """Refuse every connection for the block; gives the URL, and the socket for who wants to listen later.

    The port is bound, so that nobody else answers there.
    """
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held, _url(held)


@contextlib.asynccontextmanager
async def _serving(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield _url(server.sockets[0])
    finally:
        server.close()


def _url(bound: socket.socket | TransportSocket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}/hook"
