"""Stop or resume all watches that match, some at a time (``bulk.py``)."""

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import replace

from notifier.core.model import Watch, WatchState
from notifier.core.states import WATCH_TABLE, WatchAction
from notifier.store.sqlite import bulk, watches
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import (
    BulkLimitReached,
    ChangeRefused,
    WatchChange,
    WatchesChanged,
    WatchLimitReached,
)

ACTIONS = (WatchAction.STOP, WatchAction.RESUME)


def limit_to_ended(change: WatchChange, now: int) -> WatchChange:
    """Leave watches that end later out of a resume, so that it resumes none that it has not counted."""
    if change.action is not WatchAction.RESUME:
        return change
    return replace(change, until=now + 1 if change.until is None else min(change.until, now + 1))


def continue_scan(
    connection: sqlite3.Connection, change: WatchChange, providers: Collection[str], so_far: bulk.BulkScan
) -> bulk.BulkScan:
    """Scan the next window. ``providers`` are those whose watches can be resumed."""
    return bulk.continue_scan(connection, _select(change, providers), so_far)


def start(
    transaction: Transaction, change: WatchChange, matches: bulk.BulkScan, *, now: int, max_live: int
) -> int | BulkLimitReached | WatchLimitReached:
    """Store the bulk change, unless it would resume more watches than may be live."""
    if change.action is WatchAction.RESUME:
        (live,) = transaction.connection.execute(SQL["live_watches"]).fetchone()
        if live + matches.count > max_live:
            return WatchLimitReached(live)
    columns = {
        "action": change.action,
        "now": now,
        "since": change.since,
        "until": change.until,
        "state": change.state,
        "provider": change.provider,
        "api_path": change.api_path,
        "expire_after_ms": change.expire_after_ms,
    }
    return bulk.start(transaction, ACTIONS, columns, matches)


def change_some(
    transaction: Transaction, *, now: int, expire_after_ms: Mapping[str, int], max_live: int, limit: int
) -> WatchesChanged | None:
    """See ``Store``."""
    connection = transaction.connection
    row = bulk.oldest(connection, ACTIONS)
    if row is None:
        return None
    change = _row_to_change(row)
    step = bulk.read_step(connection, row, _select(change, expire_after_ms), limit)

    def change_one(match: sqlite3.Row) -> Watch | ChangeRefused | WatchLimitReached:
        if change.action is WatchAction.STOP:
            return watches.stop_watch(transaction, match["id"], now=now)
        wait_ms = change.expire_after_ms or expire_after_ms[match["provider"]]
        return watches.resume_watch(
            transaction, match["id"], now=now, expires_at=now + wait_ms, max_live=max_live
        )

    results = [change_one(each) for each in step.rows]
    bulk.record_step(connection, row, step)
    ids = tuple(result.id for result in results if isinstance(result, Watch))
    return WatchesChanged(ids, refused=len(results) - len(ids))


def _row_to_change(row: sqlite3.Row) -> WatchChange:
    return WatchChange(
        action=WatchAction(row["action"]),
        since=row["since"],
        until=row["until"],
        state=None if row["state"] is None else WatchState(row["state"]),
        provider=row["provider"],
        api_path=row["api_path"],
        expire_after_ms=row["expire_after_ms"],
    )


def _select(change: WatchChange, configured: Collection[str]) -> bulk.Selection:
    """Choose the watches that the action changes. A stopped watch may be stopped, but stays as it is."""
    allowed = {
        before
        for (before, action), after in WATCH_TABLE.items()
        if action is change.action and after is not before
    }
    return bulk.Selection(
        last=SQL["last_watch"],
        count=SQL["count_watches_to_change"],
        next=SQL["next_watches_to_change"],
        parameters={
            "states": json.dumps(sorted(allowed if change.state is None else allowed & {change.state})),
            "providers": _select_providers(change, configured),
            "since": change.since,
            "until": change.until,
            "api_path": change.api_path,
        },
    )


def _select_providers(change: WatchChange, configured: Collection[str]) -> str | None:
    """Return the names of the providers as JSON, None for all. Only configured ones can be polled again."""
    if change.action is WatchAction.STOP:
        return None if change.provider is None else json.dumps([change.provider])
    return json.dumps([name for name in configured if change.provider in {None, name}])
