"""One daemon a database: a lock on a file beside it, named after it, that holds the pid.

The database itself is not locked so, nor ever opened but by SQLite: closing any handle on it would drop all
of SQLite's own locks in this process.
"""

import fcntl
import os
from pathlib import Path

from notifier.errors import DatabaseBusy, DatabaseUnusable
from notifier.store.sqlite.database_files import lock_path
from notifier.store.sqlite.errors import cannot_create


class InstanceLock:
    """Held from ``take`` to ``release``, or until the process is gone."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    @classmethod
    def take(cls, database: Path) -> "InstanceLock":
        """Take it at once; raises DatabaseBusy, naming who has it."""
        path = lock_path(database)
        while True:
            handle = _open(path)
            lock = cls(path, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(handle)
                raise DatabaseBusy(
                    f"{database} is in use by process {holder}",
                    "stop that notifier first, or name another file in store.url",
                ) from None
            except OSError as error:
                os.close(handle)
                raise DatabaseUnusable(
                    f"{path} cannot be locked ({error.strerror})", "keep the database on a local disk"
                ) from error
            if lock.is_in_place():
                lock._write_pid()
                return lock
            os.close(handle)  # its last holder removed it between our two calls

    def _write_pid(self) -> None:
        """Write down which process has it."""
        try:
            os.truncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise cannot_create(self._path, error, "look at the disk and the system's log") from error

    def is_in_place(self) -> bool:
        """Whether the file that we hold is still the one that others would find."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        own = os.fstat(self._handle)
        return (status.st_dev, status.st_ino) == (own.st_dev, own.st_ino)

    def release(self) -> None:
        """Remove the file, then let go of it; a second time does nothing."""
        if self._handle < 0:
            return
        if self.is_in_place():
            self._path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = -1


class DatabaseLocation:
    """Where a database that is in use was found, and where others would look for it."""

    def __init__(self, database: Path, lock: InstanceLock) -> None:
        self._database = database
        self._lock = lock
        self._identity = _identity(database)

    def check(self) -> None:
        """Raise DatabaseUnusable when it or its lock is gone: nobody would ever find what is written."""
        if _identity(self._database) != self._identity or not self._lock.is_in_place():
            raise DatabaseUnusable(
                f"{self._database} or its lock was removed or replaced while in use",
                "stop notifier, see what was done to it, and restore a backup if need be",
            )


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        fix = f"the directory {path.parent} must exist, and the user that runs notifier must own it"
        raise cannot_create(path, error, fix) from error
