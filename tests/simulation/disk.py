"""The database's disk: slow by chance, full by order, and the place where a process likes to die.

A crash here is one of four: before the transaction, at one of its statements, before its COMMIT, or after
it and before anybody has heard. The file keeps what was committed, as it does when a process is killed; what a
power cut does to it is shown elsewhere.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from notifier.store.driver import Connect

T = TypeVar("T")

FULL = 13  # SQLITE_FULL


@dataclass
class Plan:
    """What is to happen in the write after ``skip`` more: ``how`` is a kind of crash, or ``full``.

    ``count`` writes meet a full disk; ``statement`` is the one that a crash or fault waits for.
    """

    how: str
    skip: int
    statement: int = 1
    count: int = 1


CRASHES = ("before", "statement", "commit", "unheard")


class Disk:
    """One disk for all lives. ``die`` ends the life under way and does not return."""

    def __init__(
        self, chance: random.Random, die: Callable[[str], NoReturn], disturb: Callable[[], None]
    ) -> None:
        self._disturb = disturb
        self.plan: Plan | None = None
        self.is_slow = False
        self.chance = chance
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
            delay = self.chance.choice([0.01, 0.2, 2.0])
            self._disturb()
        elif self.chance.random() < 0.1:
            delay = self.chance.random() * 0.02
        await asyncio.sleep(delay)
        if self.is_slow:
            self._disturb()

    def take_plan(self) -> Plan | None:
        """The plan, if this write is the one."""
        plan = self.plan
        if plan is None:
            return None
        if plan.skip > 0:
            plan.skip -= 1
            return None
        plan.count -= 1
        self._disturb()
        if plan.count <= 0:
            self.plan = None
        return plan


class SimDriver:
    """A ``Driver`` in place, with everything that can happen to one."""

    def __init__(self, disk: Disk, connection: sqlite3.Connection, *, is_writer: bool) -> None:
        self._disk = disk
        self._connection = connection
        self._is_writer = is_writer

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """See ``Driver``."""
        await self._disk.wait()
        plan = self._disk.take_plan() if self._is_writer else None
        if plan is None:
            return fn(self._connection)
        if plan.how == "before":
            self._disk.die("before a transaction")
        tampered: Any = Tampered(self._connection, plan, self._disk)
        result = fn(tampered)
        if plan.how in CRASHES:  # "unheard", or the statement never came
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
        self._left = plan.statement

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """See ``sqlite3.Connection``."""
        if sql == "COMMIT" and self._plan.how == "commit":
            self._disk.die("before a COMMIT")
        if sql not in ("BEGIN IMMEDIATE", "ROLLBACK"):
            self._left -= 1
        if self._left == 0 and self._plan.how == "statement":
            self._disk.die(f"at {sql.split()[0]} within a transaction")
        if self._left <= 0 and self._plan.how == "full" and sql != "ROLLBACK":
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = FULL
            raise error
        return self._connection.execute(sql, *values)
