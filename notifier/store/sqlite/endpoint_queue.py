"""The queue of endpoints: each is due when its deliveries are, and a served one goes to the end."""

import sqlite3

from notifier.store.sqlite.queries import SQL


def enqueue(connection: sqlite3.Connection, endpoint_seq: int, now: int) -> None:
    """Put the endpoint at the end of the queue, due when its deliveries are.

    While it starts slowly and has its limit in flight, it is not due until one of them ends.
    """
    row = connection.execute(SQL["endpoint_by_seq"], {"endpoint_seq": endpoint_seq}).fetchone()
    in_flight = connection.execute(SQL["in_flight"], {"endpoint_seq": endpoint_seq}).fetchone()["n"]
    is_narrow = row["width"] is not None and in_flight >= row["width"]
    query = "unqueue_endpoint" if is_narrow and row["closed_at"] is None else "requeue_endpoint"
    connection.execute(SQL[query], {"endpoint_seq": endpoint_seq, "now": now})


def make_due(connection: sqlite3.Connection, endpoint_seq: int, due_at: int) -> None:
    """Make the endpoint due at ``due_at`` at the latest; if it is due earlier, it keeps its place."""
    connection.execute(SQL["make_endpoint_due"], {"endpoint_seq": endpoint_seq, "due_at": due_at})
