"""The registration of watches: a new watch, or callbacks added to an existing one."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from notifier.core.ids import WATCH
from notifier.core.model import MAX_CALLBACKS, Callback, NewWatch, Watch, WatchState
from notifier.core.polling.first_poll import FirstPoll, schedule_first_poll
from notifier.store.sqlite.deliveries import add_deliveries
from notifier.store.sqlite.durations import read_durations, read_first_wait
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import callbacks_to_json, row_to_event, row_to_watch
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import (
    MAX_PAGE_BYTES,
    CallbackLimitReached,
    WatchAdded,
    WatchLimitReached,
    count_row_bytes,
)


def add_watches(
    transaction: Transaction, new: Sequence[NewWatch], *, give_up_at: int, max_live: int
) -> list[WatchAdded | WatchLimitReached | CallbackLimitReached]:
    """See ``Store``."""
    outcomes: list[WatchAdded | WatchLimitReached | CallbackLimitReached] = []
    size = 0
    for entry in new:
        outcome = _add(transaction, entry, give_up_at, max_live)
        if isinstance(outcome, WatchAdded):
            size += count_row_bytes(outcome.watch)
            if size > MAX_PAGE_BYTES and outcome.watch.outputs:
                outcome = replace(outcome, watch=replace(outcome.watch, outputs=()), is_cut=True)
        outcomes.append(outcome)
    for outcome in outcomes:
        if isinstance(outcome, WatchAdded):
            transaction.changes.watch(outcome.watch.id)
            if outcome.watch.ended_at is not None:
                transaction.changes.deliveries_of(outcome.watch.id)
    return outcomes


def count_entries(new: Sequence[NewWatch], *, give_up_at: int, max_live: int) -> int:
    """Count the rows that ``add_watches`` is about; it takes the same arguments."""
    return len(new)


def _add(
    transaction: Transaction, new: NewWatch, give_up_at: int, max_live: int
) -> WatchAdded | WatchLimitReached | CallbackLimitReached:
    connection = transaction.connection
    names = {"provider": new.provider, "api_path": new.api_path, "task_id": new.task_id}
    row = connection.execute(SQL["names_before_adding"], names).fetchone()
    if row["watch_seq"] is not None:
        return _add_callbacks(transaction, row["watch_seq"], new, give_up_at)
    if row["live"] >= max_live:
        return WatchLimitReached(row["live"])
    callbacks = _new_callbacks((), new.callbacks)
    if len(callbacks) > MAX_CALLBACKS:
        return CallbackLimitReached(len(callbacks))
    provider_seq, api_path_seq = row["provider_seq"], row["api_path_seq"]
    if provider_seq is None:
        (provider_seq,) = connection.execute(SQL["add_provider"], {"name": new.provider}).fetchone()
    if api_path_seq is None:
        (api_path_seq,) = connection.execute(SQL["add_api_path"], {"path": new.api_path}).fetchone()
    first_poll = _schedule_first_poll(connection, new, row)
    watch = _build_watch(new, callbacks, transaction.ids(WATCH, new.registered_at), first_poll.at)
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
            "first_poll_from": new.first_poll_at if first_poll.is_deferred else None,
            "traceparent": watch.traceparent,
            "poll_origin": watch.poll_origin or None,
        },
    )
    return WatchAdded(watch, is_new=True)


def _schedule_first_poll(connection: sqlite3.Connection, new: NewWatch, row: sqlite3.Row) -> FirstPoll:
    """Schedule the first poll by the learned durations in ``row``, and count a task that waits."""
    wait = read_first_wait(row)
    first_poll = schedule_first_poll(
        read_durations(row),
        wait,
        registered_at=new.registered_at,
        earliest=new.first_poll_at,
        latest=new.first_poll_by,
    )
    if first_poll.waiting_count != wait.waiting_count:
        names = {"provider": new.provider, "api_path": new.api_path}
        connection.execute(SQL["count_waiting"], {**names, "waiting": first_poll.waiting_count})
    return first_poll


def _build_watch(new: NewWatch, callbacks: tuple[Callback, ...], watch_id: str, due_at: int) -> Watch:
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
        due_at=due_at,
        traceparent=new.traceparent,
        poll_origin=new.poll_origin,
    )


def _add_callbacks(
    transaction: Transaction, seq: int, new: NewWatch, give_up_at: int
) -> WatchAdded | CallbackLimitReached:
    """Add the callbacks with a new URL to a watch, and deliver its event to them if it has ended."""
    connection = transaction.connection
    row = connection.execute(SQL["watch_by_seq"], {"seq": seq}).fetchone()
    watch = row_to_watch(row)
    added = _new_callbacks(watch.callbacks, new.callbacks)
    if not added:
        return WatchAdded(watch, is_new=False)
    if len(watch.callbacks) + len(added) > MAX_CALLBACKS:
        return CallbackLimitReached(len(watch.callbacks) + len(added))
    watch = replace(watch, callbacks=watch.callbacks + added)
    connection.execute(SQL["set_callbacks"], {"seq": seq, "callbacks": callbacks_to_json(watch.callbacks)})
    event = connection.execute(SQL["event_of_round"], {"watch_seq": seq, "round": watch.round}).fetchone()
    if event is not None:
        add_deliveries(
            transaction,
            row_to_event(event, watch.id),
            event["seq"],
            added,
            due_at=new.registered_at,
            give_up_at=give_up_at,
        )
    return WatchAdded(watch, is_new=False)


def _new_callbacks(existing: Sequence[Callback], requested: Sequence[Callback]) -> tuple[Callback, ...]:
    """Return the requested callbacks with a URL that does not exist yet, the first of each URL."""
    first_by_url = {callback.url: callback for callback in reversed(requested)}
    existing_urls = {callback.url for callback in existing}
    in_order = dict.fromkeys(callback.url for callback in requested)
    return tuple(first_by_url[url] for url in in_order if url not in existing_urls)
