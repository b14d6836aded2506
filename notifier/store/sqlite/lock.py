"""The lock that keeps a second daemon from a database: a file beside it that holds the process id.

The database itself is not locked and is opened by SQLite only. Closing any other handle on it would drop all
locks that SQLite has in this process (POSIX locks belong to the process).
"""

import fcntl
import os
from pathlib import Path

from notifier.errors import DatabaseBusy, DatabaseUnusable
from notifier.store.sqlite.database_files import lock_path
from notifier.store.sqlite.errors import cannot_create


class InstanceLock:
    """A lock held from ``take`` to ``release``, or until the process ends."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    @classmethod
    def take(cls, database: Path) -> "InstanceLock":
        """Take the lock at once; raise DatabaseBusy with the process that has it."""
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
            os.close(handle)  # the last owner removed the file between open and flock

    def _write_pid(self) -> None:
        """Write the id of this process into the file."""
        try:
            os.truncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise cannot_create(self._path, error, "look at the disk and the system's log") from error

    def is_in_place(self) -> bool:
        """Return whether the path still names the file that we hold."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        own = os.fstat(self._handle)
        return (status.st_dev, status.st_ino) == (own.st_dev, own.st_ino)

    def release(self) -> None:
        """Remove the file, then release the lock; a second call does nothing."""
        if self._handle < 0:
            return
        if self.is_in_place():
            self._path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = -1


class DatabaseLocation:
    """The file of a database in use, to notice that it or its lock was removed or replaced."""

    def __init__(self, database: Path, lock: InstanceLock) -> None:
        self._database = database
        self._lock = lock
        self._identity = _identity(database)

    def check(self) -> None:
        """Raise DatabaseUnusable if the database or its lock is gone, because writes to it would be lost."""
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
