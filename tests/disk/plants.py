"""Bugs to be planted, each of which a sweep or a power cut must find, or it proves nothing."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from notifier.store.sqlite import connection as connecting
from notifier.store.sqlite import open, transactions
from notifier.store.sqlite.integrity import APPLICATION_ID

T = TypeVar("T")


def many_transactions() -> None:
    """Each statement of a verb commits by itself."""

    def run_bare(connection: sqlite3.Connection, run: Callable[[], T]) -> T:
        return run()

    transactions._in_transaction = run_bare


def migration_in_pieces() -> None:
    """The number is written in a transaction of its own, after the step."""

    def migrate(connection: sqlite3.Connection, before: object = None) -> None:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        for number, script in enumerate(open.migrations()[version:], version + 1):
            connection.executescript(f"BEGIN IMMEDIATE; {script}; COMMIT;")
            connection.executescript(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
            )

    open.migrate = migrate


def answer_before_the_disk() -> None:
    """Commits are handed to the system, and answered, without waiting for the disk."""
    honest = connecting.connect_writer

    def connect(file: str, busy_ms: int = connecting.BUSY_MS) -> sqlite3.Connection:
        connection = honest(file, busy_ms)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    open.connect_writer = connect  # type: ignore[attr-defined]


PLANTS: dict[str, Callable[[], None]] = {
    "many-transactions": many_transactions,
    "migration-in-pieces": migration_in_pieces,
    "answer-before-the-disk": answer_before_the_disk,
}
