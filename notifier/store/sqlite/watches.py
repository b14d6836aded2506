"""The verbs on watches: functions to be run inside a transaction or, where they read, on a snapshot."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from notifier.core.formats.times import format_instant
from notifier.core.ids import WATCH
from notifier.core.model import MAX_CALLBACKS, Callback, Event, NewWatch, Watch, WatchState
from notifier.core.polling.decision import EndWatch, PollAgain, describe_wait
from notifier.core.polling.learned_schedule import TaskDurations, first_poll_at
from notifier.core.states import WatchAction, next_watch_state
from notifier.core.timeline import TimelineEntry, TimelineKind
from notifier.store.sqlite.deliveries import add_deliveries, deliveries_of_watch
from notifier.store.sqlite.durations import learn, read_durations
from notifier.store.sqlite.history import record_action, record_poll
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import (
    callbacks_to_json,
    cause_to_columns,
    error_to_json,
    json_to_callbacks,
    outputs_to_json,
    row_to_event,
    row_to_watch,
)
from notifier.store.values import (
    CallbackLimitReached,
    ChangeRefused,
    ClaimedWatches,
    Lease,
    WatchAdded,
    WatchDetail,
    WatchLimitReached,
)


def add_watches(
    connection: sqlite3.Connection,
    new: Sequence[NewWatch],
    mint: IdSequence,
    *,
    give_up_at: int,
    max_live: int,
) -> list[WatchAdded | WatchLimitReached | CallbackLimitReached]:
    """See ``Store``."""
    return [_add(connection, entry, mint, give_up_at, max_live) for entry in new]


def _add(
    connection: sqlite3.Connection, new: NewWatch, mint: IdSequence, give_up_at: int, max_live: int
) -> WatchAdded | WatchLimitReached | CallbackLimitReached:
    names = {"provider": new.provider, "api_path": new.api_path, "task_id": new.task_id}
    found = connection.execute(SQL["before_adding"], names).fetchone()
    if found["watch_seq"] is not None:
        return _rejoin(connection, found["watch_seq"], new, mint, give_up_at)
    if found["live"] >= max_live:
        return WatchLimitReached(found["live"])
    callbacks = _gained((), new.callbacks)
    if len(callbacks) > MAX_CALLBACKS:
        return CallbackLimitReached(len(callbacks))
    provider_seq, api_path_seq = found["provider_seq"], found["api_path_seq"]
    if provider_seq is None:
        (provider_seq,) = connection.execute(SQL["add_provider"], {"name": new.provider}).fetchone()
    if api_path_seq is None:
        (api_path_seq,) = connection.execute(SQL["add_api_path"], {"path": new.api_path}).fetchone()
    watch = _watch_from(new, callbacks, mint(WATCH, new.registered_at), read_durations(found))
    connection.execute(
        SQL["add_watch"],
        {
            "id": watch.id,
            "provider_seq": provider_seq,
            "api_path_seq": api_path_seq,
            "task_id": watch.task_id,
            "callbacks": callbacks_to_json(watch.callbacks),
            "metadata": watch.metadata,
            "registered_at": watch.registered_at,
            "expires_at": watch.expires_at,
            "due_at": watch.due_at,
            "traceparent": watch.traceparent,
        },
    )
    return WatchAdded(watch, is_new=True)


def _watch_from(
    new: NewWatch, callbacks: tuple[Callback, ...], watch_id: str, durations: TaskDurations | None
) -> Watch:
    return Watch(
        id=watch_id,
        provider=new.provider,
        api_path=new.api_path,
        task_id=new.task_id,
        state=WatchState.WATCHING,
        callbacks=callbacks,
        metadata=new.metadata,
        registered_at=new.registered_at,
        expires_at=new.expires_at,
        due_at=first_poll_at(
            durations,
            registered_at=new.registered_at,
            earliest=new.first_poll_at,
            latest=new.first_poll_by,
        ),
        traceparent=new.traceparent,
    )


def _rejoin(
    connection: sqlite3.Connection, seq: int, new: NewWatch, mint: IdSequence, give_up_at: int
) -> WatchAdded | CallbackLimitReached:
    """Add to a known watch the callbacks it does not know, and tell those of an outcome that is there."""
    row = connection.execute(SQL["watch_by_seq"], {"seq": seq}).fetchone()
    watch = row_to_watch(row)
    gained = _gained(watch.callbacks, new.callbacks)
    if not gained:
        return WatchAdded(watch, is_new=False)
    if len(watch.callbacks) + len(gained) > MAX_CALLBACKS:
        return CallbackLimitReached(len(watch.callbacks) + len(gained))
    watch = replace(watch, callbacks=watch.callbacks + gained)
    connection.execute(SQL["set_callbacks"], {"seq": seq, "callbacks": callbacks_to_json(watch.callbacks)})
    event = connection.execute(SQL["event_of_round"], {"watch_seq": seq, "round": watch.round}).fetchone()
    if event is not None:
        add_deliveries(
            connection,
            row_to_event(event, watch.id),
            event["seq"],
            gained,
            mint,
            due_at=new.registered_at,
            give_up_at=give_up_at,
        )
    return WatchAdded(watch, is_new=False)


def _gained(known: Sequence[Callback], offered: Sequence[Callback]) -> tuple[Callback, ...]:
    """Those offered whose URL is not known; of two with the same URL the first."""
    first_by_url = {callback.url: callback for callback in reversed(offered)}
    known_urls = {callback.url for callback in known}
    in_order = dict.fromkeys(callback.url for callback in offered)
    return tuple(first_by_url[url] for url in in_order if url not in known_urls)


def claim_watches(
    connection: sqlite3.Connection,
    provider: str,
    *,
    now: int,
    limit: int,
    lease: Lease,
    deadline_from: int | None,
) -> ClaimedWatches:
    """See ``Store``. What is claimed shows when it was due, not when the lease ends."""
    is_by_deadline = deadline_from is not None
    due = SQL["due_watches_past_deadline" if is_by_deadline else "due_watches"]
    values = {"provider": provider, "now": now, "limit": limit, "deadline_from": deadline_from}
    rows = connection.execute(due, values).fetchall()
    if rows:
        seqs = json.dumps([row["seq"] for row in rows])
        connection.execute(SQL["claim_watches"], {"seqs": seqs, "owner": lease.owner, "until": lease.until})
    if is_by_deadline:
        return ClaimedWatches(tuple(map(row_to_watch, rows)), None)
    next_due = connection.execute(SQL["next_watch_due"], {"provider": provider, "now": now}).fetchone()
    known = {row["api_path"]: read_durations(row) for row in rows}
    return ClaimedWatches(
        tuple(map(row_to_watch, rows)),
        None if next_due is None else next_due[0],
        {api_path: durations for api_path, durations in known.items() if durations is not None},
    )


def record_wait(
    connection: sqlite3.Connection, watch: Watch, lease: Lease, wait: PollAgain, *, now: int
) -> bool:
    """See ``Store``."""
    code, params = cause_to_columns(wait.trouble.cause if wait.trouble else None)
    row = connection.execute(
        SQL["record_wait"],
        {
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
        },
    ).fetchone()
    if row is None:
        return False
    record_poll(connection, row["seq"], watch.polls, now, describe_wait(wait, now))
    return True


def record_end(
    connection: sqlite3.Connection,
    watch: Watch,
    lease: Lease,
    end: EndWatch,
    event: Event,
    *,
    mint: IdSequence,
    now: int,
    give_up_at: int,
) -> bool:
    """See ``Store``. Who is told is read from the row: callbacks may have come while we polled."""
    row = connection.execute(
        SQL["record_end"],
        {
            **_guard(watch, lease),
            "now": now,
            "state": end.state,
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
        record_poll(connection, row["seq"], watch.polls, now, end.said)
    event_seq = connection.execute(
        SQL["add_event"],
        {
            "id": event.id,
            "watch_seq": row["seq"],
            "round": watch.round,
            "type": event.type,
            "at": event.at,
            "body": event.body,
            "result_expires_at": event.result_expires_at,
        },
    ).fetchone()["seq"]
    callbacks = json_to_callbacks(row["callbacks"])
    add_deliveries(connection, event, event_seq, callbacks, mint, due_at=now, give_up_at=give_up_at)
    if end.duration_ms is not None:
        learn(connection, watch, end.duration_ms, now=now)
    return True


def _guard(watch: Watch, lease: Lease) -> dict[str, Any]:
    """The claim that a record must still find: the first outcome wins."""
    return {"id": watch.id, "owner": lease.owner, "round": watch.round, "polls": watch.polls}


def stop_watch(connection: sqlite3.Connection, watch_id: str, *, now: int) -> Watch | ChangeRefused:
    """See ``Store``."""
    row = connection.execute(SQL["stop_watch"], {"id": watch_id, "now": now}).fetchone()
    if row is not None:
        record_action(
            connection,
            row["seq"],
            2 * row["round"] + 1,
            TimelineEntry(now, TimelineKind.STOPPED, "by a user"),
        )
    return _watch_if(connection, watch_id, WatchState.STOPPED)


def resume_watch(
    connection: sqlite3.Connection, watch_id: str, *, now: int, expires_at: int, max_live: int
) -> Watch | ChangeRefused | WatchLimitReached:
    """See ``Store``."""
    row = _row(connection, watch_id)
    if row is None:
        return ChangeRefused.NOT_FOUND
    if next_watch_state(WatchState(row["state"]), WatchAction.RESUME) is None:
        return ChangeRefused.CONFLICT
    (live,) = connection.execute(SQL["live_watches"]).fetchone()
    if live >= max_live:
        return WatchLimitReached(live)
    values = {"id": watch_id, "now": now, "expires_at": expires_at}
    seq, ordinal = connection.execute(SQL["resume_watch"], values).fetchone()
    record_action(
        connection,
        seq,
        2 * ordinal,
        TimelineEntry(now, TimelineKind.RESUMED, f"by a user, until {format_instant(expires_at)}"),
    )
    return row_to_watch(_row(connection, watch_id))


def poll_now(connection: sqlite3.Connection, watch_id: str, *, now: int) -> Watch | ChangeRefused:
    """See ``Store``."""
    connection.execute(SQL["poll_now"], {"id": watch_id, "now": now})
    return _watch_if(connection, watch_id, WatchState.WATCHING)


def _watch_if(connection: sqlite3.Connection, watch_id: str, state: WatchState) -> Watch | ChangeRefused:
    row = _row(connection, watch_id)
    if row is None:
        return ChangeRefused.NOT_FOUND
    return row_to_watch(row) if row["state"] == state else ChangeRefused.CONFLICT


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


def provider_names(connection: sqlite3.Connection) -> list[str]:
    """See ``Store.providers``."""
    return [row["name"] for row in connection.execute(SQL["provider_names"])]
