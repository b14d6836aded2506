"""The receiver: says 200 to everything and writes down what came, and when."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from benchmarks.framing import Framer
from notifier.core.instants import from_text

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


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
    """All callbacks by task; the first of each counts, the others are duplicates."""

    def __init__(self) -> None:
        self.url = ""
        self.entries: dict[str, Entry] = {}
        self.duplicates = 0

    def note(self, body: bytes) -> None:
        """Write down one callback."""
        received_at = time.time_ns() // 1_000_000
        event = msgspec.json.decode(body, type=_Event)
        if event.data.task_id in self.entries:
            self.duplicates += 1
        else:
            ended_at = from_text(event.data.ended_at)
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
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio calls this."""
        self._framer.feed(data)
        while (message := self._framer.message()) is not None:
            self._ledger.note(message[1])
            if self._transport is not None:
                self._transport.write(_ANSWER)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Ledger]:
    """Receive for the block, at ``ledger.url``."""
    ledger = Ledger()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Receiver(ledger), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ledger.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield ledger
    finally:
        server.close()
