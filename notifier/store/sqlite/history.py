"""The timeline of a watch: the entries that are stored beside it, and all that the timeline shows."""

import sqlite3

from notifier.core.model import Attempt
from notifier.core.timeline import MAX_ACTIONS, MAX_POLLS, RoundEnd, TimelineEntry, TimelineKind, WatchHistory
from notifier.store.sqlite.deliveries import delivery_in_full
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import row_to_attempt, row_to_watch

MAX_TIMELINE_DELIVERIES = 64  # the newest, with up to 50 attempts each: 3 000 lines of some 200 bytes
MAX_ROUNDS = 500  # of the newest; a user resumes a watch by hand, and some thousand rounds are no use case


def record_poll(connection: sqlite3.Connection, watch_seq: int, number: int, at: int, text: str) -> None:
    """Store the entry of the ``number``-th poll in place of the one ``MAX_POLLS`` before it."""
    _write_slot(connection, watch_seq, number % MAX_POLLS, TimelineEntry(at, TimelineKind.POLL, text))


def record_action(connection: sqlite3.Connection, watch_seq: int, number: int, entry: TimelineEntry) -> None:
    """Store what a user did; ``number`` counts these actions."""
    _write_slot(connection, watch_seq, MAX_POLLS + number % MAX_ACTIONS, entry)


def read_history(connection: sqlite3.Connection, watch_id: str) -> WatchHistory | None:
    """See ``Store.history``."""
    row = connection.execute(SQL["watch"], {"id": watch_id}).fetchone()
    if row is None:
        return None
    of_watch = {"watch_seq": row["seq"], "limit": MAX_ROUNDS}
    round_ends = connection.execute(SQL["round_ends"], of_watch)
    newest = of_watch | {"limit": MAX_TIMELINE_DELIVERIES}
    deliveries = connection.execute(SQL["deliveries_of_watch"], newest).fetchall()
    return WatchHistory(
        watch=row_to_watch(row),
        entries=tuple(map(_row_to_entry, connection.execute(SQL["timeline_entries"], of_watch))),
        round_ends=tuple(RoundEnd(each["at"], each["type"]) for each in round_ends),
        deliveries=tuple(
            (delivery_in_full(connection, each), _attempts(connection, each["seq"])) for each in deliveries
        ),
    )


def _write_slot(connection: sqlite3.Connection, watch_seq: int, slot: int, entry: TimelineEntry) -> None:
    place = {"watch_seq": watch_seq, "slot": slot}
    connection.execute(
        SQL["write_timeline_entry"], {**place, "at": entry.at, "kind": entry.kind, "text": entry.text}
    )


def _row_to_entry(row: sqlite3.Row) -> TimelineEntry:
    return TimelineEntry(row["at"], TimelineKind(row["kind"]), row["text"])


def _attempts(connection: sqlite3.Connection, delivery_seq: int) -> tuple[Attempt, ...]:
    rows = connection.execute(SQL["attempts"], {"delivery_seq": delivery_seq})
    return tuple(map(row_to_attempt, rows))
