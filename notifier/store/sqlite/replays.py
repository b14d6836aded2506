"""Replays: send ended deliveries again, some at a time. A replay under way is a row and survives a restart.

Deliveries are scanned by their seq in windows, so that a step reads a bounded part of the table, however few
of its rows match.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifier.core.formats.urls import url_to_endpoint
from notifier.core.model import DeliveryState
from notifier.core.states import DELIVERY_TABLE, DeliveryAction
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.state_changes import DELIVERY_CHANGES
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import MAX_REPLAYS, ReplayLimitReached, ReplayQuery

# Rows of one step of the count. Others read between the steps. No record of why this number; changing it
# needs a measurement.
COUNT_WINDOW = 50_000

# Rows of one step of the replay, which holds the writer. Others write between the steps. No record of why
# this number; changing it needs a measurement.
SCAN_LIMIT = 5_000


@dataclass(frozen=True, slots=True)
class ReplayScan:
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


def continue_scan(connection: sqlite3.Connection, query: ReplayQuery, so_far: ReplayScan) -> ReplayScan:
    """Scan the next window. Pending deliveries do not match, because they are sent anyway."""
    end = so_far.end
    if end is None:
        end = connection.execute(SQL["last_delivery"]).fetchone()["seq"] or 0
    until_seq = min(so_far.place + COUNT_WINDOW, end)
    window = {"place": so_far.place, "until_seq": until_seq}
    row = connection.execute(
        SQL[_by_state_or_url(query, "count_to_replay", "count_to_replay_to")], {**_filters(query), **window}
    ).fetchone()
    return ReplayScan(
        count=so_far.count + row["n"],
        first=so_far.first or row["first"] or 0,
        last=row["last"] or so_far.last,
        place=until_seq,
        end=end,
    )


def start(
    transaction: Transaction, query: ReplayQuery, matches: ReplayScan, *, now: int
) -> int | ReplayLimitReached:
    """Store the replay, which reaches from the first match to the last; return the number of matches."""
    connection = transaction.connection
    under_way = connection.execute(SQL["count_replays"]).fetchone()["n"]
    if under_way >= MAX_REPLAYS:
        return ReplayLimitReached(under_way)
    values = {"since": query.since, "until": query.until, "state": query.state, "url": query.url}
    span = {"place": matches.first - 1, "last": matches.last}
    connection.execute(SQL["add_replay"], {"now": now, **values, **span})
    return matches.count


def replay_some(transaction: Transaction, *, now: int, give_up_at: int, limit: int) -> int | None:
    """See ``Store``. It returns 0 if a window holds no match, though the replay goes on."""
    connection = transaction.connection
    row = connection.execute(SQL["oldest_replay"]).fetchone()
    if row is None:
        return None
    until_seq = min(row["place"] + SCAN_LIMIT, row["last"])
    seqs = _next_seqs(connection, row, until_seq, limit)
    _send_again(connection, seqs, now, give_up_at)
    place = seqs[-1] if len(seqs) == limit else until_seq
    step = "end_replay" if place >= row["last"] else "move_replay"
    connection.execute(SQL[step], {"seq": row["seq"], "place": place})
    if seqs:
        transaction.changes.many()
    return len(seqs)


def _next_seqs(connection: sqlite3.Connection, row: sqlite3.Row, until_seq: int, limit: int) -> list[int]:
    query = _row_to_query(row)
    window = {"place": row["place"], "until_seq": until_seq, "limit": limit}
    rows = connection.execute(
        SQL[_by_state_or_url(query, "next_to_replay", "next_to_replay_to")], {**_filters(query), **window}
    )
    return [each["seq"] for each in rows]


def _send_again(connection: sqlite3.Connection, seqs: list[int], now: int, give_up_at: int) -> None:
    values = {
        "seqs": json.dumps(seqs),
        "now": now,
        "give_up_at": give_up_at,
        **DELIVERY_CHANGES[DeliveryAction.REPLAY],
    }
    rows = connection.execute(SQL["replay"], values).fetchall()
    for endpoint_seq in {row["endpoint_seq"] for row in rows}:
        connection.execute(SQL["make_endpoint_due"], {"endpoint_seq": endpoint_seq, "due_at": now})


def _row_to_query(row: sqlite3.Row) -> ReplayQuery:
    state = None if row["state"] is None else DeliveryState(row["state"])
    return ReplayQuery(row["since"], row["until"], state, row["url"])


def _by_state_or_url(query: ReplayQuery, by_state: str, by_url: str) -> str:
    """Choose the statement: one scans the deliveries of a state, the other those of an endpoint."""
    return by_state if query.url is None else by_url


def _filters(query: ReplayQuery) -> Mapping[str, Any]:
    allowed = {state for state, action in DELIVERY_TABLE if action is DeliveryAction.REPLAY}
    states = allowed if query.state is None else allowed & {query.state}
    return {
        "states": json.dumps(sorted(states)),
        "since": query.since,
        "until": query.until,
        "url": query.url,
        "endpoint": None if query.url is None else url_to_endpoint(query.url),
    }
