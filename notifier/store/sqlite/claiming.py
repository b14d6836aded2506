"""Claims of deliveries: which may go out now, in rotation over the endpoints, few to each origin.

Endpoints on trial have a queue of their own: one delivery to each origin, and a part of the connections for
all. However many of them hang, the other endpoints have room, and a claim does not search for them.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

from notifier.core import circuit_breaker
from notifier.core.circuit_breaker import Permit
from notifier.core.delivery.endpoint import (
    EndpointHealth,
    ProbeOrder,
    choose_probe,
    count_free_slots,
    permit,
)
from notifier.core.formats.urls import url_to_origin
from notifier.core.model import ClaimedDelivery
from notifier.store.sqlite.endpoints import row_to_health, write_health
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import row_to_claimed_delivery
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import ClaimedDeliveries, Lease

# How many of the most urgent deliveries of an endpoint are searched for due ones. Measured with 100 000 that
# wait for a later time: a claim takes 1.4 ms with this limit, and 47 ms without.
MAX_SCANNED = 1_000

ORDERS: Mapping[ProbeOrder, Sequence[str]] = MappingProxyType(
    {
        ProbeOrder.MOST_URGENT: ("forced_deliveries", "due_deliveries", "longest_due_deliveries"),
        ProbeOrder.LONGEST_DUE: ("forced_deliveries", "longest_due_deliveries"),
        ProbeOrder.NEWEST: ("forced_deliveries", "newest_due_deliveries", "longest_due_deliveries"),
    }
)
"""The statements that choose deliveries, one after the other while there is room; forced ones go first."""


@dataclass(frozen=True, slots=True)
class EndpointQueue:
    """The deliveries of one endpoint that may go out now, in the order of sending.

    ``is_probe``: its gate is closed, and one delivery probes it. ``is_trial``: it has accepted nothing yet.
    """

    endpoint_seq: int
    origin: str
    delivery_seqs: tuple[int, ...]
    health: EndpointHealth = EndpointHealth()
    is_probe: bool = False
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """The requests in flight and their limits: to each origin, and to all origins on trial."""

    busy: Mapping[str, int]
    per_origin: int
    trials: frozenset[str]
    max_trials: int

    def room_at(self, origin: str) -> int:
        """Return how many more requests may go to this origin."""
        return self.per_origin - self.busy.get(origin, 0)

    def room_for_trials(self) -> int:
        """Return how many more origins may have a delivery on trial."""
        return max(0, self.max_trials - len(self.trials))

    def full(self) -> str:
        """List the origins that have no room, as JSON for the statements."""
        return json.dumps(self._full())

    def full_for_trials(self) -> str:
        """List the origins that have no room, or a delivery on trial in flight, as JSON."""
        return json.dumps([*self._full(), *self.trials])

    def after(self, deliveries: Iterable[ClaimedDelivery]) -> Self:
        """Return the limits with these deliveries in flight too."""
        busy, trials = Counter(self.busy), set(self.trials)
        for delivery in deliveries:
            origin = url_to_origin(delivery.url)
            busy[origin] += 1
            if delivery.is_trial:
                trials.add(origin)
        return replace(self, busy=busy, trials=frozenset(trials))

    def _full(self) -> list[str]:
        return [origin for origin, count in self.busy.items() if count >= self.per_origin]


def interleave(queues: Sequence[EndpointQueue], room: Mapping[str, int], limit: int) -> list[int]:
    """Choose deliveries, one of each queue at a time, until ``limit`` or until no origin has room."""
    left = dict(room)
    chosen: list[int] = []
    for position in range(max((len(queue.delivery_seqs) for queue in queues), default=0)):
        for queue in queues:
            if len(chosen) >= limit:
                return chosen
            if position < len(queue.delivery_seqs) and left[queue.origin] > 0:
                left[queue.origin] -= 1
                chosen.append(queue.delivery_seqs[position])
    return chosen


def claim_deliveries(
    transaction: Transaction, *, now: int, limit: int, lease: Lease, limits: InFlightLimits
) -> ClaimedDeliveries:
    """See ``Store``. A served endpoint goes to the end of the queue; the others keep their place."""
    connection = transaction.connection
    expired = connection.execute(SQL["release_expired_claims"], {"now": now}).fetchall()
    for row in expired:
        enqueue(connection, row["endpoint_seq"], now)
    queues = _due_queues(connection, now, limit, limits)
    seqs = interleave(queues, {queue.origin: limits.room_at(queue.origin) for queue in queues}, limit)
    deliveries = _claim(connection, seqs, lease, now, queues)
    claimed = set(seqs)
    for queue in queues:
        if not queue.delivery_seqs or not claimed.isdisjoint(queue.delivery_seqs):
            enqueue(connection, queue.endpoint_seq, now)
    return ClaimedDeliveries(deliveries, _next_due(connection, limits.after(deliveries)))


def _next_due(connection: sqlite3.Connection, limits: InFlightLimits) -> int | None:
    rows = [connection.execute(SQL["next_delivery_due"], {"full": limits.full()}).fetchone()]
    if limits.room_for_trials():
        rows.append(connection.execute(SQL["next_trial_due"], {"full": limits.full_for_trials()}).fetchone())
    return min((row["due_at"] for row in rows if row is not None), default=None)


def _due_queues(
    connection: sqlite3.Connection, now: int, limit: int, limits: InFlightLimits
) -> list[EndpointQueue]:
    """Read the most overdue endpoints whose origin has room, and no more rows than may be claimed."""
    due = {"now": now, "limit": limit, "full": limits.full()}
    origins = connection.execute(SQL["due_origins"], due).fetchall()
    dated = [
        queue
        for origin in origins
        for queue in _queues_of_origin(connection, origin, now, min(limits.room_at(origin["name"]), limit))
    ]
    on_trial = {"now": now, "limit": min(limit, limits.room_for_trials()), "full": limits.full_for_trials()}
    for origin in connection.execute(SQL["origins_on_trial"], on_trial).fetchall():
        dated += _queues_of_origin(connection, origin, now, 1, is_trial=True)
    dated.sort(key=lambda entry: entry[0])
    return [queue for _, queue in dated]


def _queues_of_origin(
    connection: sqlite3.Connection, origin: sqlite3.Row, now: int, capacity: int, *, is_trial: bool = False
) -> list[tuple[int, EndpointQueue]]:
    """Return the queues of an origin with their due times: those on trial, or the others."""
    of = {"origin_seq": origin["seq"], "is_on_trial": int(is_trial), "now": now, "limit": capacity}
    rows = connection.execute(SQL["due_endpoints"], of).fetchall()
    return [(row["due_at"], _read_queue(connection, row, origin["name"], now, capacity)) for row in rows]


def _read_queue(
    connection: sqlite3.Connection, row: sqlite3.Row, origin: str, now: int, capacity: int
) -> EndpointQueue:
    """Read what the gate lets through. A delivery that a user forces goes out in any case, and first."""
    health = row_to_health(row)
    in_flight = connection.execute(SQL["in_flight"], {"endpoint_seq": row["seq"]}).fetchone()["n"]
    room = min(count_free_slots(health, in_flight, now, limit=capacity + in_flight), capacity)
    is_probing = bool(room) and permit(health, now) is Permit.PROBE
    order = ORDERS[choose_probe(health) if is_probing else ProbeOrder.MOST_URGENT]
    seqs = _next_seqs(connection, row["seq"], now, room, capacity, order)
    return EndpointQueue(
        row["seq"],
        origin,
        seqs,
        health,
        is_probe=is_probing and bool(seqs),
        is_trial=bool(row["is_on_trial"]),
    )


def _next_seqs(
    connection: sqlite3.Connection,
    endpoint_seq: int,
    now: int,
    room: int,
    capacity: int,
    order: Sequence[str],
) -> tuple[int, ...]:
    """Choose the next deliveries in this order; without room only the forced ones."""
    limit = room or capacity
    values = {"endpoint_seq": endpoint_seq, "now": now, "limit": limit, "max_scanned": MAX_SCANNED}
    seqs: dict[int, None] = {}
    for query in order:
        seqs |= {row["seq"]: None for row in connection.execute(SQL[query], values)}
        if len(seqs) >= limit or not room:
            break
    return tuple(seqs)[:limit]


def _claim(
    connection: sqlite3.Connection, seqs: list[int], lease: Lease, now: int, queues: Sequence[EndpointQueue]
) -> tuple[ClaimedDelivery, ...]:
    if not seqs:
        return ()
    probes = _begin_probes(connection, queues, set(seqs), now, lease)
    trials = {seq for queue in queues if queue.is_trial for seq in queue.delivery_seqs}
    values = {"seqs": json.dumps(seqs), "owner": lease.owner, "until": lease.until, "now": now}
    connection.execute(SQL["claim_deliveries"], values)
    return tuple(
        row_to_claimed_delivery(row, is_probe=row["seq"] in probes, is_trial=row["seq"] in trials)
        for row in connection.execute(SQL["claimed_deliveries"], {"seqs": values["seqs"], "now": now})
    )


def _begin_probes(
    connection: sqlite3.Connection, queues: Sequence[EndpointQueue], claimed: set[int], now: int, lease: Lease
) -> set[int]:
    """Record a probe at each gate that is probed now, and return the deliveries that are probes."""
    probes: set[int] = set()
    for queue in queues:
        if queue.is_probe and (probe := claimed.intersection(queue.delivery_seqs)):
            gate = circuit_breaker.record_probe(queue.health.gate, now, timeout_ms=max(lease.until - now, 1))
            write_health(connection, queue.endpoint_seq, replace(queue.health, gate=gate))
            probes |= probe
    return probes


def enqueue(connection: sqlite3.Connection, endpoint_seq: int, now: int) -> None:
    """Put the endpoint at the end of the queue, due when its deliveries are.

    While it starts slowly and has its limit in flight, it is not due until one of them ends.
    """
    row = connection.execute(SQL["endpoint_by_seq"], {"endpoint_seq": endpoint_seq}).fetchone()
    in_flight = connection.execute(SQL["in_flight"], {"endpoint_seq": endpoint_seq}).fetchone()["n"]
    is_narrow = row["width"] is not None and in_flight >= row["width"]
    query = "unqueue_endpoint" if is_narrow and row["closed_at"] is None else "requeue_endpoint"
    connection.execute(SQL[query], {"endpoint_seq": endpoint_seq, "now": now})


def make_due(connection: sqlite3.Connection, endpoint_seq: int, due_at: int) -> None:
    """Make the endpoint due at ``due_at`` at the latest; if it is due earlier, it keeps its place."""
    connection.execute(SQL["make_endpoint_due"], {"endpoint_seq": endpoint_seq, "due_at": due_at})
