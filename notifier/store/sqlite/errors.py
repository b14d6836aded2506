"""Errors of SQLite as errors of ours: the cause in words, and what to do about it."""

import errno
import sqlite3
from pathlib import Path

from notifier.errors import DatabaseUnusable, NotifierError, StoreFull, StoreUnavailable

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_CLOSED_OFF = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_OUT_OF_MEANS = {sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_STORAGE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR} | _LOCKED | _DAMAGED | _CLOSED_OFF | _OUT_OF_MEANS


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


def error_to_unavailable(error: sqlite3.Error, file: str, *, at_commit: bool = False) -> StoreUnavailable:
    """Describe the error. ``at_commit``: it happened while the transaction was committed."""
    match error_code(error):
        case code if code == sqlite3.SQLITE_FULL:
            return StoreFull(
                f"the disk that holds {file} is full", "free some space; notifier then goes on by itself"
            )
        case code if code in _LOCKED:
            return StoreUnavailable(
                f"another program keeps {file} locked", "end it (a sqlite3 shell, a copy under way?)"
            )
        case code if code == sqlite3.SQLITE_IOERR and at_commit:
            return StoreUnavailable(
                f"the disk failed while {file} was written ({error}), so whether this was kept is not known",
                "look at the disk and the system's log, then ask again: a repeat does no harm",
            )
        case code if code == sqlite3.SQLITE_IOERR:
            return StoreUnavailable(
                f"the disk failed under {file} ({error})", "look at the disk and the system's log"
            )
        case code if code in _DAMAGED:
            return StoreUnavailable(f"{file} is damaged ({error})", "stop notifier and restore a backup")
        case code if code in _CLOSED_OFF:
            return StoreUnavailable(
                f"{file} cannot be written ({error})", "check its owner, its mode and the mount"
            )
        case _:
            return StoreUnavailable(f"{file} cannot be used now ({error})", "try again")


def cannot_create(path: Path, error: OSError, fix: str) -> NotifierError:
    """Describe why a file cannot be created or written at a start; ``fix`` is for all but a full disk."""
    if error.errno in _NO_ROOM:
        return StoreFull(f"the disk that holds {path} is full", "free some space, and start it again")
    return DatabaseUnusable(f"{path} cannot be written ({error.strerror})", fix)
