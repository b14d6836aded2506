"""A place that the user or its file system closes to the daemon is refused with the name of the file."""

import errno
import os
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifier.errors import DatabaseUnusable
from notifier.store.sqlite.open import _opening_failed, open_store
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import add

NOBODY = 65_534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root can open everything, so it becomes another user for the block; others already are one."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
async def folder(opening: OpenStore) -> AsyncIterator[Path]:
    """A folder for all, with a database that has a write-ahead log."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        await add(await opening(str(folder / "notifier.db")))
        for file in ("notifier.db", "notifier.db-wal"):  # as kill -9 leaves them
            (folder / f"copy-{file}").write_bytes((folder / file).read_bytes())
            (folder / f"copy-{file}").chmod(0o666)
        yield folder
        folder.chmod(0o777)


@pytest.mark.fault(24, 134)
@pytest.mark.parametrize(
    ("closed", "mode", "named"),
    [
        ("copy-notifier.db", 0o000, "copy-notifier.db"),
        ("copy-notifier.db", 0o444, "copy-notifier.db"),
        ("copy-notifier.db-wal", 0o400, "copy-notifier.db-wal"),
        ("copy-notifier.db.lock", 0o400, "copy-notifier.db.lock"),
        ("", 0o555, ""),
    ],
)
async def test_what_belongs_to_another_user_is_refused_by_its_own_name(
    folder: Path, opening: OpenStore, closed: str, mode: int, named: str
) -> None:
    """Root has restored it, or has run `notifier run` once: the cause names that file, the fix its owner."""
    place = folder / closed
    if closed.endswith(".lock"):
        place.touch()
    place.chmod(mode)
    with as_nobody(), pytest.raises(DatabaseUnusable) as refusal:
        await opening(str(folder / "copy-notifier.db"))
    assert refusal.value.cause.startswith(f"{folder / named} ")
    assert "chown" in refusal.value.fix


@pytest.mark.fault(134)
@pytest.mark.parametrize("is_new_python", [False, True])
async def test_a_loop_of_links_is_refused_in_words(
    tmp_path: Path, opening: OpenStore, monkeypatch: pytest.MonkeyPatch, is_new_python: bool
) -> None:
    """Since Python 3.13 ``resolve`` returns a link of the loop and does not raise."""
    (tmp_path / "notifier.db").symlink_to(tmp_path / "other.db")
    (tmp_path / "other.db").symlink_to(tmp_path / "notifier.db")
    if is_new_python:
        monkeypatch.setattr(Path, "resolve", Path.absolute)
    with pytest.raises(DatabaseUnusable, match=r"notifier\.db cannot be reached"):
        await opening()


@pytest.mark.fault(134)
async def test_a_file_that_cannot_be_made_private_is_refused_in_words(
    tmp_path: Path, opening: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vfat and many network shares keep no mode, and everybody could read the results."""
    (tmp_path / "notifier.db").touch(mode=0o644)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(DatabaseUnusable, match=r"notifier\.db cannot be made private") as refusal:
        await opening()
    assert "local disk" in refusal.value.fix


@pytest.mark.fault(134)
@pytest.mark.parametrize(
    ("code", "is_permanent"),
    [
        (sqlite3.SQLITE_IOERR_LOCK, True),
        (sqlite3.SQLITE_IOERR_SHMMAP, True),
        (sqlite3.SQLITE_IOERR_SHMOPEN, True),
        (sqlite3.SQLITE_IOERR_SHMLOCK, True),
        (sqlite3.SQLITE_PROTOCOL, True),
        (sqlite3.SQLITE_READONLY, True),
        (sqlite3.SQLITE_CANTOPEN, True),
        (sqlite3.SQLITE_IOERR_READ, False),
    ],
)
def test_a_file_system_without_locks_or_shared_memory_is_not_tried_again(
    code: int, is_permanent: bool
) -> None:
    """A restart repairs no file system (78); a disk that fails once may work at the next start (70)."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    failure = _opening_failed(error, Path("/share/notifier.db"))
    assert (failure.exit_status == 78) == is_permanent
    assert "/share/notifier.db" in failure.cause
    assert failure.fix


async def test_a_folder_that_is_readable_only_by_its_owner_is_enough(tmp_path: Path) -> None:
    """The check looks at this user's rights, and at nobody else's."""
    tmp_path.chmod(0o700)
    store = await open_store(tmp_path / "notifier.db", owner="x", now=NOON, rng=random.Random(1))
    await store.close()
