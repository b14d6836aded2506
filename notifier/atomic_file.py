"""Files that get their name only when they are whole and on the disk.

A temporary file beside the target is written, synced and renamed. So a crash or a power cut leaves the old
file or the new one, and never a part. Errors are ``OSError``: each caller has its own words for them.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# FUSE and network file systems may refuse to sync a folder, or to open one; the file itself is synced then.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EBADF}
_TEMP_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.partial", re.DOTALL)
_PRIVATE = 0o600  # a database and its secrets are for their owner alone


@contextmanager
def temp_path(final: Path) -> Iterator[Path]:
    """Make an empty file beside ``final`` that only its owner can read; it is removed if not published."""
    _remove_abandoned(final.parent)
    with _temp_file(final, _PRIVATE) as (handle, temp):
        try:
            yield temp
        finally:
            os.close(handle)


def publish(temp: Path, final: Path, *, may_replace: bool) -> None:
    """Sync the temporary file, then give it its name in one step; raises FileExistsError if that is taken."""
    sync_file(temp)
    if may_replace:
        temp.replace(final)
    else:
        _link_or_rename(temp, final)
    _sync_folder(final.parent)


def write_file(
    final: Path,
    content: bytes,
    *,
    may_replace: bool,
    mode: int = _PRIVATE,
    owner: tuple[int, int] | None = None,
) -> None:
    """Write a file, whole or not at all. ``owner`` is the user and group that it is given to.

    Raises OSError, and FileExistsError where there is a file that may not be replaced.
    """
    with _temp_file(final, mode) as (handle, temp):
        with os.fdopen(handle, "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(content)
        publish(temp, final, may_replace=may_replace)


@contextmanager
def _temp_file(final: Path, mode: int) -> Iterator[tuple[int, Path]]:
    """Yield a new file and its descriptor, which the caller closes. The file is locked until then."""
    handle, temp = _create(final, mode)
    try:
        yield handle, temp
    finally:
        with suppress(OSError):  # a disk that takes no write keeps it, under a name that says what it is
            temp.unlink(missing_ok=True)


def _create(final: Path, mode: int) -> tuple[int, Path]:
    """Create and lock a file; again if another process took it for an abandoned one in between."""
    while True:
        temp = final.with_name(f".{final.name}.{os.urandom(8).hex()}.partial")
        handle = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        _lock(handle)
        if temp.exists():
            return handle, temp
        os.close(handle)


def _lock(handle: int) -> None:
    """Mark a temporary file as in use until its descriptor is closed, also by a kill."""
    with suppress(OSError):  # a share without locks: its abandoned files stay
        fcntl.flock(handle, fcntl.LOCK_EX)


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files whose process was killed. One in use is locked."""
    for temp in folder.glob(".*.partial"):
        if _TEMP_NAME.fullmatch(temp.name):
            with suppress(OSError):
                _remove_unless_locked(temp)


def _remove_unless_locked(temp: Path) -> None:
    handle = os.open(temp, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temp.unlink()
    finally:
        os.close(handle)


def _link_or_rename(temp: Path, final: Path) -> None:
    """Link, because a rename would replace a file that appears meanwhile; rename where there are no links."""
    try:
        os.link(temp, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        temp.rename(final)


def sync_file(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Sync the new name, where the file system has such a call."""
    try:
        sync_file(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
