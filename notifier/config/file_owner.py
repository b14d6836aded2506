"""Decide whether a file that was found, and not named, may be used: it decides where secrets are sent."""

import os
from pathlib import Path

_ROOT_UID = 0  # uid_t of root: credentials(7)


def find_foreign_owner(path: Path) -> int | None:
    """Return the user id of another user who owns the file or the link to it; None without one.

    A file of root is trusted, as git's safe.directory does: root may change every file anyway.
    """
    trusted = {_ROOT_UID, os.geteuid()}
    for status in (path.lstat(), path.stat()):
        if status.st_uid not in trusted:
            return status.st_uid
    return None
