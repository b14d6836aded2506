"""Maintenance: totals, giving up, pruning, checkpoints, the clock, and the claims of the last run."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from notifier.core.formats.json_text import encode
from notifier.core.formats.retry_after import MAX_POLL_RETRY_AFTER_MS
from notifier.core.model import DeliveryState, WatchState
from notifier.core.states import DeliveryAction
from notifier.core.task_statistics import MAX_COUNTED
from notifier.store.sqlite.connection import LOG_LIMIT_BYTES
from notifier.store.sqlite.database_files import log_path
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import columns_to_cause
from notifier.store.sqlite.state_changes import DELIVERY_CHANGES
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import Counts

LASTING_TROUBLE_MS = 60_000  # the trouble of one bad reply is mostly over by then

# Rows of one step of ``prune``: others write between the steps. No record of why this number; changing it
# needs a measurement.
SCAN_LIMIT = 1_000

# Bodies of one step of ``prune``, because to free their pages the writer reads each of them. Trade-off: 1 024
# pages, and a single larger body makes a step of its own.
MAX_PRUNED_BYTES = 4 * 1_048_576

# 8 MiB each time. Trade-off: other writes wait for it, and a month of old watches goes within days.
GIVE_BACK_PAGES = 2_048

LONG_LOG_BYTES = LOG_LIMIT_BYTES
"""The log grows longer only if a reader prevented a checkpoint from finishing."""

# The writer waits so long for a reader of another program to let the log be truncated, and no longer, because
# all writes wait with it. No record of why this number; changing it needs a measurement.
CHECKPOINT_WAIT_MS = 100

MAX_ATTEMPTS = 200_000  # CONTRACT P5: attempts are bounded; no record of why this number

# Attempts of one step of ``prune``. No record of why this number; changing it needs a measurement.
TRIM_LIMIT = 500


def counts(connection: sqlite3.Connection, *, now: int) -> Counts:
    """See ``Store``."""
    tallies = {(row["kind"], row["state"]): row["n"] for row in connection.execute(SQL["tallies"])}
    oldest = connection.execute(SQL["oldest_pending"]).fetchone()
    most = {"most": MAX_COUNTED}
    before = now - LASTING_TROUBLE_MS
    troubled = connection.execute(SQL["count_troubled"], {"before": before, **most}).fetchone()
    return Counts(
        watches={state: tallies["watch", state] for state in WatchState},
        deliveries={state: tallies["delivery", state] for state in DeliveryState},
        oldest_pending_at=None if oldest is None else oldest["created_at"],
        expiring=connection.execute(SQL["count_expiring"], {"now": now, **most}).fetchone()["n"],
        shut={row["state"]: row["n"] for row in connection.execute(SQL["count_blocked_endpoints"], most)},
        troubled=troubled["n"],
        lasting=troubled["lasting"],
        refused=connection.execute(SQL["count_refused"], most).fetchone()["n"],
    )


def overdue(connection: sqlite3.Connection, *, now: int, limit: int) -> list[int]:
    """Find the deliveries that ``give_up`` may end.

    A reader does it, because many deliveries of held endpoints may be passed over.
    """
    return [row["seq"] for row in connection.execute(SQL["overdue_deliveries"], {"now": now, "limit": limit})]


def give_up(transaction: Transaction, seqs: Sequence[int], *, now: int) -> int:
    """Give up these deliveries if it is still true that nobody sends them in time; return their number.

    Their endpoints are then due for what still waits, or not at all.
    """
    connection = transaction.connection
    values = {"seqs": json.dumps(seqs), "now": now, **DELIVERY_CHANGES[DeliveryAction.GIVE_UP]}
    closed = connection.execute(SQL["closed_endpoints_of"], {"seqs": values["seqs"]})
    reasons = encode([[row["seq"], _reason_text(row)] for row in closed])
    dead: Sequence[sqlite3.Row] = connection.execute(
        SQL["give_up_deliveries"], {**values, "reasons": reasons}
    ).fetchall()
    for endpoint_seq in {row["endpoint_seq"] for row in dead}:
        connection.execute(SQL["requeue_endpoint"], {"endpoint_seq": endpoint_seq, "now": now})
    if dead:
        transaction.changes.many()
    return len(dead)


def _reason_text(row: sqlite3.Row) -> str:
    cause = columns_to_cause(row["reason"], row["reason_params"])
    return "" if cause is None else cause.text()


def trim_attempts(transaction: Transaction, *, most: int = MAX_ATTEMPTS) -> int:
    """Delete some of the oldest attempts beyond ``most``; return how many are still too many."""
    connection = transaction.connection
    excess = int(connection.execute(SQL["count_attempts"]).fetchone()["n"]) - most
    if excess <= 0:
        return 0
    connection.execute(SQL["delete_oldest_attempts"], {"count": min(excess, TRIM_LIMIT)})
    return max(0, excess - TRIM_LIMIT)


def maintain(connection: sqlite3.Connection, *, database: Path) -> None:
    """Make a checkpoint; truncate a long log, if no reader prevents it."""
    # No PRAGMA optimize and no ANALYZE: statistics of a small table make the planner scan it, and it still
    # does so with a million rows. Without statistics it uses the indexes, which is right here.
    give_back(connection)
    if _log_bytes(database) > LONG_LOG_BYTES:
        (busy_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
    else:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def give_back(connection: sqlite3.Connection) -> None:
    """Give some free pages back to the file system, in a file that was created for it.

    An older file keeps its size and uses the pages again. ``notifier backup`` makes no smaller copy either.
    """
    # As a script: this pragma yields a row without columns for each page, and execute ends after the first.
    connection.executescript(f"PRAGMA incremental_vacuum({GIVE_BACK_PAGES});")


def _log_bytes(database: Path) -> int:
    try:
        return log_path(database).stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class PruneAge:
    """Before when a watch and its deliveries must have ended to be deleted."""

    delivered_before: int
    dead_before: int


@dataclass(frozen=True, slots=True)
class Forgettable:
    """Ended watches that may be deleted, and where the next scan starts; ``place`` is None at the end."""

    seqs: tuple[int, ...]
    place: tuple[int, int] | None


PRUNE_START = (-(2**63), 0)  # before every (ended_at, seq): the least integer of SQLite


def find_forgettable(
    connection: sqlite3.Connection,
    *,
    age: PruneAge,
    place: tuple[int, int] | None,
    limit: int,
) -> Forgettable:
    """Find at most ``limit`` of the next ``SCAN_LIMIT`` ended watches, with ``MAX_PRUNED_BYTES`` of bodies.

    A reader does it, because a walk through many watches that must stay takes long.
    """
    ended_at, seq = PRUNE_START if place is None else place
    scan = {"ended_at": ended_at, "seq": seq, "limit": SCAN_LIMIT}
    rows = connection.execute(SQL["ended_watches"], {**scan, **asdict(age)}).fetchall()
    seqs: list[int] = []
    body_bytes = 0
    for row in rows:
        if not row["is_forgettable"]:
            continue
        body_bytes += row["body_bytes"]
        if len(seqs) == limit or (seqs and body_bytes > MAX_PRUNED_BYTES):
            return Forgettable(tuple(seqs), (ended_at, seq))
        seqs.append(row["seq"])
        ended_at, seq = row["ended_at"], row["seq"]
    last = (rows[-1]["ended_at"], rows[-1]["seq"]) if len(rows) == SCAN_LIMIT else None
    return Forgettable(tuple(seqs), last)


def delete_watches(transaction: Transaction, seqs: Sequence[int], *, age: PruneAge) -> int:
    """Delete these watches, but not those that a user resumed or sent again since; return their number."""
    values = {"seqs": json.dumps(seqs), **asdict(age)}
    deleted = transaction.connection.execute(SQL["delete_watches"], values).fetchall()
    if deleted:
        transaction.changes.many()
    return len(deleted)


def shift_times(transaction: Transaction, delta_ms: int) -> None:
    """See ``Store``. A time at which something happened stays, unless something is counted from it.

    The scan over all ended deliveries is long, but a clock is rarely set.
    """
    connection = transaction.connection
    values = {"delta": delta_ms, "since": _marks(connection)["since"]}
    connection.execute(SQL["shift_watches"], values)
    connection.execute(SQL["shift_breakers"], values)
    connection.execute(SQL["shift_deliveries"], values)
    connection.execute(SQL["shift_endpoints"], values)
    connection.execute(SQL["shift_ended_watches"], values)
    connection.execute(SQL["shift_ended_deliveries"], values)
    connection.execute(SQL["shift_watch_changes"], values)
    connection.execute(SQL["shift_marks"], values)
    transaction.changes.many()


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The wall clock, and the time elapsed in this boot of the machine, both in milliseconds."""

    now: int
    elapsed: int
    boot: int | None


def heartbeat(transaction: Transaction, *, clocks: ClockReading) -> None:
    """See ``Store``."""
    marks = {"lived_at": clocks.now, "anchor": clocks.now - clocks.elapsed, "boot": clocks.boot}
    for key, value in marks.items():
        if value is not None:
            transaction.connection.execute(SQL["write_mark"], {"key": key, "value": value})


def _marks(connection: sqlite3.Connection) -> dict[str, int]:
    return {row["key"]: int(row["value"]) for row in connection.execute(SQL["read_marks"])}


def take_over(transaction: Transaction, *, clocks: ClockReading, max_interval_ms: int) -> int:
    """Release every claim, because its owner is dead (we hold the lock), and return the time of the start.

    Claimed rows are due at once, deliveries as possible duplicates. A due time beyond what any rule allows
    comes from a wrong clock. It is moved to the longest wait that a reply can ask for.
    """
    connection = transaction.connection
    start = _time_at_start(connection, clocks)
    connection.execute(SQL["release_watches"], {"now": start})
    released: Sequence[sqlite3.Row] = connection.execute(SQL["release_deliveries"], {"now": start}).fetchall()
    for row in released:
        connection.execute(SQL["requeue_endpoint"], {"endpoint_seq": row["endpoint_seq"], "now": start})
    latest = start + MAX_POLL_RETRY_AFTER_MS
    connection.execute(SQL["limit_breaker_times"], {"latest": latest})
    for row in connection.execute(SQL["provider_seqs"], {"provider": None}).fetchall():
        connection.execute(
            SQL["limit_due_times"],
            {"provider_seq": row["seq"], "latest": latest, "absurd": latest + max_interval_ms},
        )
    return start


def _time_at_start(connection: sqlite3.Connection, clocks: ClockReading) -> int:
    """Return the time at which this run starts.

    In the same boot it is the time of the last run plus what has elapsed since. In another boot it is the
    wall clock, but not before the last heartbeat: a machine may have lost its time. The start is marked as
    the beginning of this clock, because older times came from another one.
    """
    marks = _marks(connection)
    is_same_boot = clocks.boot is not None and clocks.boot == marks.get("boot")
    now = marks["anchor"] + clocks.elapsed if is_same_boot else clocks.now
    start = max(now, marks.get("lived_at", now))
    if not is_same_boot or "since" not in marks:
        connection.execute(SQL["write_mark"], {"key": "since", "value": start})
    return start
