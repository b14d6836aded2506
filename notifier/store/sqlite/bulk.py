"""Bulk changes: change all rows that match, some at a time. One under way is a row and survives a restart.

Rows are scanned by their seq in windows, so that a step reads a bounded part of the table, however few of its
rows match. ``replays.py`` and ``watch_changes.py`` define what is selected and what is done with it.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import MAX_BULK_CHANGES, BulkLimitReached

# Rows of one step of the count. Others read between the steps. No record of why this number; changing it
# needs a measurement.
COUNT_WINDOW = 50_000

# Rows of one step of a change, which holds the writer. Others write between the steps. No record of why
# this number; changing it needs a measurement.
SCAN_LIMIT = 5_000

_COLUMNS = ("since", "until", "state", "url", "provider", "api_path", "expire_after_ms")


@dataclass(frozen=True, slots=True)
class Selection:
    """The statements that find the rows of a bulk change, and their parameters."""

    last: str  # reads the last seq of the table
    count: str  # counts the matches of a window
    next: str  # reads the first matches of a window
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BulkScan:
    """A count under way: the matches so far, and the seqs of the first and the last one.

    ``place`` is the last scanned seq, ``end`` the last seq to scan; None before the first window.
    """

    count: int = 0
    first: int = 0
    last: int = 0
    place: int = 0
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Return whether everything was scanned."""
        return self.end is not None and self.place >= self.end


@dataclass(frozen=True, slots=True)
class BulkStep:
    """The matches to change in one step, and the last seq that is then done."""

    rows: Sequence[sqlite3.Row]
    place: int


def continue_scan(connection: sqlite3.Connection, selection: Selection, so_far: BulkScan) -> BulkScan:
    """Count the matches of the next window."""
    end = so_far.end
    if end is None:
        end = connection.execute(selection.last).fetchone()["seq"] or 0
    until_seq = min(so_far.place + COUNT_WINDOW, end)
    window = {"place": so_far.place, "until_seq": until_seq}
    row = connection.execute(selection.count, {**selection.parameters, **window}).fetchone()
    return BulkScan(
        count=so_far.count + row["n"],
        first=so_far.first or row["first"] or 0,
        last=row["last"] or so_far.last,
        place=until_seq,
        end=end,
    )


def start(
    transaction: Transaction, actions: Sequence[str], columns: Mapping[str, Any], matches: BulkScan
) -> int | BulkLimitReached:
    """Store a bulk change, which reaches from the first match to the last; return the number of matches.

    ``actions`` share one queue, and one limit.
    """
    connection = transaction.connection
    under_way = connection.execute(SQL["count_bulk_changes"], _queue(actions)).fetchone()["n"]
    if under_way >= MAX_BULK_CHANGES:
        return BulkLimitReached(under_way)
    span = {"place": matches.first - 1, "last": matches.last}
    connection.execute(SQL["add_bulk_change"], {**dict.fromkeys(_COLUMNS), **columns, **span})
    return matches.count


def oldest(connection: sqlite3.Connection, actions: Sequence[str]) -> sqlite3.Row | None:
    """Return the bulk change to work on, None if none is under way."""
    row: sqlite3.Row | None = connection.execute(SQL["oldest_bulk_change"], _queue(actions)).fetchone()
    return row


def read_step(connection: sqlite3.Connection, row: sqlite3.Row, selection: Selection, limit: int) -> BulkStep:
    """Read the next matches of a bulk change, in its next window."""
    until_seq = min(row["place"] + SCAN_LIMIT, row["last"])
    window = {"place": row["place"], "until_seq": until_seq, "limit": limit}
    rows = connection.execute(selection.next, {**selection.parameters, **window}).fetchall()
    return BulkStep(rows, rows[-1]["seq"] if len(rows) == limit else until_seq)


def record_step(connection: sqlite3.Connection, row: sqlite3.Row, step: BulkStep) -> None:
    """Move a bulk change behind what was done; end it if that was all."""
    statement = SQL["end_bulk_change" if step.place >= row["last"] else "move_bulk_change"]
    connection.execute(statement, {"seq": row["seq"], "place": step.place})


def _queue(actions: Sequence[str]) -> Mapping[str, str]:
    return {"actions": json.dumps(actions)}
