"""Replays: send ended deliveries again, some at a time (``bulk.py``)."""

import json
import sqlite3
from collections.abc import Sequence

from notifier.core.formats.urls import url_to_endpoint
from notifier.core.model import DeliveryState
from notifier.core.states import DELIVERY_TABLE, DeliveryAction
from notifier.store.sqlite import bulk
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.state_changes import DELIVERY_CHANGES
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import BulkLimitReached, ReplayQuery

ACTIONS = (DeliveryAction.REPLAY,)


def continue_scan(connection: sqlite3.Connection, query: ReplayQuery, so_far: bulk.BulkScan) -> bulk.BulkScan:
    """Scan the next window. Pending deliveries do not match, because they are sent anyway."""
    return bulk.continue_scan(connection, _select(query), so_far)


def start(
    transaction: Transaction, query: ReplayQuery, matches: bulk.BulkScan, *, now: int
) -> int | BulkLimitReached:
    """Store the replay; return the number of matches."""
    columns = {"since": query.since, "until": query.until, "state": query.state, "url": query.url}
    return bulk.start(transaction, ACTIONS, {"action": DeliveryAction.REPLAY, "now": now, **columns}, matches)


def replay_some(transaction: Transaction, *, now: int, give_up_at: int, limit: int) -> int | None:
    """See ``Store``. It returns 0 if a window holds no match, though the replay goes on."""
    connection = transaction.connection
    row = bulk.oldest(connection, ACTIONS)
    if row is None:
        return None
    step = bulk.read_step(connection, row, _select(_row_to_query(row)), limit)
    _send_again(connection, [each["seq"] for each in step.rows], now, give_up_at)
    bulk.record_step(connection, row, step)
    if step.rows:
        transaction.changes.many()
    return len(step.rows)


def _send_again(connection: sqlite3.Connection, seqs: Sequence[int], now: int, give_up_at: int) -> None:
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


def _select(query: ReplayQuery) -> bulk.Selection:
    """Choose the statements: some scan the deliveries of a state, the others those of an endpoint."""
    allowed = {state for state, action in DELIVERY_TABLE if action is DeliveryAction.REPLAY}
    states = allowed if query.state is None else allowed & {query.state}
    is_by_state = query.url is None
    return bulk.Selection(
        last=SQL["last_delivery"],
        count=SQL["count_to_replay" if is_by_state else "count_to_replay_to"],
        next=SQL["next_to_replay" if is_by_state else "next_to_replay_to"],
        parameters={
            "states": json.dumps(sorted(states)),
            "since": query.since,
            "until": query.until,
            "url": query.url,
            "endpoint": None if query.url is None else url_to_endpoint(query.url),
        },
    )
