"""Learned durations of tasks: a row for each api_path, up to a limit."""

import sqlite3

from notifier.core.model import Watch
from notifier.core.polling.histogram import DurationHistogram, add_duration, pack, unpack
from notifier.core.polling.learned_schedule import TaskDurations, histogram_to_durations
from notifier.store.sqlite.queries import SQL
from notifier.store.values import PathDurations

# CONTRACT P5: the table is bounded, although its rows outlive the watches. No record of why this number;
# changing it needs a measurement.
MAX_PATHS = 1_000


def record_duration(connection: sqlite3.Connection, watch: Watch, duration_ms: int, *, now: int) -> None:
    """Add the duration of an ended task to those of its api_path."""
    names = {"provider": watch.provider, "api_path": watch.api_path}
    row = connection.execute(SQL["durations_of_path"], names).fetchone()
    histogram = add_duration(DurationHistogram() if row is None else unpack(row["sketch"]), duration_ms)
    durations = histogram_to_durations(histogram, 1 if row is None else row["finishes"] + 1)
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
        },
    )
    if row is None:
        connection.execute(SQL["delete_oldest_durations"], {"most": MAX_PATHS})


def read_durations(row: sqlite3.Row) -> TaskDurations | None:
    """Read durations from a row with these columns; None if there are none."""
    finishes = row["finishes"]
    return None if finishes is None else TaskDurations(finishes, row["p5_ms"], row["p50_ms"], row["p90_ms"])


def list_durations(connection: sqlite3.Connection, *, limit: int) -> list[PathDurations]:
    """See ``Store.learned``."""
    rows: list[PathDurations] = []
    for row in connection.execute(SQL["list_durations"], {"limit": limit}):
        durations = read_durations(row)
        if durations is not None:
            rows.append(PathDurations(row["provider"], row["api_path"], durations))
    return rows
