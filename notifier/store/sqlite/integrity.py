"""Check whether a file may be opened as ours, without changing a byte of it or beside it.

It must be a SQLite file of ours, of a known version, and undamaged. Up to CHECKED_WHOLE_BYTES ``quick_check``
reads the whole file. Of a larger one only the header, the schema and the first page of each table are read.
Other damage in such a file appears later, as an error of the statement that reads it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from notifier.core.formats.text import one_line
from notifier.errors import DatabaseUnusable, NotifierError
from notifier.store.sqlite.connection import connect_foreign
from notifier.store.sqlite.database_files import index_path, log_path, migration_copies
from notifier.store.sqlite.errors import is_damaged
from notifier.store.sqlite.version import explain_old_sqlite

APPLICATION_ID = 0x6E746664  # "ntfd"

# A check of a million watches would hold up the start. No record of why this size; changing it needs a
# measurement.
CHECKED_WHOLE_BYTES = 64 * 1024 * 1024

SMALLEST_BYTES = 512  # SQLite's file format: a page has 512 bytes at least, and a database one page

_RESTORE = "restore a backup, or name another file; this one was not touched"
_ELSEWHERE = "name another file as store.url; this one was not touched"


def refuse_old_sqlite() -> None:
    """Raise DatabaseUnusable if this SQLite does not know the schema."""
    if (why := explain_old_sqlite()) is not None:
        raise DatabaseUnusable(*why)


def check(path: Path, newest_version: int) -> None:
    """Raise DatabaseUnusable unless the file is ours and sound, or new: missing or empty."""
    log = log_path(path)
    has_log = log.exists() and log.stat().st_size > 0
    if not path.exists():
        if has_log:
            raise DatabaseUnusable(f"{path} is gone, but its log {log.name} is there", _RESTORE)
        return
    if not path.is_file():
        raise DatabaseUnusable(f"{path} is not a file", _ELSEWHERE)
    if path.stat().st_size == 0:
        if has_log:
            raise DatabaseUnusable(f"{path} is empty, but its log {log.name} is not", _RESTORE)
        return
    if path.stat().st_size < SMALLEST_BYTES:  # SQLite treats a file of one byte as empty
        raise DatabaseUnusable(f"{path} is no database", _ELSEWHERE)
    _check_content(path, newest_version, has_log=has_log)


def _check_content(path: Path, newest_version: int, *, has_log: bool) -> None:
    """Check the file over a connection that writes nothing.

    ``immutable`` takes no lock, but does not see the log. If there is a log, ``ro`` is needed, which creates
    the index of the log; that is removed if the file is refused.
    """
    index = index_path(path)
    had_index = index.exists()
    uri = f"{path.as_uri()}?{'mode=ro' if has_log else 'immutable=1'}"
    try:
        with closing(connect_foreign(uri)) as connection:
            _check_database(connection, path, newest_version)
    except (sqlite3.Error, NotifierError) as error:
        if not had_index:
            index.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise _check_failed(error, path) from error
        raise


def _check_database(connection: sqlite3.Connection, path: Path, newest_version: int) -> None:
    application_id = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    if application_id == version == 0 and not tables:
        return  # created, but never migrated
    if application_id != APPLICATION_ID:
        raise DatabaseUnusable(f"{path} is a database of another program", _ELSEWHERE)
    if version > newest_version:
        cause = f"{path} was written by a newer notifier (its version is {version}, we know {newest_version})"
        raise DatabaseUnusable(
            cause, f"run that newer notifier{_suggest_copy(path)}; the file was not touched"
        )
    if path.stat().st_size <= CHECKED_WHOLE_BYTES:
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise DatabaseUnusable(f"{path} is damaged ({one_line(damage, 200)})", _RESTORE)
    else:
        for (name,) in tables:
            connection.execute(f'SELECT * FROM "{name}" LIMIT 1').fetchone()  # noqa: S608 - its own names


def _suggest_copy(path: Path) -> str:
    """Name the copy from before the last migration, if it exists."""
    copies = migration_copies(path)
    return f", or restore {copies[-1].name}, made before it was brought up to date" if copies else ""


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(pragma).fetchone()[0])


def _check_failed(error: sqlite3.Error, path: Path) -> DatabaseUnusable:
    if is_damaged(error):
        return DatabaseUnusable(f"{path} is no database, or a damaged one ({error})", _RESTORE)
    return DatabaseUnusable(
        f"{path} cannot be read ({error})", "the user that runs notifier must own it and its directory"
    )
