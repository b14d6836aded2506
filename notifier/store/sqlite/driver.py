"""Drivers: they run a function on a SQLite connection, in a thread (production) or in place (simulation).

A function runs to its end while nobody else uses the connection. So a transaction costs one change of
threads, and cancelling the caller leaves nothing half done.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol, Self, TypeVar

import aiosqlite

T = TypeVar("T")

Connect = Callable[[], sqlite3.Connection]


class Driver(Protocol):
    """One connection that runs one function at a time."""

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``fn`` on the connection to its end, even if the caller is cancelled meanwhile."""
        ...

    async def close(self) -> None:
        """Close the connection and roll back what is open. A second call does nothing."""
        ...


OpenDriver = Callable[[Connect], Awaitable[Driver]]


class AiosqliteDriver:
    """A connection in a thread of aiosqlite, so that no sync of the disk stops the event loop.

    The thread is not a daemon thread: a process with an unclosed driver does not end. Close it in
    ``finally``.
    """

    def __init__(self, proxy: aiosqlite.Connection) -> None:
        self._proxy = proxy

    @classmethod
    async def open(cls, connect: Connect) -> Self:
        """Start the thread and open the connection in it."""
        return cls(await aiosqlite.Connection(connect, iter_chunk_size=64))

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See ``Driver``."""
        # aiosqlite has no public call that runs a function in its thread; each of its calls is one statement.
        # A test fails if these two private names change.
        result: T = await self._proxy._execute(lambda: fn(self._proxy._conn))  # type: ignore[no-untyped-call]
        return result

    async def close(self) -> None:
        """See ``Driver``."""
        await self._proxy.close()


class InlineDriver:
    """A connection in the thread of the event loop, for simulations with virtual time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, connect: Connect) -> Self:
        """Open the connection here."""
        return cls(connect())

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See ``Driver``."""
        await asyncio.sleep(0)  # let other tasks run, as they do while a thread works
        return fn(self._connection)

    async def close(self) -> None:
        """See ``Driver``."""
        self._connection.close()
