"""Claims of watches to poll.

A watch that is due waits in one of three queues. A claim takes the regular ones, then those whose own last
poll failed. Where a rule holds a watch back, it is moved into the queue of its api_path, so that no later
claim walks over it. From there the claim takes it when the path has room, so no queue is woken as a whole.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.polling.poll_choice import (
    UNRESTRICTED,
    ClaimRules,
    DueWatch,
    PathProbe,
    choose_polls,
    find_path_slots,
)
from notifier.store.sqlite.durations import read_durations
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import row_to_watch
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import ClaimedWatches, Lease

# Due rows that one claim looks through, and at most moves, while it holds the writer. Others write between
# the claims. No record of why this number; changing it needs a measurement.
SCAN_LIMIT = 1_000

# Of watches whose last poll failed: they take a part of the slots at most, and there are more slots in none.
TROUBLED_SCAN_LIMIT = 256

MAX_HELD_PATHS = 1_000  # as many as the limiter of a provider remembers (engine/provider_limiter.py)


class WatchQueue(IntEnum):
    """The column ``queue``."""

    REGULAR = 0
    TROUBLED = 1
    HELD = 2


_Claim = tuple[list[sqlite3.Row], bool]
"""The rows, and whether more that may go are due."""


@dataclass(frozen=True, slots=True)
class _Scan:
    """The due watches that a claim may choose from, and those of them that are not held yet."""

    due: tuple[DueWatch, ...]
    regular: tuple[DueWatch, ...]
    troubled: tuple[DueWatch, ...]

    @property
    def is_full(self) -> bool:
        """Return whether there may be more regular ones, which this scan did not reach."""
        return len(self.regular) >= SCAN_LIMIT


def claim_watches(
    transaction: Transaction,
    provider: str,
    *,
    now: int,
    limit: int,
    lease: Lease,
    rules: ClaimRules = UNRESTRICTED,
) -> ClaimedWatches:
    """See ``Store``. The returned ``due_at`` is when the watch was due, not when the lease ends."""
    connection = transaction.connection
    heads = connection.execute(SQL["queue_heads"], {"provider": provider, "now": now}).fetchone()
    if heads is None:
        return ClaimedWatches((), None)
    claim = None
    if rules.is_simple and not heads["has_held"]:
        claim = _read_simple(connection, provider, heads, now, limit, rules)
    if claim is None:
        claim = _choose(connection, heads["provider_seq"], now, limit, rules)
    rows, has_more = claim
    _claim(connection, rows, lease)
    next_at = [at for at in (heads["next_regular_at"], heads["next_troubled_at"]) if at is not None]
    return ClaimedWatches(
        tuple(map(row_to_watch, rows)), min(next_at, default=None), _read_all_durations(rows), has_more
    )


def claim_past_deadline(
    transaction: Transaction,
    provider: str,
    *,
    now: int,
    limit: int,
    lease: Lease,
    deadline_from: int | None = None,
    paths: Mapping[str, int] = MappingProxyType({}),
) -> ClaimedWatches:
    """See ``Store``."""
    connection = transaction.connection
    values = {"provider": provider, "now": now, "limit": limit}
    if deadline_from is None:
        held = {**values, "paths": json.dumps(dict(paths))}
        rows = connection.execute(SQL["held_watches_past_deadline"], held).fetchall()
    else:
        all_paths = {**values, "deadline_from": deadline_from}
        rows = connection.execute(SQL["due_watches_past_deadline"], all_paths).fetchall()
    _claim(connection, rows, lease)
    return ClaimedWatches(tuple(map(row_to_watch, rows)), None)


def _claim(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], lease: Lease) -> None:
    if rows:
        seqs = json.dumps([row["seq"] for row in rows])
        connection.execute(SQL["claim_watches"], {"seqs": seqs, "owner": lease.owner, "until": lease.until})


def _read_all_durations(rows: Sequence[sqlite3.Row]) -> Mapping[str, TaskDurations]:
    durations = {row["api_path"]: read_durations(row) for row in rows}
    return {api_path: each for api_path, each in durations.items() if each is not None}


# ---- nothing is held back: the rows in the order in which they are due


def _read_simple(
    connection: sqlite3.Connection, provider: str, heads: sqlite3.Row, now: int, limit: int, rules: ClaimRules
) -> _Claim | None:
    """Return what is due, or None where not all of it may go: then it needs a choice."""
    values = {"provider": provider, "provider_seq": heads["provider_seq"], "now": now}
    regular = {**values, "queue": WatchQueue.REGULAR, "limit": limit}
    rows = connection.execute(SQL["due_watches"], regular).fetchall()
    is_full = has_more = len(rows) >= limit
    if heads["has_troubled"] and not is_full:
        room = min(limit - len(rows), rules.suspect_room)
        troubled = {**values, "queue": WatchQueue.TROUBLED, "limit": room}
        troubled_rows = connection.execute(SQL["due_watches"], troubled).fetchall()
        rows, has_more = rows + troubled_rows, len(troubled_rows) >= room
    if is_full and heads["has_troubled"] and rules.favours_troubled:
        return None
    if rules.is_shared and (is_full or not _is_fair(rows, rules)):
        return None
    return rows, has_more


def _is_fair(rows: Sequence[sqlite3.Row], rules: ClaimRules) -> bool:
    """Return whether each path keeps to its part of the slots if all of these start."""
    starting = Counter(row["api_path"] for row in rows)
    total = starting.total() + sum(rules.in_flight.values())
    for api_path, count in starting.items():
        own = count + rules.in_flight.get(api_path, 0)
        if own > find_path_slots(rules.max_in_flight, total - own):
            return False
    return True


# ---- something is: a choice among what is due


def _choose(
    connection: sqlite3.Connection, provider_seq: int, now: int, limit: int, rules: ClaimRules
) -> _Claim:
    """Return the chosen rows, and whether more that may go are due. Hold what may not, or is too much."""
    scan = _scan(connection, provider_seq, now, limit, rules)
    chosen = choose_polls(scan.due, limit=limit, rules=rules)
    chosen_seqs = {watch.seq for watch in chosen}
    left = [watch for watch in scan.due if watch.seq not in chosen_seqs]
    _hold(connection, scan, rules, left)
    seqs = json.dumps([watch.seq for watch in chosen])
    rows = connection.execute(SQL["watches_to_claim"], {"seqs": seqs}).fetchall() if chosen else []
    return rows, any(watch.api_path not in rules.blocked for watch in left)


def _hold(connection: sqlite3.Connection, scan: _Scan, rules: ClaimRules, left: Iterable[DueWatch]) -> None:
    """Move watches of blocked paths into the queues of their paths; of a full scan all that is left."""
    is_left = {watch.seq for watch in left}
    is_crowded = scan.is_full and rules.is_shared
    held = [
        watch.seq
        for watch in (*scan.regular, *scan.troubled)
        if watch.seq in is_left and (watch.api_path in rules.blocked or (is_crowded and not watch.failures))
    ]
    if held:
        connection.execute(SQL["hold_watches"], {"seqs": json.dumps(held)})


def _scan(
    connection: sqlite3.Connection, provider_seq: int, now: int, limit: int, rules: ClaimRules
) -> _Scan:
    values = {"provider_seq": provider_seq, "now": now}
    regular = connection.execute(
        SQL["due_places"], {**values, "queue": WatchQueue.REGULAR, "limit": SCAN_LIMIT}
    ).fetchall()
    troubled = connection.execute(
        SQL["due_places"], {**values, "queue": WatchQueue.TROUBLED, "limit": TROUBLED_SCAN_LIMIT}
    ).fetchall()
    names = _name_paths(connection, [*regular, *troubled])
    regular_due = tuple(DueWatch(seq, names[path], due_at) for seq, path, due_at in regular)
    # How often they failed counts only in the queue of a path: here once is enough.
    troubled_due = tuple(DueWatch(seq, names[path], due_at, 1) for seq, path, due_at in troubled)
    held_due = _read_held(connection, values, limit, rules)
    in_order = sorted((*held_due, *regular_due), key=lambda watch: watch.due_at)
    return _Scan((*in_order, *troubled_due), regular_due, troubled_due)


def _name_paths(connection: sqlite3.Connection, places: Sequence[sqlite3.Row]) -> Mapping[int, str]:
    seqs = json.dumps(sorted({place["api_path_seq"] for place in places}))
    return dict(map(tuple, connection.execute(SQL["names_of_paths"], {"seqs": seqs})))


def _read_held(
    connection: sqlite3.Connection, values: Mapping[str, int], limit: int, rules: ClaimRules
) -> list[DueWatch]:
    """Return the first of each path: of a blocked one for its probe, of another one more than may go."""
    paths = {"provider_seq": values["provider_seq"], "limit": MAX_HELD_PATHS}
    held: list[DueWatch] = []
    for path_seq, name in connection.execute(SQL["held_paths"], paths).fetchall():
        is_blocked = name in rules.blocked
        if is_blocked and rules.blocked[name] is PathProbe.NONE:
            continue
        place = {**values, "api_path_seq": path_seq, "limit": 1 if is_blocked else limit + 1}
        rows = connection.execute(SQL["held_places"], place)
        held += [DueWatch(seq, name, due_at, failures) for seq, due_at, failures in rows]
    return held
