"""A file that gets its name only when it is whole and on the disk."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from notifier.errors import NotifierError

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class BackupFailed(NotifierError):
    """A copy could not be made; nothing stands under its name that did not stand there before."""

    code = "backup_failed"
    exit_status = 1


class TargetExists(BackupFailed):
    """There is a file of that name already, and nobody said that it may be replaced."""

    code = "name_taken"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already", "name another file, or replace it with --force")


@contextmanager
def temp_path(final: Path) -> Iterator[Path]:
    """Make an empty file beside ``final`` that only its owner can read; it goes if it was not published.

    Raises BackupFailed, also for what goes wrong with files inside the block.
    """
    draft: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{final.name}.", suffix=".partial", dir=final.parent)
        os.close(handle)
        draft = Path(name)
        yield draft
    except OSError as fault:
        raise _in_words(fault, final) from fault
    finally:
        if draft is not None:
            for leftover in (draft, draft.with_name(f"{draft.name}-journal")):
                with suppress(OSError):  # on a disk that takes nothing it stays, under a name that says so
                    leftover.unlink(missing_ok=True)


def publish(draft: Path, final: Path, *, may_replace: bool) -> None:
    """Bring the draft to the disk, then give it its name in one step; raises NameTaken."""
    _sync(draft)
    if may_replace:
        draft.replace(final)
    else:
        _name_once(draft, final)
    _sync(final.parent)


def _name_once(draft: Path, final: Path) -> None:
    """A link, unlike a rename, fails where the name is taken meanwhile."""
    try:
        os.link(draft, final)
    except FileExistsError:
        raise TargetExists(final) from None
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        if final.exists():
            raise TargetExists(final) from None
        draft.rename(final)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _in_words(fault: OSError, final: Path) -> BackupFailed:
    fixes = {
        errno.ENOSPC: "free some space on that disk, or name a file on another one",
        errno.EDQUOT: "free some space on that disk, or name a file on another one",
        errno.ENOENT: f"the directory {final.parent} must exist",
    }
    fix = fixes.get(fault.errno or 0, f"the user that runs this must be able to write in {final.parent}")
    return BackupFailed(f"{final} cannot be written ({fault.strerror or fault})", fix)
