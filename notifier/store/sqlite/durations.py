"""Learned durations of tasks: a row for each api_path, up to a limit."""

import sqlite3

from notifier.core.model import Watch
from notifier.core.polling.first_poll import PROMISE_MS, FirstWait, adjust_wait_ms
from notifier.core.polling.histogram import DurationHistogram, add_duration, pack, unpack
from notifier.core.polling.learned_schedule import TaskDurations, histogram_to_durations
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import PathDurations

# CONTRACT P5: the table is bounded, although its rows outlive the watches. No record of why this number;
# changing it needs a measurement.
MAX_PATHS = 1_000

# First polls that one record brings forward, in its transaction: 3 µs each were measured. Each further task
# that ends brings as many more forward, which is faster than they can be polled.
MAX_BROUGHT_FORWARD = 500


def record_duration(transaction: Transaction, watch: Watch, duration_ms: int, *, now: int) -> None:
    """Add the duration of an ended task to those of its api_path, and bring first polls forward."""
    connection = transaction.connection
    names = {"provider": watch.provider, "api_path": watch.api_path}
    row = connection.execute(SQL["durations_of_path"], names).fetchone()
    histogram = add_duration(DurationHistogram() if row is None else unpack(row["sketch"]), duration_ms)
    durations = histogram_to_durations(histogram, 1 if row is None else row["finishes"] + 1)
    wait_ms = adjust_wait_ms(0 if row is None else row["wait_ms"], durations, duration_ms)
    connection.execute(
        SQL["record_durations"],
        {
            **names,
            "finishes": durations.finished_count,
            "now": now,
            "p5_ms": durations.p5_ms,
            "p50_ms": durations.p50_ms,
            "p90_ms": durations.p90_ms,
            "sketch": pack(histogram),
            "wait_ms": wait_ms,
        },
    )
    if row is None:
        connection.execute(SQL["delete_oldest_durations"], {"most": MAX_PATHS})
    _bring_forward(transaction, names, wait_ms, now)


def _bring_forward(transaction: Transaction, names: dict[str, str], wait_ms: int, now: int) -> None:
    """Make first polls of the api_path due as early as the wait now says, a limited number of them."""
    limits = {"tolerance_ms": PROMISE_MS, "limit": MAX_BROUGHT_FORWARD}
    values = {**names, **limits, "wait_ms": wait_ms, "now": now}
    for row in transaction.connection.execute(SQL["bring_forward"], values).fetchall():
        transaction.changes.polled(row["id"])


def read_durations(row: sqlite3.Row) -> TaskDurations | None:
    """Read durations from a row with these columns; None if there are none."""
    finishes = row["finishes"]
    return None if finishes is None else TaskDurations(finishes, row["p5_ms"], row["p50_ms"], row["p90_ms"])


def read_first_wait(row: sqlite3.Row) -> FirstWait:
    """Read how long first polls wait from a row with these columns; no wait if there are none."""
    return FirstWait(row["wait_ms"] or 0, row["waiting"] or 0)


def list_durations(connection: sqlite3.Connection, *, limit: int) -> list[PathDurations]:
    """See ``Store.learned``."""
    rows: list[PathDurations] = []
    for row in connection.execute(SQL["list_durations"], {"limit": limit}):
        durations = read_durations(row)
        if durations is not None:
            rows.append(PathDurations(row["provider"], row["api_path"], durations))
    return rows
