"""What keeps the store in order: totals, forgetting, clocks, claims that nobody holds any more."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from notifier.core.model import DeliveryState, WatchState
from notifier.store.interface import Counts
from notifier.store.queries import SQL

HOUR_MS = 3_600_000
LOOKED_AT = 1_000


def counts(connection: sqlite3.Connection) -> Counts:
    """See ``Store``."""
    tallies = {(row["kind"], row["state"]): row["n"] for row in connection.execute(SQL["tallies"])}
    oldest = connection.execute(SQL["oldest_pending"]).fetchone()
    return Counts(
        watches={state: tallies["watch", state] for state in WatchState},
        deliveries={state: tallies["delivery", state] for state in DeliveryState},
        oldest_pending_at=None if oldest is None else oldest["created_at"],
    )


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many went, and where to look on; ``place`` is None when all have been looked at."""

    count: int
    place: tuple[int, int] | None


FIRST_PLACE = (-(2**63), 0)


def prune(
    connection: sqlite3.Connection,
    *,
    place: tuple[int, int],
    delivered_before: int,
    dead_before: int,
    limit: int,
) -> Pruned:
    """Forget at most ``limit`` of the next watches, of which no more than a thousand are looked at."""
    ended_at, seq = place
    rows = connection.execute(
        SQL["ended_watches"],
        {
            "ended_at": ended_at,
            "seq": seq,
            "delivered_before": delivered_before,
            "dead_before": dead_before,
            "limit": LOOKED_AT,
        },
    ).fetchall()
    seqs = [row["seq"] for row in rows if row["is_forgettable"]][:limit]
    if seqs:
        connection.execute(SQL["forget_watches"], {"seqs": json.dumps(seqs)})
    last = (rows[-1]["ended_at"], rows[-1]["seq"]) if len(rows) == LOOKED_AT else None
    return Pruned(len(seqs), last)


def shift_times(connection: sqlite3.Connection, delta_ms: int) -> None:
    """See ``Store``. What tells when something happened stays; what is waited for, or counted from, moves."""
    values = {"delta": delta_ms}
    connection.execute(SQL["shift_watches"], values)
    connection.execute(SQL["shift_deliveries"], values)
    connection.execute(SQL["shift_endpoints"], values)
    connection.execute(SQL["shift_heartbeat"], values)


def heartbeat(connection: sqlite3.Connection, *, now: int) -> None:
    """See ``Store``."""
    connection.execute(SQL["heartbeat"], {"now": now})


def take_over(connection: sqlite3.Connection, *, now: int, max_interval_ms: int) -> int | None:
    """Release every claim (its owner is dead: we hold the lock) and return when the daemon last lived.

    What was claimed is due at once, deliveries as perhaps sent already. No watch is left to wait for longer
    than any rule could have it wait: such a date is from a clock that was wrong.
    """
    lived = connection.execute(SQL["lived_at"]).fetchone()
    last_lived_at = None if lived is None else int(lived["value"])
    start = max(now, last_lived_at or now)
    connection.execute(SQL["release_watches"], {"now": start})
    released: Sequence[sqlite3.Row] = connection.execute(SQL["release_deliveries"], {"now": start}).fetchall()
    for row in released:
        connection.execute(SQL["hasten_endpoint"], {"endpoint_seq": row["endpoint_seq"], "due_at": start})
    for row in connection.execute(SQL["provider_seqs"], {"provider": None}).fetchall():
        latest = start + HOUR_MS
        connection.execute(
            SQL["clamp_watches"],
            {"provider_seq": row["seq"], "latest": latest, "absurd": latest + max_interval_ms},
        )
    return last_lived_at
