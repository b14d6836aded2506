"""The SQL: every statement named, used, and found by an index however many rows there are."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from notifier.store.sqlite import maintenance, queries
from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.open import migrate
from notifier.store.sqlite.queries import SQL
from notifier.store.values import WatchQuery
from tests.builders import new_watch
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import add

ROOM = Path(queries.__file__).parent
BIG = "watches|deliveries|events|attempts|endpoints|origins|[wdea]"

SCANS_ALLOWED = {
    "shift_watches": "moves every waiting watch",
    "deferred_paths": "an index of what a Retry-After has put off, once at the start",
    "shift_endpoints": "moves every endpoint that is due",
    "provider_seqs": "the configuration has a handful",
    "tallies": "ten rows",
    "delete_oldest_attempts": "from the oldest end of an index, no further than it deletes",
    "shift_ended_deliveries": "once a step of the clock",
}

HOT = {
    "names_before_adding": {"sqlite_autoindex_watches_2", "SEARCH h USING PRIMARY KEY"},
    "queue_heads": {"watches_due", "INDEX watches_held_deadline (provider_seq=?)"},
    "due_watches": {"watches_due", "SEARCH h USING PRIMARY KEY"},
    "due_places": {"watches_due (provider_seq=? AND queue=? AND due_at<?)"},
    "held_places": {"INDEX watches_held (provider_seq=? AND api_path_seq=?)"},
    "watches_to_claim": {"SEARCH w USING INTEGER PRIMARY KEY"},
    "held_watches_past_deadline": {
        "watches_held_deadline (provider_seq=? AND api_path_seq=? AND expires_at>?"
    },
    "recall_deferred": {"INDEX watches_deferred (provider_seq=? AND api_path_seq=?)"},
    "recall_throttled": {"watches_deferred (provider_seq=?)"},
    "record_wait_in_queue": {"sqlite_autoindex_watches_1"},
    "due_watches_past_deadline": {"watches_deadline"},
    "record_wait": {"sqlite_autoindex_watches_1"},
    "record_end": {"sqlite_autoindex_watches_1"},
    "durations_of_path": {"SEARCH habits USING PRIMARY KEY"},
    "release_expired_claims": {"COVERING INDEX deliveries_claimed"},
    "due_origins": {"origins_due"},
    "recovering_origins": {"origins_recovering"},
    "new_origins": {"origins_new"},
    "hanging_origins": {"origins_hanging"},
    "due_endpoints": {"endpoints_due"},
    "due_deliveries": {"COVERING INDEX deliveries_urgent"},
    "longest_due_deliveries": {"COVERING INDEX deliveries_due"},
    "forced_deliveries": {"deliveries_forced"},
    "requeue_endpoint": {"COVERING INDEX deliveries_due", "deliveries_forced"},
    "release_watches": {"watches_claimed"},
    "release_deliveries": {"deliveries_claimed"},
    "limit_due_times": {"watches_due"},
    "ended_watches": {"COVERING INDEX watches_ended"},
    "oldest_pending": {"deliveries_listed"},
}


def test_no_name_stands_twice() -> None:
    names = re.findall(r"^-- name: (\w+)$", (ROOM / "queries.sql").read_text(), flags=re.MULTILINE)
    assert sorted(names) == sorted(SQL)


def test_every_statement_is_used_and_every_used_one_is_there() -> None:
    """By its name in quotes: some are chosen between before they are looked up."""
    python = "\n".join(path.read_text() for path in ROOM.glob("*.py"))
    assert set(re.findall(r'SQL\["(\w+)"\]', python)) <= set(SQL)
    assert {name for name in SQL if f'"{name}"' not in python} == set()


def test_there_is_no_other_sql() -> None:
    """But for transactions and PRAGMAs, and the look at a file that may not be ours."""
    words = re.compile(r"execute\(\s*f?[\"'](?!PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)")
    assert {path.name for path in ROOM.glob("*.py") if words.search(path.read_text())} == {"integrity.py"}


@pytest.fixture(params=["no statistics", "statistics"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database as it is, and one where somebody has run ANALYZE."""
    with closing(connect_writer(str(tmp_path / "x.db"))) as opened:
        migrate(opened)
        if request.param == "statistics":
            fill(opened)
            opened.execute("ANALYZE")
        yield opened


def fill(connection: sqlite3.Connection, count: int = 2_000) -> None:
    connection.execute("BEGIN")
    run = connection.execute
    for n in range(2):
        run("INSERT INTO providers (name) VALUES (?)", (f"p{n}",))
        run("INSERT INTO api_paths (path) VALUES (?)", (f"/p{n}",))
    for n in range(20):
        run("INSERT INTO origins (name, due_at) VALUES (?, ?)", (f"o{n}", n))
        run(
            "INSERT INTO endpoints (id, url, origin_seq, due_at) VALUES (?, ?, ?, ?)",
            (f"e{n}", f"u{n}", n + 1, n),
        )
    for n in range(1, count + 1):
        is_live = n % 3 > 0
        run(
            "INSERT INTO watches (seq, id, provider_seq, api_path_seq, task_id, state, callbacks, metadata, "
            "registered_at, expires_at, due_at, ended_at) VALUES (?, ?, ?, 1, ?, ?, '[]', '{}', 0, ?, ?, ?)",
            (n, f"w{n:05}", n % 2 + 1, f"t{n}", "watching" if is_live else "failed", n)
            + ((n, None) if is_live else (None, n)),
        )
        if is_live:
            continue
        run(
            "INSERT INTO events (seq, id, watch_seq, round, type, at, body) "
            "VALUES (?, 'e', ?, 0, '', 0, x'')",
            (n, n),
        )
        run(
            "INSERT INTO deliveries (id, event_seq, endpoint_seq, url, state, urgency, created_at, due_at, "
            "give_up_at) VALUES (?, ?, ?, 'u', 'pending', 0, 0, ?, 0)",
            (f"d{n:05}", n, n % 20 + 1, n),
        )
    connection.execute("COMMIT")


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    values = dict.fromkeys(re.findall(r":(\w+)", SQL[name]))
    return [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", values)]


@pytest.mark.parametrize("name", sorted(set(SQL) - set(SCANS_ALLOWED)))
def test_no_statement_walks_through_a_table(connection: sqlite3.Connection, name: str) -> None:
    steps = plan(connection, name)
    assert [step for step in steps if re.match(rf"SCAN ({BIG})\b(?!.*VIRTUAL)", step)] == [], steps


@pytest.mark.parametrize("name", sorted(HOT))
def test_what_runs_all_the_time_uses_its_own_index(connection: sqlite3.Connection, name: str) -> None:
    steps = plan(connection, name)
    for index in HOT[name]:
        assert any(index in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps


def test_a_poll_touches_two_indexes_and_no_more(connection: sqlite3.Connection) -> None:
    """A claim moves owner and due_at, a wait besides only what no index holds.

    But for the indexes of what is in trouble and of what is held: a poll that goes well has no row in these,
    before or after. And for that of deferred first polls, which a watch leaves with its first claim.
    """
    indexes = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE tbl_name = 'watches' AND type = 'index'"
    )
    moved = set(re.findall(r"(\w+) = ", SQL["record_wait"].partition("WHERE")[0] + SQL["claim_watches"]))
    assert "state" not in moved
    touched = [row["sql"] for row in indexes if row["sql"] and moved & set(re.findall(r"\w+", row["sql"]))]
    without_rows = (
        "WHERE trouble_since IS NOT NULL",
        "WHERE queue = 2",
        "WHERE first_poll_from IS NOT NULL",
    )
    assert [sql for sql in touched if not sql.endswith(without_rows)] == [
        "CREATE INDEX watches_claimed ON watches (owner) WHERE owner IS NOT NULL",
        "CREATE INDEX watches_due ON watches (provider_seq, queue, due_at) WHERE state = 'watching'",
    ]


@pytest.mark.parametrize(
    "row",
    [
        "watches WHERE seq = 1",
        "events WHERE seq = 1",
        "deliveries WHERE seq = 1",
        "endpoints WHERE seq = 1",
        "origins WHERE seq = 1",
        "api_paths WHERE seq = 1",
    ],
)
def test_deleting_never_looks_for_children_by_a_scan(connection: sqlite3.Connection, row: str) -> None:
    steps = [step["detail"] for step in connection.execute(f"EXPLAIN QUERY PLAN DELETE FROM {row}")]
    assert not any(step.startswith("SCAN") for step in steps), steps


async def test_maintenance_takes_no_statistics(opening: OpenStore) -> None:
    """Of a table with three rows they would say that a scan is best, and be believed at a million."""
    store = await opening()
    await add(store, *(new_watch(f"task-{n}") for n in range(3)))
    for _ in range(3):
        await store.maintain()
    tables = await store._read(
        lambda connection: [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
    )
    assert not [name for name in tables if name.startswith("sqlite_stat")]


@pytest.mark.fault(32)
async def test_a_long_log_is_cut_off(
    tmp_path: Path, opening: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless a reader of another program still needs it: then nobody waits for long, and it is cut later."""
    monkeypatch.setattr(maintenance, "LONG_LOG_BYTES", 10_000)
    store = await opening()
    log = tmp_path / "notifier.db-wal"
    await add(store, *(new_watch(f"task-{n}") for n in range(50)))
    with closing(sqlite3.connect(tmp_path / "notifier.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM watches").fetchone()
        await add(store, new_watch("one more"))
        await store.maintain()
        assert log.stat().st_size > 10_000
    await store.maintain()
    assert log.stat().st_size == 0
    timeout = await store._writer.submit(
        lambda transaction: transaction.connection.execute("PRAGMA busy_timeout").fetchone()[0]
    )
    assert timeout == 200


@pytest.mark.fault(144)
async def test_a_file_shrinks_after_what_is_in_it_was_forgotten(tmp_path: Path, opening: OpenStore) -> None:
    """In steps, so that no other write waits for long; the wait of each is bounded by its pages."""
    store = await opening()
    await add(
        store, *(new_watch(f"task-{n}", metadata="{" + f'"x":"{"y" * 3_000}"' + "}") for n in range(900))
    )
    for watch in await store.watches(WatchQuery(limit=900)):
        await store.stop_watch(watch.id, now=NOON)
    await store.maintain()
    full = (tmp_path / "notifier.db").stat().st_size
    while (await store.prune(delivered_before=NOON + 1, dead_before=NOON + 1, limit=500)).place is not None:
        pass
    await store.maintain()
    assert (tmp_path / "notifier.db").stat().st_size < full / 4
