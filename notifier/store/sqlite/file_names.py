"""Refuse a database file that has two names, because each name has a lock and a write-ahead log of its own.

Two daemons would write to one file then, and commits of one would be lost with the log of the other.
"""

import shlex
from pathlib import Path

from notifier.errors import DatabaseUnusable

_MOUNTS = Path("/proc/self/mountinfo")
_MOUNT_POINT_FIELD = 4  # proc_pid_mountinfo(5): (5) mount point, counted from 0
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}  # proc_pid_mountinfo(5)


def refuse_second_name(path: Path) -> None:
    """Raise DatabaseUnusable if the file has another hard link or is itself a mount point."""
    if not path.is_file():
        return
    if path.stat().st_nlink > 1:
        raise DatabaseUnusable(
            f"{path} has another hard link, under which a second daemon could open it",
            f"find it with `find / -xdev -samefile {shlex.quote(str(path))}` and remove it, or "
            "copy the file; `notifier backup` makes backups without links",
        )
    if str(path) in _list_mount_points():
        raise DatabaseUnusable(
            f"{path} is a mount of a single file",
            "mount its folder instead: the lock and the write-ahead log beside the file belong to it",
        )


def _list_mount_points() -> set[str]:
    """Return every mount point that this process sees; none where the system has no such list."""
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return set()
    return {_unescape(line.split(" ")[_MOUNT_POINT_FIELD]) for line in lines}


def _unescape(text: str) -> str:
    for escape, sign in _ESCAPES.items():
        text = text.replace(escape, sign)
    return text
