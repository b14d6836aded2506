"""Migrations: from every older version to the same schema, each step whole or not at all."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from notifier.store.sqlite import open as opening_module
from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.integrity import APPLICATION_ID
from notifier.store.sqlite.open import migrate, migrations
from tests.store.conftest import OpenStore

SCHEMA = Path(opening_module.__file__).with_name("schema.sql")
SECOND_STEP = "CREATE TABLE later (x INTEGER) STRICT;"


def schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    return [tuple(row) for row in rows]


def tokens(sql: str) -> str:
    """The words and signs of a statement, without comments and white space."""
    return " ".join(re.findall(r"'[^']*'|\w+|[^\s\w]", re.sub(r"--.*", "", sql)))


def content(
    connection: sqlite3.Connection,
) -> tuple[list[tuple[str, ...]], dict[str, list[tuple[object, ...]]]]:
    """Everything that the schema creates, and the rows of all tables."""
    objects = [(*names, tokens(sql or "")) for *names, sql in schema(connection)]
    tables = sorted(name for kind, name, *_ in objects if kind == "table")
    return objects, {
        table: [tuple(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in tables
    }


def migrated(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What an empty database holds after these steps."""
    monkeypatch.setattr(opening_module, "migrations", lambda: steps)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return content(connection)


@pytest.fixture
def end_state() -> Any:
    """What ``schema.sql`` makes."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        return content(connection)


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_writer(str(tmp_path / "notifier.db"))) as opened:
        yield opened


@pytest.mark.fault(28)
def test_every_older_version_reaches_the_schema_of_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own steps, one after the other."""
    everything = migrations()
    with closing(connect_writer(str(tmp_path / "new.db"))) as new:
        migrate(new)
        expected = schema(new)
        assert version(new) == len(everything)
    for older in range(len(everything)):
        with closing(connect_writer(str(tmp_path / f"{older}.db"))) as old:
            monkeypatch.setattr(opening_module, "migrations", lambda older=older: everything[:older])
            migrate(old)
            monkeypatch.setattr(opening_module, "migrations", lambda: everything)
            migrate(old)
            assert schema(old) == expected


def test_all_migrations_lead_to_the_schema_that_is_written_down(
    end_state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``schema.sql`` is the end state: a new migration changes both, and an old one never changes."""
    assert migrated(migrations(), monkeypatch) == end_state


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("CREATE INDEX habits_heard ON habits (heard_at);", ""),
        ("started_at INTEGER", "started_at TEXT"),
        ("CHECK (is_late IN (0, 1))", ""),
        (", ('delivery', 'dead')", ""),
    ],
    ids=["an index less", "another column type", "a check less", "an initial row less"],
)
def test_a_change_of_an_old_step_is_noticed(
    end_state: Any, monkeypatch: pytest.MonkeyPatch, was: str, becomes: str
) -> None:
    """Such a change reaches new databases alone: those that have run the step keep what it made then."""
    steps = [script.replace(was, becomes) for script in migrations()]
    assert steps != migrations()
    assert migrated(steps, monkeypatch) != end_state


def test_a_second_time_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = connection.total_changes, schema(connection)
    migrate(connection)
    assert (connection.total_changes, schema(connection)) == before


@pytest.mark.fault(5)
@pytest.mark.parametrize("fault", ["CREATE TABLE nonsense (", "INSERT INTO nowhere VALUES (1);"])
def test_a_step_that_fails_leaves_the_version_before_it(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Not half a step, and no open transaction that the next one would stumble over."""
    migrate(connection)
    before = schema(connection)
    steps = [*migrations(), f"{SECOND_STEP}\n{fault}"]
    monkeypatch.setattr(opening_module, "migrations", lambda: steps)
    with pytest.raises(sqlite3.Error):
        migrate(connection)
    assert (schema(connection), version(connection)) == (before, len(steps) - 1)
    assert not connection.in_transaction


def test_signature_and_number_come_with_the_step(connection: sqlite3.Connection) -> None:
    assert connection.execute("PRAGMA application_id").fetchone()[0] == 0
    migrate(connection)
    assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID


async def test_who_wants_to_keep_a_copy_is_asked_before_an_old_file_changes(
    opening: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def before(connection: sqlite3.Connection, old: int) -> None:
        assert version(connection) == old
        assert not connection.in_transaction
        asked.append(old)

    await (await opening(before_migration=before)).close()
    await (await opening(before_migration=before)).close()
    assert asked == []
    steps = [*migrations(), SECOND_STEP]
    monkeypatch.setattr(opening_module, "migrations", lambda: steps)
    await (await opening(before_migration=before)).close()
    assert asked == [len(steps) - 1]


def test_a_replay_under_way_goes_on_after_the_upgrade(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its filters and its place, as a bulk change."""
    steps = migrations()
    until_bulk = next(n for n, step in enumerate(steps) if "CREATE TABLE bulk_changes" in step)
    monkeypatch.setattr(opening_module, "migrations", lambda: steps[:until_bulk])
    migrate(connection)
    columns = "seq, started_at, since, until, state, url, place, last"
    values = (7, 1, 2, 3, "dead", "http://h/", 40, 90)
    connection.execute(f"INSERT INTO replays ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    monkeypatch.setattr(opening_module, "migrations", lambda: steps)
    migrate(connection)
    (row,) = connection.execute(f"SELECT action, {columns} FROM bulk_changes")
    assert tuple(row) == ("replay", *values)
