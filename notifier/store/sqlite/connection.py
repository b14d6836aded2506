"""Connections to SQLite with their settings: for the writer, readers, checks and copies."""

import sqlite3
from pathlib import Path

# How long a statement waits for a lock of another program. No record of why (it is also the default of
# Python's sqlite3); changing it needs a measurement.
BUSY_MS = 5_000

CACHE_KIB = 8_192  # no record of why; changing it needs a measurement

# CONTRACT P5: the log is bounded. SQLite truncates it to this size. No record of why this size; changing it
# needs a measurement.
LOG_LIMIT_BYTES = 64 * 1024 * 1024

CACHED_STATEMENTS = 256  # more than queries.sql has statements, so that each is compiled once


def connect_writer(file: str, busy_ms: int = BUSY_MS) -> sqlite3.Connection:
    """Open the only connection that writes and makes checkpoints, so that two never collide."""
    connection = _connect(file, busy_ms)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; see maintenance.give_back
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a committed transaction survives a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(file: str, busy_ms: int = BUSY_MS) -> sqlite3.Connection:
    """Open a connection that cannot write."""
    connection = _connect(file, busy_ms)
    connection.execute("PRAGMA query_only = ON")
    return connection


def connect_foreign(uri: str) -> sqlite3.Connection:
    """Open a file that may not be ours; ``uri`` must leave it untouched."""
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def connect_source(file: Path, busy_ms: int = BUSY_MS) -> sqlite3.Connection:
    """Open a database to copy it. It must exist, may be in use, and is not changed.

    Not ``mode=ro``, because that leaves an empty log and its index where there was none.
    """
    uri = f"{file.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_ms / 1_000, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_copy(temp: Path) -> sqlite3.Connection:
    """Open an empty file that nobody else knows, to copy a database into it.

    A network share may have no locks, so it takes none. No journal: a copy that fails is removed.
    """
    uri = f"{temp.absolute().as_uri()}?mode=rw&nolock=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")  # publish syncs the whole copy once
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(file: str, busy_ms: int) -> sqlite3.Connection:
    # isolation_level=None: the store begins its transactions itself. A deferred transaction that reads first
    # fails with SQLITE_BUSY at once when it writes, whatever the timeout.
    connection = sqlite3.connect(
        file, timeout=busy_ms / 1_000, isolation_level=None, cached_statements=CACHED_STATEMENTS
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection
