"""The verbs on deliveries: functions over a transaction, or over a connection if they only read."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, assert_never

from notifier.core.delivery.backoff import SOON_ATTEMPTS
from notifier.core.delivery.decision import USER_REASON, AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import (
    AttemptResult,
    describe_hold,
    is_unblocked,
    judge_origin,
    record_result,
)
from notifier.core.formats.urls import url_to_endpoint, url_to_origin
from notifier.core.ids import DELIVERY, ENDPOINT
from notifier.core.model import Attempt, Callback, ClaimedDelivery, Delivery, DeliveryState, Event
from notifier.core.states import DeliveryAction, next_delivery_state
from notifier.store.sqlite.endpoint_queue import enqueue, make_due
from notifier.store.sqlite.endpoints import row_to_health, write_health
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import (
    END_OF_TIME,
    headers_to_json,
    row_to_attempt,
    row_to_body,
    row_to_delivery,
)
from notifier.store.sqlite.state_changes import DELIVERY_CHANGES
from notifier.store.sqlite.sweeps import SweepAction, start_sweep
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import MAX_DELIVERIES, AttemptRecorded, ChangeRefused, DeliveryDetail, Lease


def add_deliveries(
    transaction: Transaction,
    event: Event,
    event_seq: int,
    callbacks: Iterable[Callback],
    *,
    due_at: int,
    give_up_at: int,
) -> None:
    """Create a delivery of the event for each callback that subscribes to it."""
    for callback in callbacks:
        if event.type not in callback.events:
            continue
        endpoint_seq = _endpoint_seq(transaction, callback.url, due_at)
        transaction.connection.execute(
            SQL["add_delivery"],
            {
                "id": transaction.ids(DELIVERY, due_at),
                "event_seq": event_seq,
                "endpoint_seq": endpoint_seq,
                "url": callback.url,
                "headers": headers_to_json(callback.headers),
                "urgency": END_OF_TIME if event.result_expires_at is None else event.result_expires_at,
                "due_at": due_at,
                "give_up_at": give_up_at,
            },
        )
        make_due(transaction.connection, endpoint_seq, due_at)


def _endpoint_seq(transaction: Transaction, url: str, at: int) -> int:
    connection = transaction.connection
    endpoint = url_to_endpoint(url)
    row = connection.execute(SQL["endpoint"], {"url": endpoint}).fetchone()
    if row is None:
        origin = url_to_origin(url)
        connection.execute(SQL["add_origin"], {"name": origin})
        values = {"id": transaction.ids(ENDPOINT, at), "url": endpoint, "origin": origin}
        row = connection.execute(SQL["add_endpoint"], values).fetchone()
    return int(row["seq"])


def record_attempt(
    transaction: Transaction,
    delivery: ClaimedDelivery,
    lease: Lease,
    attempt: Attempt,
    decision: AttemptDecision,
    report: AttemptResult,
    *,
    now: int,
) -> AttemptRecorded | None:
    """See ``Store``."""
    connection = transaction.connection
    decision = _with_fresh_budget(connection, delivery, decision, now)
    values = {"id": delivery.delivery_id, "owner": lease.owner, "number": delivery.number}
    row = connection.execute(
        SQL["record_attempt"], {**values, **_columns_after(attempt, decision, now)}
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        SQL["add_attempt"],
        {
            "delivery_seq": row["seq"],
            "number": delivery.number,
            "at": attempt.at,
            "duration_ms": attempt.duration_ms,
            "status": attempt.status,
            "error": attempt.error,
            "answer": attempt.answer,
            "fault": attempt.failure,
            "peer": attempt.peer,
            "connect_ms": attempt.connect_ms,
            "first_byte_ms": attempt.first_byte_ms,
        },
    )
    if isinstance(decision, Retry):
        make_due(connection, row["endpoint_seq"], decision.due_at)
    transaction.changes.delivery(delivery.delivery_id)
    return _report(transaction, row["endpoint_seq"], delivery, report, now)


def _with_fresh_budget(
    connection: sqlite3.Connection, delivery: ClaimedDelivery, decision: AttemptDecision, now: int
) -> AttemptDecision:
    """Retry instead of giving up if a user redelivered while this attempt was under way."""
    if not isinstance(decision, GiveUp):
        return decision
    row = connection.execute(SQL["delivery"], {"id": delivery.delivery_id}).fetchone()
    is_redelivered = row is not None and row["give_up_at"] > max(delivery.give_up_at, now)
    return Retry(now) if is_redelivered else decision


def _report(
    transaction: Transaction,
    endpoint_seq: int,
    delivery: ClaimedDelivery,
    report: AttemptResult,
    now: int,
) -> AttemptRecorded:
    """Record the result at the endpoint, and whether its origin is trusted.

    When the gate opens, all deliveries behind it become due.
    """
    connection = transaction.connection
    row = connection.execute(SQL["endpoint_by_seq"], {"endpoint_seq": endpoint_seq}).fetchone()
    before = row_to_health(row)
    is_repeat = delivery.refusals > 0 or delivery.has_accepted_others
    health = record_result(before, report, now, is_probe=delivery.is_probe, is_repeat=is_repeat)
    is_trusted = judge_origin(report)
    if is_trusted is not None and is_trusted != bool(row["is_trusted"]):
        trust = {"origin_seq": row["origin_seq"], "is_trusted": int(is_trusted)}
        connection.execute(SQL["trust_origin"], trust)
    if health == before and health.concurrency is None:
        return AttemptRecorded(row["id"])
    if health != before:
        write_health(connection, endpoint_seq, health)
    if is_unblocked(before, health):
        start_sweep(transaction, endpoint_seq, SweepAction.WAKE, now=now, most_attempts=SOON_ATTEMPTS)
    enqueue(connection, endpoint_seq, now)
    is_changed = is_unblocked(before, health) or is_unblocked(health, before)
    return AttemptRecorded(row["id"], health if is_changed else None)


def _columns_after(attempt: Attempt, decision: AttemptDecision, now: int) -> dict[str, Any]:
    ended = {"due_at": None, "ended_at": now, "is_refusal": 0}
    match decision:
        case Delivered():
            return {**ended, **DELIVERY_CHANGES[DeliveryAction.DELIVER], "last_error": None}
        case Retry(due_at=due_at, is_refusal=is_refusal):
            error = attempt.error or f"HTTP {attempt.status}"
            waiting = {"due_at": due_at, "ended_at": None, "is_refusal": int(is_refusal)}
            return {**waiting, **DELIVERY_CHANGES[DeliveryAction.RETRY], "last_error": error}
        case GiveUp(reason=reason):
            return {**ended, **DELIVERY_CHANGES[DeliveryAction.GIVE_UP], "last_error": reason}
        case _:
            assert_never(decision)


def redeliver(
    transaction: Transaction, delivery_id: str, *, now: int, give_up_at: int
) -> Delivery | ChangeRefused:
    """See ``Store``. A delivery in flight keeps its claim and gets the new ``give_up_at`` only."""
    connection = transaction.connection
    values = {
        "id": delivery_id,
        "now": now,
        "give_up_at": give_up_at,
        **DELIVERY_CHANGES[DeliveryAction.REDELIVER],
    }
    row = connection.execute(SQL["redeliver"], values).fetchone()
    if row is None:
        return ChangeRefused.UNKNOWN_ID
    if row["is_waiting"]:
        connection.execute(SQL["queue_endpoint_first"], {"endpoint_seq": row["endpoint_seq"]})
    transaction.changes.delivery(delivery_id)
    return row_to_delivery(connection.execute(SQL["delivery"], {"id": delivery_id}).fetchone())


def give_up(transaction: Transaction, delivery_id: str, *, now: int) -> Delivery | ChangeRefused:
    """See ``Store.give_up_delivery``. An attempt in flight loses its claim, so its result is not recorded."""
    connection = transaction.connection
    row = connection.execute(SQL["delivery"], {"id": delivery_id}).fetchone()
    if row is None:
        return ChangeRefused.UNKNOWN_ID
    if next_delivery_state(DeliveryState(row["state"]), DeliveryAction.GIVE_UP) is None:
        is_dead = row["state"] == DeliveryState.DEAD
        return row_to_delivery(row) if is_dead else ChangeRefused.CONFLICT
    values = {"seqs": json.dumps([row["seq"]]), "now": now, "reason": USER_REASON}
    connection.execute(SQL["give_up_by_user"], {**values, **DELIVERY_CHANGES[DeliveryAction.GIVE_UP]})
    enqueue(connection, row["endpoint_seq"], now)
    transaction.changes.delivery(delivery_id)
    return row_to_delivery(connection.execute(SQL["delivery"], {"id": delivery_id}).fetchone())


def delivery_detail(connection: sqlite3.Connection, delivery_id: str) -> DeliveryDetail | None:
    """See ``Store.delivery``."""
    row = connection.execute(SQL["delivery"], {"id": delivery_id}).fetchone()
    if row is None:
        return None
    attempts = connection.execute(SQL["attempts"], {"delivery_seq": row["seq"]})
    return DeliveryDetail(delivery_in_full(connection, row), tuple(map(row_to_attempt, attempts)))


def delivery_in_full(connection: sqlite3.Connection, row: sqlite3.Row) -> Delivery:
    """Read a row of ``delivery_rows``, with what holds it back.

    Nothing holds back a delivery that is forced or in flight.
    """
    delivery = row_to_delivery(row)
    if row["due_at"] is None or row["is_forced"]:
        return delivery
    endpoint = connection.execute(SQL["endpoint_by_seq"], {"endpoint_seq": row["endpoint_seq"]}).fetchone()
    return replace(delivery, held=describe_hold(row_to_health(endpoint)))


def message(connection: sqlite3.Connection, delivery_id: str) -> bytes | None:
    """See ``Store.message``."""
    row = connection.execute(SQL["delivery_body"], {"id": delivery_id}).fetchone()
    return None if row is None else row_to_body(row)


def deliveries_of_watch(connection: sqlite3.Connection, watch_seq: int) -> tuple[Delivery, ...]:
    """List the newest deliveries of a watch, oldest first."""
    values = {"watch_seq": watch_seq, "limit": MAX_DELIVERIES}
    rows = connection.execute(SQL["deliveries_of_watch"], values).fetchall()
    return tuple(delivery_in_full(connection, row) for row in rows)
