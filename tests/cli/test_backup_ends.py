"""A backup that is interrupted, or goes to a share, leaves a whole copy or nothing."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.open import migrate

SHARE = Path(__file__).parents[1] / "store" / "share.c"
SECRET = "whsec_" + "A" * 44

# The command, with a signal to itself at one point of the copy.
COMMAND = """
import os, sys
from notifier.cli import main
from notifier.store.sqlite import backup
real = backup.{name}
def signalled(*args, **more):
    result = real(*args, **more) if {is_after} else None
    os.kill(os.getpid(), {number})
    return result
backup.{name} = signalled
sys.exit(main(["backup", "copies/copy.db", "--database", "notifier.db"]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database with its secrets, and a folder for copies."""
    with closing(connect_writer(str(tmp_path / "notifier.db"))) as connection:
        migrate(connection)
    (tmp_path / "notifier.secret").write_text(SECRET)
    (tmp_path / "copies").mkdir()
    return tmp_path


def run_python(folder: Path, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env=os.environ | environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "copies").iterdir())


@pytest.mark.fault(137)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("name", ["_fail_if_locked", "_write_secret", "publish"])
def test_an_interrupted_backup_leaves_nothing(folder: Path, name: str, number: signal.Signals) -> None:
    """At any point: no partial copy, and no secrets without the database that they belong to."""
    done = run_python(folder, COMMAND.format(name=name, number=int(number), is_after=name == "_write_secret"))
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr
    assert left_in(folder) == []


@pytest.mark.fault(137)
def test_the_next_backup_removes_what_a_killed_one_left(folder: Path) -> None:
    """The file of another backup that is under way stays: it is locked."""
    killed = COMMAND.format(name="publish", number=int(signal.SIGKILL), is_after=False)
    assert run_python(folder, killed).returncode == -signal.SIGKILL
    assert [name for name in left_in(folder) if name.endswith(".partial")]
    (folder / "copies" / "copy.db.secret").unlink()
    again = "from notifier.cli import main; main(['backup', 'copies/other.db', '--database', 'notifier.db'])"
    during = f"""
from notifier.store.sqlite import backup
real = backup.publish
def publish(*args, **more):
    import subprocess, sys
    backup.publish = real
    subprocess.run([sys.executable, "-c", {again!r}], check=True)
    real(*args, **more)
backup.publish = publish
from notifier.cli import main
main(["backup", "copies/copy.db", "--database", "notifier.db"])
"""
    done = run_python(folder, during)
    assert left_in(folder) == ["copy.db", "copy.db.secret", "other.db", "other.db.secret"], done.stderr


@pytest.mark.fault(137)
def test_a_share_without_locks_shared_memory_and_folder_sync_takes_a_backup(folder: Path) -> None:
    """The copy is made without a log, so it needs none of them."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    library = folder / "share.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(SHARE), "-ldl"], check=True)
    code = "import sys; from notifier.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "backup", "copies/copy.db", "--database", "notifier.db"],
        cwd=folder, env=os.environ | {"LD_PRELOAD": str(library), "SHARE": "/copies"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert left_in(folder) == ["copy.db", "copy.db.secret"]
    with closing(sqlite3.connect(folder / "copies" / "copy.db")) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
