"""The command backup finds the database, prints its copy, and refuses with a reason."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from notifier.daemon.signing_secrets import load_or_make_secrets
from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.open import migrate, migrations
from tests.cli.conftest import Run


@pytest.fixture
def database() -> Path:
    """A database at its default path, with its secret."""
    path = Path("notifier.db").absolute()
    with closing(connect_writer(str(path))) as connection:
        migrate(connection)
    load_or_make_secrets(path.with_suffix(".secret"))
    return path


def test_it_copies_the_configured_database_and_its_secret(run: Run, database: Path) -> None:
    """stdout has the path alone, for a script."""
    result = run("backup", "copy.db")
    assert (result.code, result.out) == (0, f"{Path('copy.db').absolute()}\n")
    assert "copy.db.secret" in result.err
    assert Path("copy.db.secret").read_bytes() == Path("notifier.secret").read_bytes()
    with closing(sqlite3.connect("copy.db")) as copy:
        assert copy.execute("PRAGMA user_version").fetchone()[0] == len(migrations())


def test_json_has_the_files_and_counts_of_the_copy(run: Run, database: Path) -> None:
    Path("notifier.secret").unlink()
    report = json.loads(run("backup", "copy.db", "--json").out)
    assert report == {
        "path": str(Path("copy.db").absolute()),
        "secret": None,
        "bytes": Path("copy.db").stat().st_size,
        "schema": len(migrations()),
        "watches": 0,
    }


def test_a_database_can_be_named_where_the_configuration_cannot_be_read(run: Run, database: Path) -> None:
    """The configuration of a service names credentials that only the service can read."""
    Path("config.toml").write_text('[providers.mulerouter]\napi_key = { credential = "nowhere" }\n')
    assert run("backup", "copy.db").code == 78
    assert run("backup", "copy.db", "--database", "notifier.db").code == 0


def test_an_existing_file_is_replaced_only_with_force(run: Run, database: Path) -> None:
    Path("copy.db").write_text("precious")
    result = run("backup", "copy.db")
    assert (result.code, Path("copy.db").read_text()) == (1, "precious")
    assert "--force" in result.err
    assert run("backup", "copy.db", "--force").code == 0


@pytest.mark.parametrize("dest", [".", "notifier.db", "./link.db"])
def test_a_destination_that_is_no_free_file_is_wrong_usage(run: Run, database: Path, dest: str) -> None:
    """A directory, or the database by any name, is not replaced with --force either."""
    Path("link.db").symlink_to("notifier.db")
    before = database.read_bytes()
    assert run("backup", dest, "--force").code == 64
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["notifier.db-wal", "notifier.db-shm", "notifier.db.lock", "notifier.secret"]
)
def test_no_file_of_the_database_in_use_is_replaced(run: Run, database: Path, name: str) -> None:
    """The log has what is not in the file yet, and receivers refuse callbacks without the secret."""
    for is_there in (False, True):
        if is_there:
            Path(name).write_text("in use")
        before = Path(name).read_bytes() if Path(name).exists() else None
        result = run("backup", name, "--force")
        assert (result.code, result.out) == (64, "")
        assert "database in use" in result.err
        assert (Path(name).read_bytes() if Path(name).exists() else None) == before


def test_only_a_file_is_replaced(run: Run, database: Path) -> None:
    """As root, --force could replace a device such as /dev/null by a file."""
    os.mkfifo("pipe")
    result = run("backup", "pipe", "--force")
    assert (result.code, result.out) == (64, "")
    assert Path("pipe").is_fifo()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize(("source", "dest"), [("open", "closed"), ("closed", "open")])
def test_a_folder_without_permission_is_named(source: str, dest: str) -> None:
    """The folder of the copy or of the database. pytest's own folders are closed to other users as well."""
    script = """
import os, sys
import notifier.store.sqlite.backup
from notifier.cli import main
os.setuid(65534)
sys.exit(main(["backup", "--database", *sys.argv[1:]]))
"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for each, mode in (("open", 0o777), ("closed", 0o700)):
            (folder / each).mkdir()
            (folder / each).chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder / source / "a.db"), str(folder / dest / "b.db")],
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1, done.stderr
    assert str(folder / "closed") in done.stderr
    assert "cannot be accessed (Permission denied)" in done.stderr


def test_a_missing_database_has_a_fix_with_the_option(run: Run) -> None:
    result = run("backup", "copy.db")
    assert result.code == 78
    assert "--database" in result.err
    assert not Path("copy.db").exists()
