"""How SQLite goes about what must stay cheap with a million rows: by these indexes, with no scan."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from notifier.core.delivery.slots import SlotUsage
from notifier.core.polling.poll_choice import ClaimRules, PathProbe
from notifier.store.changes import ChangeCollector
from notifier.store.sqlite import claiming, in_flight_limits, poll_claims
from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.open import migrate
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import END_OF_TIME
from notifier.store.sqlite.transactions import Transaction
from tests.builders import DAY, HOUR, lease

OF_STATE = "USING INDEX deliveries_listed (state=? AND rowid>? AND rowid<?)"
WATCHES_OF_STATE = "USING INDEX watches_listed (provider_seq=? AND state=? AND rowid>? AND rowid<?)"
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
        ("make_deliveries_due", "USING INTEGER PRIMARY KEY (rowid=?)"),
        ("give_up_by_user", "USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            "next_to_sweep",
            "USING COVERING INDEX deliveries_of_endpoint (endpoint_seq=? AND state=? AND rowid",
        ),
        ("last_waiting", "USING COVERING INDEX deliveries_of_endpoint (endpoint_seq=? AND state=?)"),
        ("oldest_sweep", "SCAN endpoint_sweeps"),
        ("forced_deliveries", "USING COVERING INDEX deliveries_forced (is_forced=?)"),
        ("count_to_replay", OF_STATE),
        ("next_to_replay", OF_STATE),
        ("count_to_replay_to", OF_ENDPOINT),
        ("next_to_replay_to", OF_ENDPOINT),
        ("count_watches_to_change", WATCHES_OF_STATE),
        ("next_watches_to_change", WATCHES_OF_STATE),
        ("count_expiring", "USING INDEX deliveries_expiring (<expr><?)"),
        ("count_blocked_endpoints", "USING INDEX endpoints_closed"),
        ("count_blocked_endpoints", "USING COVERING INDEX endpoints_held (hold=?)"),
        (
            "count_blocked_endpoints",
            "USING COVERING INDEX deliveries_of_endpoint (endpoint_seq=? AND state=?)",
        ),
        ("count_troubled", "USING COVERING INDEX watches_troubled (trouble_since>?)"),
        ("count_troubled", "USING COVERING INDEX watches_troubled (trouble_since<?)"),
        ("count_refused", "USING INDEX deliveries_refused (refusals>?)"),
        ("overdue_deliveries", "USING INDEX deliveries_overdue (give_up_at<?)"),
        ("delete_oldest_attempts", "USING COVERING INDEX attempts_at"),
        ("endpoint_details", "USING COVERING INDEX deliveries_of_endpoint (endpoint_seq=? AND state=?)"),
        ("endpoint_by_id", "USING INDEX sqlite_autoindex_endpoints_1 (id=?)"),
        ("oldest_bulk_change", "SCAN bulk_changes"),
        ("replay", "USING INTEGER PRIMARY KEY (rowid=?)"),
        ("recent_ends", "USING INDEX watches_ended (ended_at>?)"),
        ("recent_callbacks", "USING INDEX deliveries_listed (state=?)"),
        ("recent_callbacks", "SEARCH attempts USING PRIMARY KEY (delivery_seq=?)"),
        ("give_up_deliveries", "USING INTEGER PRIMARY KEY (rowid=?)"),
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


def queue_up(connection: sqlite3.Connection, count: int) -> None:
    """Have one endpoint where so many wait for an hour, their results to expire, and one more is due."""
    run = connection.execute
    run("INSERT INTO providers (name) VALUES ('p')")
    run("INSERT INTO api_paths (path) VALUES ('/a')")
    run(
        "INSERT INTO watches (id, provider_seq, api_path_seq, task_id, state, callbacks, metadata, "
        "registered_at, expires_at, ended_at) VALUES ('w', 1, 1, 't', 'completed', '[]', '{}', 0, 0, 0)"
    )
    run(
        "INSERT INTO events (id, watch_seq, round, type, at, body) "
        "VALUES ('e', 1, 0, 'task.completed', 0, x'')"
    )
    run("INSERT INTO origins (name, is_trusted) VALUES ('http://h', 1)")
    run("INSERT INTO endpoints (id, url, origin_seq, slot_class) VALUES ('ep', 'http://h/', 1, 0)")
    connection.executemany(
        "INSERT INTO deliveries (id, event_seq, endpoint_seq, url, state, urgency, created_at, due_at, "
        "give_up_at) VALUES (?, 1, 1, 'http://h/?' || ?, 'pending', ?, 0, ?, ?)",
        [(f"d{n}", n, DAY if n else END_OF_TIME, HOUR if n else 1, DAY) for n in range(count + 1)],
    )
    run("UPDATE endpoints SET due_at = 1")


@pytest.mark.fault(77)
def test_a_claim_walks_through_no_long_queue(connection: sqlite3.Connection) -> None:
    """Not for what is due, nor for what is forced, nor for when it is to be looked at again."""
    queue_up(connection, 20_000)
    thousands: list[int] = []
    connection.set_progress_handler(lambda: thousands.append(1), 1_000)
    limits = in_flight_limits.InFlightLimits({}, 4, SlotUsage(32))
    claimed = claiming.claim_deliveries(
        Transaction(connection, IdSequence(random.Random(1)), ChangeCollector()),
        now=2,
        limit=32,
        lease=lease(DAY),
        limits=limits,
    )
    connection.set_progress_handler(None, 0)
    assert [dispatch.delivery_id for dispatch in claimed.deliveries] == ["d0"]
    assert claimed.next_due_at == HOUR
    assert len(thousands) < 20  # of SQLite's steps: one row that is walked by takes four or more


def wait_for_polls(connection: sqlite3.Connection, count: int) -> None:
    """Have so many watches of a path due for long, and one of another path just now."""
    run = connection.execute
    run("INSERT INTO providers (name) VALUES ('p')")
    run("INSERT INTO api_paths (path) VALUES ('/ill'), ('/well')")
    connection.executemany(
        "INSERT INTO watches (id, provider_seq, api_path_seq, task_id, state, callbacks, metadata, "
        "registered_at, expires_at, due_at) VALUES (?, 1, ?, ?, 'watching', '[]', '{}', 0, ?, ?)",
        [(f"w{n}", 1 if n else 2, f"t{n}", DAY, n or count + 1) for n in range(count + 1)],
    )


@pytest.mark.fault(77)
def test_claims_walk_once_over_what_a_blocked_path_holds(connection: sqlite3.Connection) -> None:
    """Each moves a bounded number out of its way; the watch behind them is found, and then costs nothing."""
    count = 20 * poll_claims.SCAN_LIMIT
    wait_for_polls(connection, count)
    thousands: list[int] = []
    connection.set_progress_handler(lambda: thousands.append(1), 1_000)
    rules = ClaimRules(
        max_in_flight=32, suspect_room=1, probe_room=1, blocked={"/ill": PathProbe.ANY}, is_shared=True
    )
    found: dict[str, int] = {}
    steps = []
    for number in range(30):
        del thousands[:]
        claimed = poll_claims.claim_watches(
            Transaction(connection, IdSequence(random.Random(1)), ChangeCollector()),
            "p",
            now=count + 2,
            limit=32,
            lease=lease(DAY),
            rules=rules,
        )
        steps.append(len(thousands))
        found |= {watch.api_path: number for watch in claimed.watches if watch.api_path not in found}
        assert len(claimed.watches) <= 2, "one probe, and what is well"
    assert found["/ill"] == 0
    assert found["/well"] <= 20
    assert max(steps) < 200  # of SQLite's thousands of steps, while a claim moves a thousand rows
    assert steps[-1] <= 1
