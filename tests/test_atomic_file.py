"""Files that are written whole: the old content or the new one, never a part; in one place of the code."""

import ast
import errno
import os
import stat
from pathlib import Path

import pytest

import notifier
from notifier.atomic_file import publish, temp_path, write_file

PACKAGE = Path(notifier.__file__).parent


def test_no_other_file_syncs_links_or_makes_temporary_files() -> None:
    """The order of sync and rename is easy to get wrong, so it stands once."""
    calls = {"fsync", "link", "mkstemp", "NamedTemporaryFile"}
    users = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in calls
    }
    assert users == {"atomic_file.py"}


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_is_written_with_its_mode(tmp_path: Path, mode: int) -> None:
    """Less what the umask takes."""
    before = os.umask(0o022)
    write_file(tmp_path / "file", b"content", may_replace=False, mode=mode)
    os.umask(before)
    assert (tmp_path / "file").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_file(file, b"new", may_replace=True)
    assert file.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("is_dangling", [True, False])
def test_a_name_that_is_a_link_is_taken(tmp_path: Path, is_dangling: bool) -> None:
    """Nothing is written through it, wherever it points."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    if not is_dangling:
        target.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        write_file(link, b"new", may_replace=False)
    assert target.exists() is not is_dangling
    write_file(link, b"new", may_replace=True)
    assert not link.is_symlink()
    assert target.exists() is not is_dangling


def test_a_temporary_file_that_is_not_published_is_removed(tmp_path: Path) -> None:
    with temp_path(tmp_path / "file") as temp:
        assert temp.parent == tmp_path
        assert stat.S_IMODE(temp.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []
    with temp_path(tmp_path / "file") as temp:
        temp.write_bytes(b"content")
        publish(temp, tmp_path / "file", may_replace=False)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.fault(134)
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.EACCES])
def test_a_share_that_syncs_no_folder_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The file is synced; only its name may be lost by a power cut. A disk that fails is still an error."""
    sync = os.fsync

    def refuse_folder(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(os, "fsync", refuse_folder)
    write_file(tmp_path / "file", b"content", may_replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    number = errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        write_file(tmp_path / "other", b"content", may_replace=False)
