"""From SQLite's errors to their causes."""

import errno
import sqlite3
from pathlib import Path

from notifier.core.causes.cause import Cause
from notifier.core.causes.failures import DETAIL_CHARS
from notifier.core.causes.table import Code
from notifier.core.formats.text import one_line
from notifier.errors import DatabaseUnusable, NotifierError, StoreFull, StoreUnavailable

_FULL = 13
_IOERR = 10
_LOCKED = {5, 6}  # SQLITE_BUSY, SQLITE_LOCKED
_DAMAGED = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB
_CLOSED_OFF = {3, 8, 14}  # SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN
_OUT_OF_MEANS = {7, 9, 15}  # SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_PROTOCOL
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_STORAGE = {_FULL, _IOERR} | _LOCKED | _DAMAGED | _CLOSED_OFF | _OUT_OF_MEANS


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where the error is Python's own."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def is_storage_error(error: sqlite3.Error) -> bool:
    """Whether the fault lies below the statement: then every statement would have met it."""
    return error_code(error) in _STORAGE


def is_io_error(error: sqlite3.Error) -> bool:
    """Whether the disk failed, so that what it holds is not known until it is read again."""
    return error_code(error) == _IOERR


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether the file is no sound database."""
    return error_code(error) in _DAMAGED


def is_locked(error: sqlite3.Error) -> bool:
    """Whether somebody else held the database for as long as we were ready to wait."""
    return error_code(error) in _LOCKED


def error_to_unavailable(error: sqlite3.Error, file: str, *, at_commit: bool = False) -> StoreUnavailable:
    """Name the cause. ``at_commit``: it happened while the transaction was being made to last."""
    code = _code_of(error_code(error), at_commit=at_commit)
    if code is Code.DISK_FULL:
        return StoreFull(Cause(code, {"file": file}))
    if code is Code.DATABASE_LOCKED:
        return StoreUnavailable(Cause(code, {"file": file}))
    return StoreUnavailable(Cause(code, {"file": file, "detail": one_line(str(error), DETAIL_CHARS)}))


def _code_of(number: int, *, at_commit: bool) -> Code:
    if number == _FULL:
        return Code.DISK_FULL
    if number in _LOCKED:
        return Code.DATABASE_LOCKED
    if number == _IOERR:
        return Code.COMMIT_UNCERTAIN if at_commit else Code.DISK_FAILED
    if number in _DAMAGED:
        return Code.DATABASE_DAMAGED
    return Code.DATABASE_NOT_WRITABLE if number in _CLOSED_OFF else Code.DATABASE_UNUSABLE


def cannot_create(path: Path, error: OSError, fix: str) -> NotifierError:
    """Say why a file cannot be made or written at a start; ``fix`` is for all but a full disk."""
    if error.errno in _NO_ROOM:
        return StoreFull(Cause(Code.DISK_FULL, {"file": str(path)}), "free some space, and start it again")
    return DatabaseUnusable(f"{path} cannot be written ({error.strerror})", fix)
