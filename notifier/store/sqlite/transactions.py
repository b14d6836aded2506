"""Transactions: what a verb works with, and how the verbs of a batch are committed together."""

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
    """What a verb that writes is handed: the connection, new ids, and where it notes its changes."""

    connection: sqlite3.Connection
    ids: IdSequence
    changes: ChangeCollector


Work = Callable[[Transaction], T]


@dataclass(frozen=True, slots=True)
class UnitSucceeded:
    """What a unit returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class UnitFailed:
    """What a unit threw; nothing of it was kept, the others were."""

    error: Exception


class TransactionFailed(Exception):
    """A whole batch that was not kept (or, ``at_commit``, perhaps was). The cause is chained.

    ``is_rolled_back`` is False when even that failed: the connection is of no use any more.
    """

    def __init__(self, *, at_commit: bool, is_rolled_back: bool) -> None:
        super().__init__("the batch failed")
        self.at_commit = at_commit
        self.is_rolled_back = is_rolled_back

    @property
    def is_of_a_unit(self) -> bool:
        """Whether one unit is to blame and not what all of them stand on."""
        cause = self.__cause__
        is_below = isinstance(cause, sqlite3.Error) and is_storage_error(cause)
        return self.is_rolled_back and not self.at_commit and not is_below


def run_batch(transaction: Transaction, works: Sequence[Work[Any]]) -> list[UnitSucceeded | UnitFailed]:
    """Run all in one transaction and commit it; raises TransactionFailed when nothing is to show for it.

    At first without savepoints: inside one, SQLite keeps a copy of each page for each statement, which makes
    an insert three times as dear. Only when a unit throws is all undone and run again, each in its own.
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
    """Return whether no transaction is left; a full disk or a failed one may have ended it already."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return False
    return not connection.in_transaction
