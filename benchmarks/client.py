"""A keep-alive HTTP client that costs next to nothing, so that what is measured is the other end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast
from urllib.parse import urlsplit

from benchmarks.framing import Framer

ANSWER_LIMIT_S = 60.0
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, authority: str, headers: Mapping[str, str]) -> None:
        fields = {"host": authority, **headers}
        self._fields = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Send a request and wait for its answer."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the other end closed the connection")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(self._head(method, path, len(body)) + body)
        async with asyncio.timeout(ANSWER_LIMIT_S):
            return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _head(self, method: str, path: str, length: int) -> bytes:
        sized = f"content-type: application/json\r\ncontent-length: {length}\r\n" if length else ""
        return f"{method} {path} HTTP/1.1\r\n{self._fields}{sized}\r\n".encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio calls this."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        """asyncio calls this."""
        self._framer.feed(data)
        message = self._framer.message()
        if message is not None and self._answer is not None and not self._answer.done():
            head, body = message
            self._answer.set_result(Answer(int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio calls this."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the other end closed the connection"))


async def connect(url: str, headers: Mapping[str, str] = NO_HEADERS) -> Connection:
    """Open a connection to a base URL; ``headers`` go with each request."""
    authority = urlsplit(url).netloc
    host, _, port = authority.rpartition(":")
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(authority, headers), host, int(port))
    return connection


class Pool:
    """A few connections to one server; who finds none free waits."""

    def __init__(self, connections: list[Connection]) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in connections:
            self._free.put_nowait(connection)

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Send a request on a free connection."""
        connection = await self._free.get()
        try:
            return await connection.ask(method, path, body)
        finally:
            self._free.put_nowait(connection)


@contextlib.asynccontextmanager
async def pool(url: str, size: int, headers: Mapping[str, str] = NO_HEADERS) -> AsyncIterator[Pool]:
    """Hold ``size`` connections for the block."""
    connections = [await connect(url, headers) for _ in range(size)]
    try:
        yield Pool(connections)
    finally:
        for connection in connections:
            connection.close()
