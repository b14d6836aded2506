"""Endpoints: their health in columns and as ``EndpointHealth``, and the verbs that pause and resume them."""

import json
import sqlite3
from typing import Any

from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.delivery.classify_endpoint import classify_endpoint
from notifier.core.delivery.endpoint import EndpointHealth, Suspension, lift_suspension, suspend
from notifier.store.sqlite.endpoint_queue import enqueue
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import END_OF_TIME, cause_to_columns, columns_to_cause
from notifier.store.sqlite.sweeps import SweepAction, start_sweep
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import ChangeRefused, EndpointDetail


def row_to_health(row: sqlite3.Row) -> EndpointHealth:
    """Read the health from a row of ``endpoints``."""
    gate = CircuitBreaker(
        failures=row["failures"],
        since=row["closed_at"],
        reason=columns_to_cause(row["reason"], row["reason_params"]),
        probe_at=row["probe_at"],
        probes=row["probes"],
        paused_until=row["paused_until"],
    )
    suspension = None if row["hold"] is None else Suspension(row["hold"])
    return EndpointHealth(gate, suspension, row["width"], row["accepted_at"], bool(row["is_hanging"]))


def health_to_columns(endpoint: EndpointHealth) -> dict[str, Any]:
    """Map the columns of the health to their values."""
    gate = endpoint.gate
    code, params = cause_to_columns(gate.reason)
    return {
        "failures": gate.failures,
        "closed_at": gate.since,
        "reason": code,
        "reason_params": params,
        "probe_at": gate.probe_at,
        "probes": gate.probes,
        "paused_until": gate.paused_until,
        "hold": endpoint.suspension,
        "width": endpoint.concurrency,
        "accepted_at": endpoint.accepted_at,
        "is_hanging": int(endpoint.is_hanging),
        "slot_class": classify_endpoint(endpoint),
    }


def write_health(connection: sqlite3.Connection, endpoint_seq: int, health: EndpointHealth) -> None:
    """Write the health of an endpoint."""
    connection.execute(SQL["write_health"], {"endpoint_seq": endpoint_seq, **health_to_columns(health)})


def list_details(connection: sqlite3.Connection, seqs: list[int]) -> list[EndpointDetail]:
    """Read these endpoints and count their deliveries, in the order of ``seqs``."""
    rows = connection.execute(SQL["endpoint_details"], {"seqs": json.dumps(seqs)})
    return [_row_to_detail(row) for row in rows]


def pause(transaction: Transaction, endpoint_id: str) -> EndpointDetail | ChangeRefused:
    """See ``Store.pause_endpoint``. Forced deliveries still go out; they are due already."""
    row = transaction.connection.execute(SQL["endpoint_by_id"], {"id": endpoint_id}).fetchone()
    if row is None:
        return ChangeRefused.UNKNOWN_ID
    transaction.changes.many()
    return _write_suspension(transaction.connection, row, suspend(row_to_health(row)), now=0)


def resume(transaction: Transaction, endpoint_id: str, *, now: int) -> EndpointDetail | ChangeRefused:
    """See ``Store.resume_endpoint``. Delete the endpoint if only its suspension kept it."""
    connection = transaction.connection
    row = connection.execute(SQL["endpoint_by_id"], {"id": endpoint_id}).fetchone()
    if row is None:
        return ChangeRefused.UNKNOWN_ID
    transaction.changes.many()
    start_sweep(transaction, row["seq"], SweepAction.WAKE, now=now, most_attempts=END_OF_TIME)
    detail = _write_suspension(connection, row, lift_suspension(row_to_health(row)), now=now)
    connection.execute(SQL["delete_unused_endpoint"], {"endpoint_seq": row["seq"]})
    return detail


def give_up_all(transaction: Transaction, endpoint_id: str, *, now: int) -> int | ChangeRefused:
    """See ``Store.give_up_endpoint``. Deliveries that are created from now on are not given up."""
    connection = transaction.connection
    row = connection.execute(SQL["endpoint_by_id"], {"id": endpoint_id}).fetchone()
    if row is None:
        return ChangeRefused.UNKNOWN_ID
    transaction.changes.many()
    (detail,) = list_details(connection, [row["seq"]])
    start_sweep(transaction, row["seq"], SweepAction.GIVE_UP, now=now)
    enqueue(connection, row["seq"], now)
    return detail.pending


def _write_suspension(
    connection: sqlite3.Connection, row: sqlite3.Row, health: EndpointHealth, *, now: int
) -> EndpointDetail:
    seq = row["seq"]
    write_health(connection, seq, health)
    connection.execute(SQL["requeue_endpoint"], {"endpoint_seq": seq, "now": now})
    (detail,) = list_details(connection, [seq])
    return detail


def _row_to_detail(row: sqlite3.Row) -> EndpointDetail:
    return EndpointDetail(
        id=row["id"],
        url=row["url"],
        health=row_to_health(row),
        pending=row["pending"],
        delivered=row["delivered"],
        dead=row["dead"],
        oldest_pending_at=row["oldest_pending_at"],
    )
