"""The database's disk: slow by chance, full by order, and the place where a process likes to die.

A crash here is one of three: at a statement of a transaction, before its COMMIT, or after it and before
anybody has heard. The file keeps what was committed, as it does when a process is killed; what a
power cut does to it is shown elsewhere.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from notifier.store.sqlite.driver import Connect

T = TypeVar("T")

FULL = 13  # SQLITE_FULL


CRASHES = ("statement", "commit", "unheard")
PLACES = (
    "INSERT INTO watches", "INSERT INTO events", "INSERT INTO events", "INSERT INTO attempts",
    "INSERT INTO attempts", "UPDATE watches", "UPDATE deliveries", "UPDATE endpoints",
    "DELETE FROM bulk_changes", "",
)  # fmt: skip


@dataclass
class Plan:
    """What is to happen in the ``skip``-th next write with a statement that begins with ``place``.

    ``how`` is a kind of crash, or ``full``: then ``count`` such writes meet a full disk.
    """

    how: str
    place: str = ""
    skip: int = 0
    count: int = 1


class Disk:
    """One disk for all lives. ``die`` ends the life under way and does not return."""

    def __init__(
        self, rng: random.Random, die: Callable[[str], NoReturn], disturb: Callable[[], None]
    ) -> None:
        self._disturb = disturb
        self.plan: Plan | None = None
        self.is_slow = False
        self.rng = rng
        self.die = die
        self.connections: list[sqlite3.Connection] = []

    async def open(self, connect: Connect) -> "SimDriver":
        """An ``OpenDriver``."""
        connection = connect()
        connection.execute("PRAGMA synchronous = OFF")  # what is killed leaves no hole, so fsync buys nothing
        self.connections.append(connection)
        is_writer = connection.execute("PRAGMA query_only").fetchone()[0] == 0
        return SimDriver(self, connection, is_writer=is_writer)

    def drop(self) -> None:
        """The process is gone, and with it what was not committed."""
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    async def wait(self) -> None:
        """Take the time that a thread would."""
        delay = 0.0
        if self.is_slow:
            delay = self.rng.choice([0.01, 0.2, 2.0])
            self._disturb()
        elif self.rng.random() < 0.1:
            delay = self.rng.random() * 0.02
        await asyncio.sleep(delay)
        if self.is_slow:
            self._disturb()

    def strike(self, plan: Plan) -> bool:
        """Whether this is the time for the plan."""
        if plan.skip > 0:
            plan.skip -= 1
            return False
        plan.count -= 1
        self._disturb()
        if plan.count <= 0:
            self.plan = None
        return True


class SimDriver:
    """A ``Driver`` in place, with everything that can happen to one."""

    def __init__(self, disk: Disk, connection: sqlite3.Connection, *, is_writer: bool) -> None:
        self._disk = disk
        self._connection = connection
        self._is_writer = is_writer

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See ``Driver``."""
        await self._disk.wait()
        plan = self._disk.plan if self._is_writer else None
        if plan is None:
            return fn(self._connection)
        tampered: Any = Tampered(self._connection, plan, self._disk)
        result = fn(tampered)
        if tampered.is_struck and plan.how == "unheard":
            self._disk.die("after a commit that nobody heard of")
        return result

    async def close(self) -> None:
        """See ``Driver``."""
        self._connection.close()


class Tampered:
    """A connection on which the plan comes true."""

    def __init__(self, connection: sqlite3.Connection, plan: Plan, disk: Disk) -> None:
        self._connection = connection
        self._plan = plan
        self._disk = disk
        self._is_met = False
        self.is_struck = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """See ``sqlite3.Connection``."""
        if sql != "BEGIN IMMEDIATE" and not self._is_met and sql.startswith(self._plan.place):
            self._is_met = True
            self.is_struck = self._disk.strike(self._plan)
            if self.is_struck:
                self._act_at(sql)
        if self.is_struck and sql == "COMMIT" and self._plan.how == "commit":
            self._disk.die("before a COMMIT")
        return self._connection.execute(sql, *values)

    def _act_at(self, sql: str) -> None:
        if self._plan.how == "statement":
            self._disk.die(f"at {' '.join(sql.split()[:3])}")
        if self._plan.how == "full":
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = FULL
            raise error
