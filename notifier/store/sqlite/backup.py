"""Copies of the database: of one moment, verified, and never partial under their name.

SQLite's backup copies the pages of one snapshot, including those in the log, while others read and write. A
copy of the file alone would lose what is in the log. The copy is one file without a log of its own.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from notifier.atomic_file import publish, sync_file, temp_path, write_file
from notifier.core.formats.text import one_line
from notifier.errors import DatabaseUnusable, NotifierError
from notifier.store.sqlite.connection import BUSY_MS, connect_copy, connect_foreign, connect_source
from notifier.store.sqlite.database_files import (
    journal_path,
    migration_copies,
    migration_copy,
    secret_of_backup,
)
from notifier.store.sqlite.errors import error_code, error_to_unavailable, is_locked
from notifier.store.sqlite.integrity import APPLICATION_ID, refuse_old_sqlite
from notifier.store.sqlite.queries import SQL

PAGES_PER_STEP = 2_048  # 8 MiB, then a signal is heeded; a single step of a large file would take minutes

# https://sqlite.org/fileformat2.html, 1.3: the write and the read version; 1 is a rollback journal, 2 is WAL.
_VERSIONS_AT, _ROLLBACK_VERSIONS = 18, b"\x01\x01"


class BackupFailed(NotifierError):
    """A copy could not be made. No file was created or changed under its name."""

    code = "backup_failed"
    exit_status = 1


class TargetExists(BackupFailed):
    """A file with that name exists, and it may not be replaced."""

    code = "name_taken"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already", "name another file, or replace it with --force")


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished copy. ``version`` is that of its schema, ``secret`` the copied secrets beside it, if any."""

    path: Path
    size_bytes: int
    version: int
    watches: int
    secret: Path | None


def back_up(
    database: Path,
    final: Path,
    *,
    secret: Path | None = None,
    may_replace: bool = False,
    busy_ms: int = BUSY_MS,
) -> Backup:
    """Copy the database to ``final``, even while a daemon uses it, and the file of secrets beside it.

    The secrets are copied first, so that every backup can be restored whole. Raise DatabaseUnusable if the
    source is not a database of ours, else TargetExists or BackupFailed (no room, no right, damage). No new
    file is left then.
    """
    refuse_old_sqlite()
    saved_secret = secret_of_backup(final) if secret is not None else None
    for name in (final, saved_secret):
        if name is not None and name.exists() and not may_replace:
            raise TargetExists(name)
    had_secret = saved_secret is not None and saved_secret.exists()
    content = b"" if secret is None else _read(secret)
    with _temp_database(final) as temp:
        version, watches = _copy_checked(database, temp, busy_ms)
        size_bytes = temp.stat().st_size
        if saved_secret is not None:
            sync_file(temp)  # it takes long, and a kill meanwhile must not leave the secrets alone
        try:
            if saved_secret is not None:
                _write_secret(content, saved_secret, may_replace=may_replace)
            publish(temp, final, may_replace=may_replace)
        except TargetExists:  # another program's secrets, which came meanwhile
            raise
        except BaseException:
            if saved_secret is not None and not had_secret and not final.exists():
                saved_secret.unlink(missing_ok=True)
            raise
    return Backup(final, size_bytes, version, watches, saved_secret)


def keep_copy(connection: sqlite3.Connection, version: int) -> Path:
    """Copy the database to ``NAME.vVERSION.backup`` before a migration, and return that path.

    Copies of other versions are deleted after that. Raise DatabaseUnusable, because there must be no
    migration without a copy.
    """
    database = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    copy_path = migration_copy(database, version)
    try:
        with _temp_database(copy_path) as temp:
            copy_to(connection, temp)
            publish(temp, copy_path, may_replace=True)
    except BackupFailed as failed:
        cause = f"{database} was not brought up to date, for no copy of it could be kept: {failed.cause}"
        raise DatabaseUnusable(cause, failed.fix) from failed
    for older in migration_copies(database):
        if older != copy_path:
            with suppress(OSError):  # the next migration tries again
                older.unlink(missing_ok=True)
    return copy_path


def copy_to(source: sqlite3.Connection, temp: Path) -> None:
    """Copy a snapshot of the source into an empty file, and read all of the copy; raise BackupFailed."""
    try:
        with closing(connect_copy(temp)) as copy, _snapshot(source):
            source.backup(copy, pages=PAGES_PER_STEP, progress=_fail_if_locked)
        _mark_without_log(temp)
        with closing(connect_foreign(f"{temp.absolute().as_uri()}?immutable=1")) as copy:
            damage = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise _sqlite_failed(error, temp.parent) from error
    if damage != "ok":
        raise BackupFailed(
            f"the copy is damaged ({one_line(damage, 200)}), so the database is, or the disk under the copy",
            "look at the disk and the system's log; an older backup may be sound",
        )


def _mark_without_log(copy: Path) -> None:
    """Write into the copy that it has no write-ahead log. The pragma for it needs shared memory."""
    with copy.open("r+b") as file:
        file.seek(_VERSIONS_AT)
        file.write(_ROLLBACK_VERSIONS)


@contextmanager
def _snapshot(source: sqlite3.Connection) -> Iterator[None]:
    """Hold one state of the source, so that writes between two steps do not start the copy again."""
    source.execute("BEGIN")
    try:
        source.execute("PRAGMA schema_version").fetchone()  # reads, and so begins the snapshot
        yield
    finally:
        source.execute("ROLLBACK")


def _copy_checked(database: Path, temp: Path, busy_ms: int) -> tuple[int, int]:
    """Copy the database, and return its version and the number of watches in the copy."""
    if not database.is_file() or database.stat().st_size == 0:
        raise DatabaseUnusable(
            f"there is no database at {database}",
            "name the daemon's with --database, or its configuration with --config",
        )
    try:
        with closing(connect_source(database, busy_ms)) as source:
            application_id = source.execute("PRAGMA application_id").fetchone()[0]
            if application_id != APPLICATION_ID:
                raise DatabaseUnusable(f"{database} is a database of another program", "name the daemon's")
            copy_to(source, temp)
        with closing(connect_foreign(f"{temp.absolute().as_uri()}?immutable=1")) as copy:
            version: int = copy.execute("PRAGMA user_version").fetchone()[0]
            tallies = copy.execute(SQL["tallies"]).fetchall()
    except sqlite3.Error as error:
        raise _sqlite_failed(error, database) from error
    return version, sum(n for kind, _, n in tallies if kind == "watch")


def _read(secret: Path) -> bytes:
    try:
        return secret.read_bytes()
    except OSError as error:
        raise BackupFailed(
            f"the signing secrets in {secret} cannot be read ({error.strerror})",
            "run this as the user that runs notifier",
        ) from error


def _write_secret(content: bytes, saved_secret: Path, *, may_replace: bool) -> None:
    with _translate_errors(saved_secret):
        write_file(saved_secret, content, may_replace=may_replace)


@contextmanager
def _temp_database(final: Path) -> Iterator[Path]:
    """Create a temporary file for a copy; raise BackupFailed for an error of a file in the block."""
    with _translate_errors(final), temp_path(final) as temp:
        try:
            yield temp
        finally:
            with suppress(OSError):  # SQLite leaves it behind if the disk fails
                journal_path(temp).unlink(missing_ok=True)


@contextmanager
def _translate_errors(final: Path) -> Iterator[None]:
    """Raise TargetExists or BackupFailed for an OSError of the block."""
    try:
        yield
    except FileExistsError:
        raise TargetExists(final) from None
    except OSError as error:
        raise _file_failed(error, final) from error


def _file_failed(error: OSError, final: Path) -> BackupFailed:
    fixes = {
        errno.ENOSPC: "free some space on that disk, or name a file on another one",
        errno.EDQUOT: "free some space on that disk, or name a file on another one",
        errno.ENOENT: f"the directory {final.parent} must exist",
    }
    fix = fixes.get(error.errno or 0, f"the user that runs this must be able to write in {final.parent}")
    return BackupFailed(f"{final} cannot be written ({error.strerror or error})", fix)


def _fail_if_locked(status: int, remaining: int, total: int) -> None:
    """Raise BackupFailed if the source is locked: Python would retry without end after the busy timeout."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise BackupFailed(
            "another program keeps the database locked", "end it (a sqlite3 shell?), then try again"
        )


def _sqlite_failed(error: sqlite3.Error, place: Path) -> BackupFailed:
    if error_code(error) == sqlite3.SQLITE_FULL:
        return BackupFailed(
            f"the disk that holds {place} is full", "free some space, or name a file on another one"
        )
    unavailable = error_to_unavailable(error, str(place))
    return BackupFailed(unavailable.cause, "try again" if is_locked(error) else unavailable.fix)
