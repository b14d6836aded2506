"""The verbs on watches: functions over a transaction, or over a connection if they only read."""

import sqlite3
from typing import Any

from notifier.core import event_body
from notifier.core.formats.times import format_instant
from notifier.core.model import Event, Watch, WatchState
from notifier.core.polling.decision import EndWatch, PollAgain, describe_wait
from notifier.core.states import WatchAction, end_to_action, next_watch_state
from notifier.core.timeline import TimelineEntry, TimelineKind
from notifier.store.sqlite.deliveries import add_deliveries, deliveries_of_watch
from notifier.store.sqlite.durations import record_duration
from notifier.store.sqlite.history import record_action, record_poll
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import (
    cause_to_columns,
    error_to_json,
    json_to_callbacks,
    outputs_to_json,
    row_to_event,
    row_to_watch,
)
from notifier.store.sqlite.state_changes import WATCH_CHANGES
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import (
    MAX_ROUNDS,
    ChangeRefused,
    Lease,
    WatchDetail,
    WatchLimitReached,
)


def record_wait(transaction: Transaction, watch: Watch, lease: Lease, wait: PollAgain, *, now: int) -> bool:
    """See ``Store``."""
    connection = transaction.connection
    code, params = cause_to_columns(wait.trouble.cause if wait.trouble else None)
    values = {
        **_guard(watch, lease),
        "now": now,
        "due_at": wait.due_at,
        "interval_ms": wait.interval_ms,
        "upstream_status": wait.upstream_status,
        "task_created_at": wait.task_created_at,
        "trouble": code,
        "trouble_params": params,
        "trouble_since": wait.trouble and wait.trouble.since,
        "missing": wait.missing and wait.missing.count,
        "missing_since": wait.missing and wait.missing.since,
        "failures": wait.failures,
        "paced_due_at": wait.paced_due_at,
    }
    row = None if wait.failures else connection.execute(SQL["record_wait"], values).fetchone()
    if row is None:
        row = connection.execute(SQL["record_wait_in_queue"], values).fetchone()
    if row is None:
        return False
    if wait.completion is not None:
        connection.execute(SQL["keep_completion"], {"watch_seq": row["seq"], "body": wait.completion})
    record_poll(connection, row["seq"], watch.polls, now, describe_wait(wait, now))
    is_as_before = (watch.trouble, watch.upstream_status) == (wait.trouble, wait.upstream_status)
    (transaction.changes.polled if is_as_before else transaction.changes.watch)(watch.id)
    return True


def load_completion(connection: sqlite3.Connection, watch_id: str) -> str | None:
    """See ``Store``."""
    row = connection.execute(SQL["completion_of_watch"], {"id": watch_id}).fetchone()
    return None if row is None else str(row["body"])


def record_end(
    transaction: Transaction,
    watch: Watch,
    lease: Lease,
    end: EndWatch,
    event: Event,
    *,
    now: int,
    give_up_at: int,
) -> bool:
    """See ``Store``. The callbacks come from the row, because some may have been added during the poll."""
    connection = transaction.connection
    row = connection.execute(
        SQL["record_end"],
        {
            **_guard(watch, lease),
            "now": now,
            **WATCH_CHANGES[end_to_action(end.state)],
            "is_polled": end.is_polled,
            "upstream_status": end.upstream_status,
            "task_created_at": end.task_created_at,
            "ended_at": event.at,
            "finished_at": end.finished_at,
            "outputs": outputs_to_json(end.outputs),
            "result_expires_at": end.result_expires_at,
            "error": error_to_json(end.error),
        },
    ).fetchone()
    if row is None:
        return False
    if end.is_polled:
        record_poll(connection, row["seq"], watch.polls, now, end.summary)
    connection.execute(SQL["drop_completion"], {"watch_seq": row["seq"]})
    event_seq = _add_event(connection, row["seq"], watch.round, event)
    callbacks = json_to_callbacks(row["callbacks"])
    add_deliveries(transaction, event, event_seq, callbacks, due_at=now, give_up_at=give_up_at)
    if end.duration_ms is not None:
        record_duration(transaction, watch, end.duration_ms, now=now)
    transaction.changes.watch(watch.id)
    transaction.changes.deliveries_of(watch.id)
    return True


def _add_event(connection: sqlite3.Connection, watch_seq: int, round_number: int, event: Event) -> int:
    values = {
        "id": event.id,
        "watch_seq": watch_seq,
        "round": round_number,
        "type": event.type,
        "at": event.at,
        "body": event.body,
        "result_expires_at": event.result_expires_at,
    }
    event_seq = int(connection.execute(SQL["add_event"], values).fetchone()["seq"])
    if event.payload is not None:
        connection.execute(SQL["add_payload"], {"event_seq": event_seq, "payload": event.payload})
    return event_seq


def _guard(watch: Watch, lease: Lease) -> dict[str, Any]:
    """Return the claim that a record must find unchanged, so that the first outcome wins."""
    return {"id": watch.id, "owner": lease.owner, "round": watch.round, "polls": watch.polls}


def stop_watch(transaction: Transaction, watch_id: str, *, now: int) -> Watch | ChangeRefused:
    """See ``Store``."""
    connection = transaction.connection
    row = connection.execute(
        SQL["stop_watch"], {"id": watch_id, "now": now, **WATCH_CHANGES[WatchAction.STOP]}
    ).fetchone()
    if row is not None:
        record_action(
            connection,
            row["seq"],
            2 * row["round"] + 1,
            TimelineEntry(now, TimelineKind.STOPPED, "by a user"),
        )
    return _changed(transaction, watch_id, WatchState.STOPPED)


def resume_watch(
    transaction: Transaction, watch_id: str, *, now: int, expires_at: int, max_live: int
) -> Watch | ChangeRefused | WatchLimitReached:
    """See ``Store``."""
    connection = transaction.connection
    row = _row(connection, watch_id)
    if row is None:
        return ChangeRefused.UNKNOWN_ID
    if next_watch_state(WatchState(row["state"]), WatchAction.RESUME) is None:
        return ChangeRefused.CONFLICT
    if row["round"] + 1 >= MAX_ROUNDS:
        return ChangeRefused.TOO_MANY_ROUNDS
    (live,) = connection.execute(SQL["live_watches"]).fetchone()
    if live >= max_live:
        return WatchLimitReached(live)
    values = {
        "id": watch_id,
        "now": now,
        "expires_at": expires_at,
        **WATCH_CHANGES[WatchAction.RESUME],
    }
    seq, ordinal = connection.execute(SQL["resume_watch"], values).fetchone()
    record_action(
        connection,
        seq,
        2 * ordinal,
        TimelineEntry(now, TimelineKind.RESUMED, f"by a user, until {format_instant(expires_at)}"),
    )
    return _changed(transaction, watch_id, WatchState.WATCHING)


def poll_now(transaction: Transaction, watch_id: str, *, now: int) -> Watch | ChangeRefused:
    """See ``Store``."""
    transaction.connection.execute(SQL["poll_now"], {"id": watch_id, "now": now})
    return _changed(transaction, watch_id, WatchState.WATCHING)


def _changed(transaction: Transaction, watch_id: str, state: WatchState) -> Watch | ChangeRefused:
    """Read the watch and note the change.

    It is a CONFLICT if the watch is not in the state that the change leads to.
    """
    row = _row(transaction.connection, watch_id)
    if row is None:
        return ChangeRefused.UNKNOWN_ID
    if row["state"] != state:
        return ChangeRefused.CONFLICT
    transaction.changes.watch(watch_id)
    return row_to_watch(row)


def _row(connection: sqlite3.Connection, watch_id: str) -> Any:
    return connection.execute(SQL["watch"], {"id": watch_id}).fetchone()


def watch_detail(connection: sqlite3.Connection, watch_id: str) -> WatchDetail | None:
    """See ``Store.watch``."""
    row = _row(connection, watch_id)
    if row is None:
        return None
    event = connection.execute(SQL["latest_event"], {"watch_seq": row["seq"]}).fetchone()
    return WatchDetail(
        watch=row_to_watch(row),
        event=None if event is None else row_to_event(event, watch_id),
        deliveries=deliveries_of_watch(connection, row["seq"]),
    )


def read_payload(connection: sqlite3.Connection, watch_id: str) -> bytes | None:
    """See ``Store.payload``."""
    row = connection.execute(SQL["payload_of_watch"], {"id": watch_id}).fetchone()
    if row is None:
        return None
    payload: bytes | None = row["payload"]
    return event_body.read_payload(row["body"]) if payload is None else payload


def provider_names(connection: sqlite3.Connection) -> list[str]:
    """See ``Store.providers``."""
    return [row["name"] for row in connection.execute(SQL["provider_names"])]
