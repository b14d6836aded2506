"""How a function gets to run on a SQLite connection: in a thread of its own (production) or in place.

Functions run whole, with nobody else on the connection meanwhile: a transaction costs one thread hop, and
cancelling the caller leaves nothing half done.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol, Self, TypeVar

import aiosqlite

T = TypeVar("T")

Connect = Callable[[], sqlite3.Connection]


class Driver(Protocol):
    """One connection, one function at a time."""

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``fn`` on the connection to its end, also when the caller is cancelled meanwhile."""
        ...

    async def close(self) -> None:
        """Close the connection, rolling back what is open. A second time does nothing."""
        ...


OpenDriver = Callable[[Connect], Awaitable[Driver]]


class AiosqliteDriver:
    """The connection lives in aiosqlite's thread, so that no fsync ever stops the event loop.

    That thread is no daemon: a process with an unclosed driver does not end. Close it in ``finally``.
    """

    def __init__(self, proxy: aiosqlite.Connection) -> None:
        self._proxy = proxy

    @classmethod
    async def open(cls, connect: Connect) -> Self:
        """Start the thread and let it make the connection."""
        return cls(await aiosqlite.Connection(connect, iter_chunk_size=64))

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See ``Driver``."""
        # aiosqlite has no public call for "this function, in that thread"; its own are one statement each.
        # Only this line reaches in, and a test fails when it no longer can.
        result: T = await self._proxy._execute(lambda: fn(self._proxy._conn))  # type: ignore[no-untyped-call]
        return result

    async def close(self) -> None:
        """See ``Driver``."""
        await self._proxy.close()


class InlineDriver:
    """The connection lives in the event loop's thread: for simulations, where time must not be real."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, connect: Connect) -> Self:
        """Make the connection here."""
        return cls(connect())

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See ``Driver``."""
        await asyncio.sleep(0)  # others get their turn, as they would while a thread works
        return fn(self._connection)

    async def close(self) -> None:
        """See ``Driver``."""
        self._connection.close()
