"""How SQLite goes about what must stay cheap with a million rows: by these indexes, with no scan."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from notifier.store.connection import connect_writer
from notifier.store.open import migrate
from notifier.store.queries import SQL

OF_STATE = "USING INDEX deliveries_listed (state=? AND rowid>? AND rowid<?)"
OF_ENDPOINT = "USING INDEX deliveries_of_endpoint (endpoint_seq=? AND state=? AND rowid>? AND rowid<?)"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_writer(str(tmp_path / "notifier.db"))) as opened:
        migrate(opened)
        yield opened


class AnyValue(dict[str, object]):
    """Every parameter has a value: a plan depends on none."""

    def __missing__(self, _name: str) -> object:
        return "[1]"


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    return [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", AnyValue())]


@pytest.mark.fault(96)
@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("wake_deliveries", "USING INDEX deliveries_due (endpoint_seq=? AND due_at>?)"),
        ("count_to_replay", OF_STATE),
        ("next_to_replay", OF_STATE),
        ("count_to_replay_to", OF_ENDPOINT),
        ("next_to_replay_to", OF_ENDPOINT),
        ("expiring", "USING INDEX deliveries_expiring (<expr><?)"),
        ("shut_endpoints", "USING INDEX endpoints_closed"),
        ("shut_endpoints", "USING COVERING INDEX endpoints_held (hold=?)"),
        ("overdue", "USING INDEX deliveries_overdue (give_up_at<?)"),
        ("trim_attempts", "USING COVERING INDEX attempts_at"),
        ("endpoint_details", "USING COVERING INDEX deliveries_of_endpoint (endpoint_seq=? AND state=?)"),
        ("endpoint_by_id", "USING INDEX sqlite_autoindex_endpoints_1 (id=?)"),
        ("oldest_replay", "SCAN replays"),
        ("replay", "USING INTEGER PRIMARY KEY (rowid=?)"),
        ("recent_ends", "USING INDEX watches_ended (ended_at>?)"),
        ("recent_callbacks", "USING INDEX deliveries_listed (state=?)"),
        ("recent_callbacks", "SEARCH attempts USING PRIMARY KEY (delivery_seq=?)"),
        ("give_up_overdue", "USING INTEGER PRIMARY KEY (rowid=?)"),
    ],
)
def test_a_query_goes_by_its_index(connection: sqlite3.Connection, name: str, step: str) -> None:
    """A page of a million rows costs what a page costs."""
    assert any(step in line for line in plan(connection, name)), plan(connection, name)


@pytest.mark.parametrize("name", sorted(SQL))
def test_no_query_walks_through_all_deliveries_or_attempts(connection: sqlite3.Connection, name: str) -> None:
    """But for what goes along an index, or the key, and breaks off."""
    for line in plan(connection, name):
        is_walk = line.startswith(("SCAN deliveries", "SCAN attempts", "SCAN d", "SCAN a"))
        assert not is_walk or "USING COVERING INDEX" in line, line
