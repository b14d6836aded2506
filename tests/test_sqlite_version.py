"""An old SQLite is told by its version, and another driver takes its place where it is installed."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from notifier.store.sqlite.version import MIN_SQLITE, explain_old_sqlite

OLD = """
import sqlite3, sys
sqlite3.sqlite_version, sqlite3.sqlite_version_info = "3.34.1", (3, 34, 1)
"""
DRIVER = """
import sys, types
real = types.ModuleType("pysqlite3")
real.__dict__.update(vars(sys.modules["sqlite3"]))
real.sqlite_version, real.sqlite_version_info = "3.51.1", (3, 51, 1)
real.dbapi2 = real
sys.modules["pysqlite3"] = sys.modules["pysqlite3.dbapi2"] = real
"""


def run_old(folder: Path, *args: str, more: str = "") -> subprocess.CompletedProcess[str]:
    """The command on a Python with an old SQLite."""
    (folder / "sitecustomize.py").write_text(OLD + more)
    environ = {"PYTHONPATH": str(folder), "HOME": str(folder), "NOTIFIER_SERVER__LISTEN": "127.0.0.1:0"}
    return subprocess.run(
        [sys.executable, "-m", "notifier", *args],
        env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_this_sqlite_is_new_enough() -> None:
    assert sqlite3.sqlite_version_info >= MIN_SQLITE
    assert explain_old_sqlite() is None


@pytest.mark.fault(135)
@pytest.mark.parametrize(
    "args", [["run"], ["check"], ["check", "--json"], ["backup", "copy.db"]], ids=" ".join
)
def test_an_old_sqlite_is_told_with_both_versions(tmp_path: Path, args: list[str]) -> None:
    """Exit 78, before a file is made: a restart brings no other SQLite."""
    done = run_old(tmp_path, *args)
    said = done.stdout + done.stderr
    assert done.returncode == 78, said
    assert "SQLite 3.34.1 is too old: notifier needs 3.37.0" in said
    assert "pysqlite3-binary" in said
    assert not list(tmp_path.glob("*.db*"))


@pytest.mark.fault(135)
def test_the_other_driver_takes_its_place_where_it_is_installed(tmp_path: Path) -> None:
    """Then everything works as with a new Python."""
    done = run_old(tmp_path, "version", "--json", more=DRIVER)
    assert '"sqlite":"3.51.1"' in done.stdout, done.stderr
    assert run_old(tmp_path, "check", more=DRIVER).returncode == 0
