"""What keeps the store in order: totals, forgetting, clocks, claims that nobody holds any more."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from notifier.core.formats.retry_after import POLL_CAP_MS
from notifier.core.model import DeliveryState, WatchState
from notifier.core.states import DeliveryAction
from notifier.core.task_statistics import MOST_COUNTED
from notifier.store.sqlite.connection import LOG_LIMIT_BYTES
from notifier.store.sqlite.database_files import log_path
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.state_changes import DELIVERY_CHANGES
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import Counts

LASTING_TROUBLE_MS = 60_000  # the trouble of one bad reply is mostly over by then

# Rows of one step of ``prune``: others write between the steps. No record of why this number; changing it
# needs a measurement.
SCAN_LIMIT = 1_000

LONG_LOG_BYTES = LOG_LIMIT_BYTES
"""A log that is longer has lived through a checkpoint that a reader kept from finishing."""

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
    most = {"most": MOST_COUNTED}
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
    """Find what ``give_up`` may declare dead; by a reader, as what is held may be many to pass by."""
    return [row["seq"] for row in connection.execute(SQL["overdue_deliveries"], {"now": now, "limit": limit})]


def give_up(transaction: Transaction, seqs: Sequence[int], *, now: int) -> int:
    """Declare these dead if it is still so that nobody tries them in time; returns how many.

    Their endpoints are then due for what still waits, or not at all.
    """
    connection = transaction.connection
    values = {"seqs": json.dumps(seqs), "now": now, **DELIVERY_CHANGES[DeliveryAction.GIVE_UP]}
    dead: Sequence[sqlite3.Row] = connection.execute(SQL["give_up_deliveries"], values).fetchall()
    for endpoint_seq in {row["endpoint_seq"] for row in dead}:
        connection.execute(SQL["requeue_endpoint"], {"endpoint_seq": endpoint_seq, "now": now})
    if dead:
        transaction.changes.many()
    return len(dead)


def trim_attempts(transaction: Transaction, *, most: int = MAX_ATTEMPTS) -> int:
    """Forget some of the oldest attempts beyond ``most``; returns how many are still too many."""
    connection = transaction.connection
    excess = int(connection.execute(SQL["count_attempts"]).fetchone()["n"]) - most
    if excess <= 0:
        return 0
    connection.execute(SQL["delete_oldest_attempts"], {"count": min(excess, TRIM_LIMIT)})
    return max(0, excess - TRIM_LIMIT)


def maintain(connection: sqlite3.Connection, *, database: Path) -> None:
    """Checkpoint the log; cut off a long one, if no reader is in the way."""
    # No PRAGMA optimize, no ANALYZE: figures taken while a table is small tell the planner to scan it, and
    # are still believed when it holds a million rows. Without any it takes the indexes, which is right here.
    if _log_bytes(database) > LONG_LOG_BYTES:
        (busy_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
    else:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def _log_bytes(database: Path) -> int:
    try:
        return log_path(database).stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class PruneStep:
    """How many went, and where to look on; ``place`` is None when all have been looked at."""

    count: int
    place: tuple[int, int] | None


PRUNE_START = (-(2**63), 0)  # before every (ended_at, seq): the least integer of SQLite


def prune(
    transaction: Transaction,
    *,
    place: tuple[int, int],
    delivered_before: int,
    dead_before: int,
    limit: int,
) -> PruneStep:
    """Forget at most ``limit`` of the next watches, of which no more than a thousand are looked at."""
    ended_at, seq = place
    rows = transaction.connection.execute(
        SQL["ended_watches"],
        {
            "ended_at": ended_at,
            "seq": seq,
            "delivered_before": delivered_before,
            "dead_before": dead_before,
            "limit": SCAN_LIMIT,
        },
    ).fetchall()
    seqs = [row["seq"] for row in rows if row["is_forgettable"]][:limit]
    if seqs:
        transaction.connection.execute(SQL["delete_watches"], {"seqs": json.dumps(seqs)})
        transaction.changes.many()
    last = (rows[-1]["ended_at"], rows[-1]["seq"]) if len(rows) == SCAN_LIMIT else None
    return PruneStep(len(seqs), last)


def shift_times(transaction: Transaction, delta_ms: int) -> None:
    """See ``Store``. What tells when something happened stays; what is waited for, or counted from, moves.

    What came or ended by the clock that is being set has its age counted from then: it moves too. The walk
    over all ended deliveries is long, and a clock is rarely set.
    """
    connection = transaction.connection
    values = {"delta": delta_ms, "since": _marks(connection)["since"]}
    connection.execute(SQL["shift_watches"], values)
    connection.execute(SQL["shift_deliveries"], values)
    connection.execute(SQL["shift_endpoints"], values)
    connection.execute(SQL["shift_ended_watches"], values)
    connection.execute(SQL["shift_ended_deliveries"], values)
    connection.execute(SQL["shift_marks"], values)
    transaction.changes.many()


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What time it is, beside what has elapsed within which boot of the machine, both in milliseconds."""

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
    """Release every claim (its owner is dead: we hold the lock) and return at what time the daemon begins.

    What was claimed is due at once, deliveries as perhaps sent already. No watch is left to wait for longer
    than any rule could have it wait: such a date is from a clock that was wrong.
    """
    connection = transaction.connection
    start = _time_at_start(connection, clocks)
    connection.execute(SQL["release_watches"], {"now": start})
    released: Sequence[sqlite3.Row] = connection.execute(SQL["release_deliveries"], {"now": start}).fetchall()
    for row in released:
        connection.execute(SQL["requeue_endpoint"], {"endpoint_seq": row["endpoint_seq"], "now": start})
    for row in connection.execute(SQL["provider_seqs"], {"provider": None}).fetchall():
        latest = start + POLL_CAP_MS
        connection.execute(
            SQL["limit_due_times"],
            {"provider_seq": row["seq"], "latest": latest, "absurd": latest + max_interval_ms},
        )
    return start


def _time_at_start(connection: sqlite3.Connection, clocks: ClockReading) -> int:
    """In the boot that we have lived in before, our time has gone on by what has elapsed since.

    Else the machine's word counts, but a machine that has lost its time does not live the same hours twice.
    Since when this clock flows is marked: what is older was told by another.
    """
    marks = _marks(connection)
    is_same_boot = clocks.boot is not None and clocks.boot == marks.get("boot")
    now = marks["anchor"] + clocks.elapsed if is_same_boot else clocks.now
    start = max(now, marks.get("lived_at", now))
    if not is_same_boot or "since" not in marks:
        connection.execute(SQL["write_mark"], {"key": "since", "value": start})
    return start
