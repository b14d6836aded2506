"""Transactions: what a verb that writes works with, and how the units of a batch are committed together."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from notifier.store.changes import ChangeCollector
from notifier.store.sqlite.errors import is_storage_error
from notifier.store.sqlite.ids import IdSequence

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Transaction:
    """The arguments of a verb that writes: the connection, new ids, and the notices of its changes."""

    connection: sqlite3.Connection
    ids: IdSequence
    changes: ChangeCollector


Work = Callable[[Transaction], T]


@dataclass(frozen=True, slots=True)
class UnitSucceeded:
    """The result of a unit."""

    value: Any


@dataclass(frozen=True, slots=True)
class UnitFailed:
    """The error of a unit. Only this unit was undone; the others of its batch are committed."""

    error: Exception


class TransactionFailed(Exception):
    """A batch that was not committed or, ``at_commit``, perhaps was. The cause is chained.

    If ``is_rolled_back`` is False the rollback failed too, and the connection cannot be used any more.
    """

    def __init__(self, *, at_commit: bool, is_rolled_back: bool) -> None:
        super().__init__("the batch failed")
        self.at_commit = at_commit
        self.is_rolled_back = is_rolled_back

    @property
    def is_of_a_unit(self) -> bool:
        """Return whether one unit caused the failure, and not the database below all of them."""
        cause = self.__cause__
        is_below = isinstance(cause, sqlite3.Error) and is_storage_error(cause)
        return self.is_rolled_back and not self.at_commit and not is_below


def run_batch(transaction: Transaction, works: Sequence[Work[Any]]) -> list[UnitSucceeded | UnitFailed]:
    """Run all units in one transaction and commit it; raise TransactionFailed if it is not committed.

    The first run has no savepoints. Inside a savepoint SQLite copies each page for each statement, which
    makes an insert three times as expensive. If a unit raises, all are undone and run again, each in a
    savepoint.
    """
    try:
        return _in_transaction(
            transaction.connection, lambda: [UnitSucceeded(work(transaction)) for work in works]
        )
    except TransactionFailed as error:
        if not error.is_of_a_unit:
            raise
    transaction.changes.drop_after(0)
    return _in_transaction(
        transaction.connection, lambda: [_in_savepoint(transaction, work) for work in works]
    )


def _in_transaction(connection: sqlite3.Connection, run: Callable[[], T]) -> T:
    at_commit = False
    try:
        connection.execute("BEGIN IMMEDIATE")
        outcomes = run()
        at_commit = True
        connection.execute("COMMIT")
    except Exception as error:
        raise TransactionFailed(at_commit=at_commit, is_rolled_back=_roll_back(connection)) from error
    except BaseException:
        _roll_back(connection)
        raise
    return outcomes


def _in_savepoint(transaction: Transaction, work: Work[Any]) -> UnitSucceeded | UnitFailed:
    connection, changes_before = transaction.connection, len(transaction.changes)
    connection.execute("SAVEPOINT unit")
    outcome: UnitSucceeded | UnitFailed
    try:
        outcome = UnitSucceeded(work(transaction))
    except Exception as error:
        if (isinstance(error, sqlite3.Error) and is_storage_error(error)) or not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO unit")
        transaction.changes.drop_after(changes_before)
        outcome = UnitFailed(error)
    connection.execute("RELEASE unit")
    return outcome


def _roll_back(connection: sqlite3.Connection) -> bool:
    """Return whether no transaction is left; SQLite may have ended it, for instance on a full disk."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return False
    return not connection.in_transaction
