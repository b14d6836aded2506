"""Turns: which deliveries may go out now. Round robin over endpoints, few to each origin, as gates allow.

What is on trial stands in a line of its own: one message to each origin, and all of them together no more
than their part of the slots. However many hang there, the rest has room and is never searched for among them.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from notifier.core import circuit_breaker
from notifier.core.circuit_breaker import Permit
from notifier.core.delivery.endpoint import EndpointHealth, free_slots, permit, probes_longest_due
from notifier.core.formats.urls import origin_of
from notifier.core.model import ClaimedDelivery
from notifier.store.sqlite.endpoints import health_to_columns, row_to_health
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import row_to_claimed_delivery
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import ClaimedDeliveries, Lease

MOST_WALKED = 1_000
"""So many of an endpoint's most urgent are looked at for what is due, whenever they may go."""

BY_URGENCY = ("forced_deliveries", "due_deliveries", "longest_due_deliveries")
IN_TURN = ("forced_deliveries", "longest_due_deliveries")
"""Which statements choose, one after the other while there is room: the forced go first in any case."""


@dataclass(frozen=True, slots=True)
class EndpointQueue:
    """What one endpoint could have sent now, most urgent first.

    ``is_probe``: its gate is closed, and one message tries it. ``is_trial``: it has yet to take something.
    """

    endpoint_seq: int
    origin: str
    delivery_seqs: tuple[int, ...]
    standing: EndpointHealth = EndpointHealth()
    is_probe: bool = False
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """How much is in flight to each origin and may be; to which on trial, and how many of those may be."""

    busy: Mapping[str, int]
    per_origin: int
    trials: frozenset[str]
    max_trials: int

    def left_at(self, origin: str) -> int:
        """How many more may go to this origin."""
        return self.per_origin - self.busy.get(origin, 0)

    def left_for_trials(self) -> int:
        """How many more origins may be tried."""
        return max(0, self.max_trials - len(self.trials))

    def full(self) -> str:
        """Which origins have no room, as the queries want it."""
        return json.dumps(self._full())

    def full_for_trials(self) -> str:
        """Which origins have no room for a trial: no room at all, or one trial under way."""
        return json.dumps([*self._full(), *self.trials])

    def after(self, deliveries: Iterable[ClaimedDelivery]) -> Self:
        """Return them with these in flight too."""
        busy, trials = Counter(self.busy), set(self.trials)
        for dispatch in deliveries:
            origin = origin_of(dispatch.url)
            busy[origin] += 1
            if dispatch.is_trial:
                trials.add(origin)
        return replace(self, busy=busy, trials=frozenset(trials))

    def _full(self) -> list[str]:
        return [origin for origin, count in self.busy.items() if count >= self.per_origin]


def interleave(lanes: Sequence[EndpointQueue], room: Mapping[str, int], limit: int) -> list[int]:
    """Pick deliveries, one of each lane in turn, until ``limit`` or until no origin has room left."""
    left = dict(room)
    picked: list[int] = []
    for turn in range(max((len(lane.delivery_seqs) for lane in lanes), default=0)):
        for lane in lanes:
            if len(picked) >= limit:
                return picked
            if turn < len(lane.delivery_seqs) and left[lane.origin] > 0:
                left[lane.origin] -= 1
                picked.append(lane.delivery_seqs[turn])
    return picked


def claim_deliveries(
    transaction: Transaction, *, now: int, limit: int, lease: Lease, slots: InFlightLimits
) -> ClaimedDeliveries:
    """See ``Store``. Who had a turn goes to the back of the line; who got no slot keeps its place."""
    connection = transaction.connection
    lapsed = connection.execute(SQL["lapse_claims"], {"now": now}).fetchall()
    for row in lapsed:
        enqueue(connection, row["endpoint_seq"], now)
    lanes = _lanes(connection, now, limit, slots)
    seqs = interleave(lanes, {lane.origin: slots.left_at(lane.origin) for lane in lanes}, limit)
    deliveries = _claim(connection, seqs, lease, now, lanes)
    taken = set(seqs)
    for lane in lanes:
        if not lane.delivery_seqs or not taken.isdisjoint(lane.delivery_seqs):
            enqueue(connection, lane.endpoint_seq, now)
    return ClaimedDeliveries(deliveries, _next_due(connection, slots.after(deliveries)))


def _next_due(connection: sqlite3.Connection, slots: InFlightLimits) -> int | None:
    rows = [connection.execute(SQL["next_delivery_due"], {"full": slots.full()}).fetchone()]
    if slots.left_for_trials():
        rows.append(connection.execute(SQL["next_trial_due"], {"full": slots.full_for_trials()}).fetchone())
    return min((row["due_at"] for row in rows if row is not None), default=None)


def _lanes(
    connection: sqlite3.Connection, now: int, limit: int, slots: InFlightLimits
) -> list[EndpointQueue]:
    """Look at no more rows than could be claimed: the most overdue endpoints whose origin has room."""
    due = {"now": now, "limit": limit, "full": slots.full()}
    origins = connection.execute(SQL["due_origins"], due).fetchall()
    found = [
        lane
        for origin in origins
        for lane in _lanes_of(connection, origin, now, min(slots.left_at(origin["name"]), limit))
    ]
    on_trial = {"now": now, "limit": min(limit, slots.left_for_trials()), "full": slots.full_for_trials()}
    for origin in connection.execute(SQL["origins_on_trial"], on_trial).fetchall():
        found += _lanes_of(connection, origin, now, 1, is_trial=True)
    found.sort(key=lambda entry: entry[0])
    return [lane for _, lane in found]


def _lanes_of(
    connection: sqlite3.Connection, origin: sqlite3.Row, now: int, most: int, *, is_trial: bool = False
) -> list[tuple[int, EndpointQueue]]:
    """Return the lanes of an origin with when each is due: those in good standing, or those on trial."""
    of = {"origin_seq": origin["seq"], "is_on_trial": int(is_trial), "now": now, "limit": most}
    rows = connection.execute(SQL["due_endpoints"], of).fetchall()
    return [(row["due_at"], _lane(connection, row, origin["name"], now, most)) for row in rows]


def _lane(
    connection: sqlite3.Connection, row: sqlite3.Row, origin: str, now: int, most: int
) -> EndpointQueue:
    """Ask the gate how many of this endpoint's may go; what a user forces goes in any case, and first."""
    standing = row_to_health(row)
    in_flight = connection.execute(SQL["in_flight"], {"endpoint_seq": row["seq"]}).fetchone()["n"]
    free = min(free_slots(standing, in_flight, now, most=most + in_flight), most)
    is_probing = bool(free) and permit(standing, now) is Permit.PROBE
    order = IN_TURN if is_probing and probes_longest_due(standing) else BY_URGENCY
    seqs = _foremost(connection, row["seq"], now, free, most, order)
    return EndpointQueue(
        row["seq"],
        origin,
        seqs,
        standing,
        is_probe=is_probing and bool(seqs),
        is_trial=bool(row["is_on_trial"]),
    )


def _foremost(
    connection: sqlite3.Connection, endpoint_seq: int, now: int, free: int, most: int, order: Sequence[str]
) -> tuple[int, ...]:
    """Choose what goes next, where ``free`` may, in this order; else what is forced."""
    limit = free or most
    wanted = {"endpoint_seq": endpoint_seq, "now": now, "limit": limit, "most_walked": MOST_WALKED}
    found: dict[int, None] = {}
    for query in order:
        found |= {row["seq"]: None for row in connection.execute(SQL[query], wanted)}
        if len(found) >= limit or not free:
            break
    return tuple(found)[:limit]


def _claim(
    connection: sqlite3.Connection, seqs: list[int], lease: Lease, now: int, lanes: Sequence[EndpointQueue]
) -> tuple[ClaimedDelivery, ...]:
    if not seqs:
        return ()
    probes = _begin_probes(connection, lanes, set(seqs), now, lease)
    trials = {seq for lane in lanes if lane.is_trial for seq in lane.delivery_seqs}
    values = {"seqs": json.dumps(seqs), "owner": lease.owner, "until": lease.until, "now": now}
    connection.execute(SQL["claim_deliveries"], values)
    return tuple(
        row_to_claimed_delivery(row, is_probe=row["seq"] in probes, is_trial=row["seq"] in trials)
        for row in connection.execute(SQL["dispatches"], {"seqs": values["seqs"]})
    )


def _begin_probes(
    connection: sqlite3.Connection, lanes: Sequence[EndpointQueue], taken: set[int], now: int, lease: Lease
) -> set[int]:
    """Note which gates now have their probe under way; returns the deliveries that are probes."""
    probes: set[int] = set()
    for lane in lanes:
        if lane.is_probe and (probe := taken.intersection(lane.delivery_seqs)):
            begun = circuit_breaker.record_probe(
                lane.standing.gate, now, patience_ms=max(lease.until - now, 1)
            )
            write_health(connection, lane.endpoint_seq, replace(lane.standing, gate=begun))
            probes |= probe
    return probes


def write_health(connection: sqlite3.Connection, endpoint_seq: int, standing: EndpointHealth) -> None:
    """Write an endpoint's gate."""
    connection.execute(SQL["keep_gate"], {"endpoint_seq": endpoint_seq, **health_to_columns(standing)})


def enqueue(connection: sqlite3.Connection, endpoint_seq: int, now: int) -> None:
    """Find out anew when the endpoint is due, at the back of the line.

    One that starts slowly and has as many in flight as it may is not due at all until one of them ends.
    """
    row = connection.execute(SQL["endpoint_by_seq"], {"endpoint_seq": endpoint_seq}).fetchone()
    in_flight = connection.execute(SQL["in_flight"], {"endpoint_seq": endpoint_seq}).fetchone()["n"]
    is_narrow = row["width"] is not None and in_flight >= row["width"]
    query = "rest_endpoint" if is_narrow and row["closed_at"] is None else "serve_endpoint"
    connection.execute(SQL[query], {"endpoint_seq": endpoint_seq, "now": now})


def make_due(connection: sqlite3.Connection, endpoint_seq: int, due_at: int) -> None:
    """Have the endpoint looked at by ``due_at`` at the latest; it keeps its place in the line if earlier."""
    connection.execute(SQL["hasten_endpoint"], {"endpoint_seq": endpoint_seq, "due_at": due_at})
