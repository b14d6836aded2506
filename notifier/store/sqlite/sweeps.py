"""Sweeps: change all waiting deliveries of an endpoint, some at a time, so that other writes go on.

A sweep wakes them when the gate of the endpoint opens, or gives them up for a user. One under way is a row
and survives a restart. The claims of deliveries continue it, because they come soon and often.
"""

import json
import sqlite3
from enum import StrEnum
from typing import Any

from notifier.core.delivery.decision import USER_REASON
from notifier.core.states import DeliveryAction
from notifier.store.sqlite.endpoint_queue import enqueue
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.state_changes import DELIVERY_CHANGES
from notifier.store.sqlite.transactions import Transaction

# Deliveries of one step, for which other writes wait. Trade-off: about 25 ms, and 100 000 take some seconds.
SWEEP_STEP = 2_000


class SweepAction(StrEnum):
    """What a sweep does with each waiting delivery."""

    WAKE = "wake"
    GIVE_UP = "give_up"


def start_sweep(
    transaction: Transaction, endpoint_seq: int, action: SweepAction, *, now: int, most_attempts: int = 0
) -> None:
    """Change all deliveries that wait now: do the first step, and leave the others to ``continue_sweep``.

    A wake passes over deliveries with more attempts than ``most_attempts``.
    """
    connection = transaction.connection
    last = connection.execute(SQL["last_waiting"], {"endpoint_seq": endpoint_seq}).fetchone()["seq"]
    if last is None:
        return
    values = {"endpoint_seq": endpoint_seq, "action": action, "last": last, "most_attempts": most_attempts}
    place = _step(transaction, {**values, "place": 0}, now)
    if place is not None:
        connection.execute(SQL["add_sweep"], {**values, "place": place})


def continue_sweep(transaction: Transaction, *, now: int) -> bool:
    """Do the next step of the oldest sweep; return whether a sweep is under way after it."""
    connection = transaction.connection
    row = connection.execute(SQL["oldest_sweep"]).fetchone()
    if row is None:
        return False
    place = _step(transaction, dict(row), now)
    if place is None:
        connection.execute(SQL["end_sweep"], {"seq": row["seq"]})
    else:
        connection.execute(SQL["move_sweep"], {"seq": row["seq"], "place": place})
    enqueue(connection, row["endpoint_seq"], now)
    return place is not None or connection.execute(SQL["oldest_sweep"]).fetchone() is not None


def _step(transaction: Transaction, sweep: dict[str, Any], now: int) -> int | None:
    """Change the next deliveries; return where the next step starts, None after the last one."""
    connection = transaction.connection
    rows = connection.execute(SQL["next_to_sweep"], {**sweep, "limit": SWEEP_STEP}).fetchall()
    seqs = [row["seq"] for row in rows]
    if sweep["action"] == SweepAction.WAKE:
        _wake(connection, seqs, sweep["most_attempts"], now)
    else:
        _give_up(transaction, seqs, now)
    return seqs[-1] if len(seqs) == SWEEP_STEP else None


def _wake(connection: sqlite3.Connection, seqs: list[int], most_attempts: int, now: int) -> None:
    values = {"seqs": json.dumps(seqs), "most_attempts": most_attempts, "now": now}
    connection.execute(SQL["make_deliveries_due"], values)


def _give_up(transaction: Transaction, seqs: list[int], now: int) -> None:
    values = {"seqs": json.dumps(seqs), "now": now, "reason": USER_REASON}
    transaction.connection.execute(
        SQL["give_up_by_user"], {**values, **DELIVERY_CHANGES[DeliveryAction.GIVE_UP]}
    )
    if seqs:
        transaction.changes.many()
