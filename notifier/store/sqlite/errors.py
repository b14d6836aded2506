"""Translate errors of SQLite into causes."""

import errno
import sqlite3
from pathlib import Path

from notifier.core.causes.cause import Cause
from notifier.core.causes.failures import MAX_DETAIL_CHARS
from notifier.core.causes.table import Code
from notifier.core.formats.text import one_line
from notifier.errors import DatabaseUnusable, NotifierError, StoreFull, StoreUnavailable

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NOT_WRITABLE = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_INTERRUPTED = {sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL}
# A file system or a mode that SQLite cannot work with; a later start meets the same. sqlite.org/rescode.html
_PERMANENT = _NOT_WRITABLE | {sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS}
_PERMANENT_IO = {  # extended codes, which the module of Python and pysqlite3 do not both have
    sqlite3.SQLITE_IOERR | number << 8
    for number in (
        8,  # UNLOCK
        9,  # RDLOCK
        13,  # ACCESS
        14,  # CHECKRESERVEDLOCK
        15,  # LOCK
        18,  # SHMOPEN
        19,  # SHMSIZE
        20,  # SHMLOCK
        21,  # SHMMAP
    )
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_STORAGE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR} | _LOCKED | _DAMAGED | _NOT_WRITABLE | _INTERRUPTED


def error_code(error: sqlite3.Error) -> int:
    """Return the primary result code of SQLite; 0 if the error comes from Python's module."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def is_storage_error(error: sqlite3.Error) -> bool:
    """Return whether the cause lies below the statement, so that every statement would have failed."""
    return error_code(error) in _STORAGE


def is_io_error(error: sqlite3.Error) -> bool:
    """Return whether the disk failed, so that its content is unknown until it is read again."""
    return error_code(error) == sqlite3.SQLITE_IOERR


def is_damaged(error: sqlite3.Error) -> bool:
    """Return whether the file is not a sound database."""
    return error_code(error) in _DAMAGED


def is_locked(error: sqlite3.Error) -> bool:
    """Return whether another program held the database for as long as we wait."""
    return error_code(error) in _LOCKED


def is_permanent(error: sqlite3.Error) -> bool:
    """Return whether the file system or the rights to the file prevent every start."""
    return error_code(error) in _PERMANENT or getattr(error, "sqlite_errorcode", 0) in _PERMANENT_IO


def error_to_unavailable(error: sqlite3.Error, file: str, *, at_commit: bool = False) -> StoreUnavailable:
    """Name the cause. ``at_commit``: it happened while the transaction was committed."""
    code = _code_of(error_code(error), at_commit=at_commit)
    if code is Code.DISK_FULL:
        return StoreFull(Cause(code, {"file": file}))
    if code is Code.DATABASE_LOCKED:
        return StoreUnavailable(Cause(code, {"file": file}))
    return StoreUnavailable(Cause(code, {"file": file, "detail": one_line(str(error), MAX_DETAIL_CHARS)}))


def _code_of(number: int, *, at_commit: bool) -> Code:
    if number == sqlite3.SQLITE_FULL:
        return Code.DISK_FULL
    if number in _LOCKED:
        return Code.DATABASE_LOCKED
    if number == sqlite3.SQLITE_IOERR:
        return Code.COMMIT_UNCERTAIN if at_commit else Code.DISK_FAILED
    if number in _DAMAGED:
        return Code.DATABASE_DAMAGED
    return Code.DATABASE_NOT_WRITABLE if number in _NOT_WRITABLE else Code.DATABASE_UNUSABLE


def cannot_create(path: Path, error: OSError, fix: str) -> NotifierError:
    """Describe why a file cannot be created or written at a start; ``fix`` is for all but a full disk."""
    if error.errno in _NO_ROOM:
        return StoreFull(Cause(Code.DISK_FULL, {"file": str(path)}), "free some space, and start it again")
    return DatabaseUnusable(f"{path} cannot be written ({error.strerror})", fix)
