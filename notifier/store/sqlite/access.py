"""Refuse a database that this user may not use, with the name of the file that is closed to it.

SQLite names no file: it says "unable to open database file" also of a write-ahead log of another user.
"""

import errno
import os
import pwd
import shlex
from collections.abc import Iterator
from pathlib import Path

from notifier.errors import DatabaseUnusable
from notifier.store.sqlite.database_files import files_in_use


def check_access(database: Path) -> None:
    """Raise DatabaseUnusable unless this user may use the folder and each file of the database."""
    for path, mode, use in _list_needs(database):
        if os.access(path, mode, effective_ids=True):
            continue
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            raise DatabaseUnusable(f"{path} is on a read-only file system", "mount it for writing")
        raise not_ours(path, f"cannot be {use} by this user ({os.strerror(errno.EACCES)})")


def make_private(database: Path) -> None:
    """Take the rights of others from an existing file. Raise DatabaseUnusable."""
    status = database.stat()
    if not status.st_mode & 0o077:
        return
    try:
        database.chmod(0o600)
    except OSError as error:
        why = f"cannot be made private ({error.strerror})"
        if status.st_uid not in (0, os.geteuid()):
            raise not_ours(database, why) from error
        fix = "keep it on a local disk; vfat and many network shares keep no owner and no mode"
        raise DatabaseUnusable(f"{database} {why}", fix) from error


def not_ours(path: Path, why: str) -> DatabaseUnusable:
    """Return the refusal of a file that another user owns, with the command that changes it."""
    command = f"chown {_user_name()} {shlex.quote(str(path))}"
    return DatabaseUnusable(f"{path} {why}", f"let the user that runs notifier own it, as root: {command}")


def _list_needs(database: Path) -> Iterator[tuple[Path, int, str]]:
    """List each existing file with the access that it needs, the folder first."""
    folder = database.parent
    if folder.is_dir():
        yield folder, os.R_OK | os.W_OK | os.X_OK, "written"
    for path in files_in_use(database):
        if path.exists():
            yield path, os.R_OK | os.W_OK, "read and written"


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        return str(os.geteuid())
