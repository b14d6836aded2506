"""Claims of deliveries: which may go out now, in rotation over the endpoints, few to each origin.

Each class of endpoints has a queue and a part of the slots (``core/delivery/slots.py``). An endpoint that
does not work gets one delivery at a time, and only one of its class at the same origin. However many of them
hang, the other endpoints have room, and a claim does not search for them.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from notifier.byte_budget import UNCOUNTED_BYTES
from notifier.core import circuit_breaker
from notifier.core.circuit_breaker import Permit
from notifier.core.delivery.endpoint import (
    EndpointHealth,
    ProbeOrder,
    choose_probe,
    count_free_slots,
    permit,
)
from notifier.core.model import ClaimedDelivery, SlotClass
from notifier.store.sqlite.endpoint_queue import enqueue
from notifier.store.sqlite.endpoints import row_to_health, write_health
from notifier.store.sqlite.in_flight_limits import InFlightLimits
from notifier.store.sqlite.queries import SQL
from notifier.store.sqlite.rows import END_OF_TIME, row_to_claimed_delivery
from notifier.store.sqlite.sweeps import continue_sweep
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import (
    MAX_CLAIMED_BYTES,
    ClaimedDeliveries,
    Lease,
)

# How many of the most urgent deliveries of an endpoint are searched for due ones. Measured with 100 000 that
# wait for a later time: a claim takes 1.4 ms with this limit, and 47 ms without.
MAX_SCANNED = 1_000

ORDERS: Mapping[ProbeOrder, Sequence[str]] = MappingProxyType(
    {
        ProbeOrder.MOST_URGENT: ("due_deliveries", "longest_due_deliveries"),
        ProbeOrder.LONGEST_DUE: ("longest_due_deliveries",),
        ProbeOrder.NEWEST: ("newest_due_deliveries", "longest_due_deliveries"),
    }
)
"""The statements that choose deliveries, one after the other while there is room."""

QUEUES: Mapping[SlotClass, str] = MappingProxyType(
    {
        SlotClass.PROVEN: "due_origins",
        SlotClass.RECOVERING: "recovering_origins",
        SlotClass.NEW: "new_origins",
        SlotClass.HANGING: "hanging_origins",
    }
)
"""The statement that lists the due origins of each class."""


@dataclass(frozen=True, slots=True)
class EndpointQueue:
    """The deliveries of one endpoint that may go out now, in the order of sending.

    ``is_probe``: its gate is closed, and one delivery probes it.
    """

    endpoint_seq: int
    origin: str
    delivery_seqs: tuple[int, ...]
    health: EndpointHealth = EndpointHealth()
    slot_class: SlotClass = SlotClass.PROVEN
    is_probe: bool = False


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
    is_sweeping = continue_sweep(transaction, now=now)
    expired = connection.execute(SQL["release_expired_claims"], {"now": now}).fetchall()
    for row in expired:
        enqueue(connection, row["endpoint_seq"], now)
    forced, lacks_memory = _claim_forced(connection, now, limit, lease, limits.without_rates())
    limits = limits.after(forced)
    most = min(limit - len(forced), limits.slots.count_free(SlotClass.PROVEN))  # the others have no more
    queues = _due_queues(connection, now, most, limits)
    chosen = interleave(queues, {queue.origin: limits.room_at(queue.origin) for queue in queues}, most)
    seqs = _drop_large(connection, chosen, limits.max_bytes)
    deliveries = _claim(connection, seqs, lease, now, queues)
    claimed = set(seqs)
    for queue in queues:
        if not queue.delivery_seqs or not claimed.isdisjoint(queue.delivery_seqs):
            enqueue(connection, queue.endpoint_seq, now)
    lacks_memory = lacks_memory or len(seqs) < len(chosen)
    next_due_at = now if is_sweeping else _next_due(connection, limits.after(deliveries))
    return ClaimedDeliveries((*forced, *deliveries), next_due_at, lacks_memory)


def _drop_large(connection: sqlite3.Connection, seqs: list[int], max_bytes: int) -> list[int]:
    """Drop deliveries from the first on whose body does not fit, but for those with a short body."""
    sizes = connection.execute(SQL["body_sizes"], {"seqs": json.dumps(seqs)}).fetchall() if seqs else []
    is_alone, free, fitting = max_bytes >= MAX_CLAIMED_BYTES, max_bytes, list[int]()
    for row in sizes:
        if row["size"] <= UNCOUNTED_BYTES:
            fitting.append(row["seq"])
        elif row["size"] <= free or is_alone:
            fitting.append(row["seq"])
            free, is_alone = free - row["size"], False
        else:
            free = 0
    return fitting


def _claim_forced(
    connection: sqlite3.Connection, now: int, limit: int, lease: Lease, limits: InFlightLimits
) -> tuple[tuple[ClaimedDelivery, ...], bool]:
    """Claim what users send again by hand, whatever the health of its endpoint; its origin needs room.

    Return also whether some have to wait for memory.
    """
    most = min(limit, limits.slots.count_free(SlotClass.FORCED))
    values = {"full": limits.full(SlotClass.FORCED), "limit": most, "max_scanned": MAX_SCANNED}
    rows = connection.execute(SQL["forced_deliveries"], values).fetchall()
    queues = [
        EndpointQueue(row["endpoint_seq"], row["origin"], (row["seq"],), slot_class=SlotClass.FORCED)
        for row in rows
    ]
    chosen = interleave(queues, {queue.origin: limits.room_at(queue.origin) for queue in queues}, most)
    seqs = _drop_large(connection, chosen, limits.max_bytes)
    deliveries = _claim(connection, seqs, lease, now, queues)
    for endpoint_seq in {queue.endpoint_seq for queue in queues}:
        enqueue(connection, endpoint_seq, now)
    return deliveries, len(seqs) < len(chosen)


def _next_due(connection: sqlite3.Connection, limits: InFlightLimits) -> int | None:
    """Return when the first endpoint is due that has room; what is forced wakes the deliverer by itself."""
    due = []
    for slot_class, query in QUEUES.items():
        if limits.slots.count_free(slot_class):
            values = {"now": END_OF_TIME, "limit": 1, **limits.exclude(slot_class)}
            due += connection.execute(SQL[query], values).fetchall()
    return min((row["due_at"] for row in due), default=None)


def _due_queues(
    connection: sqlite3.Connection, now: int, limit: int, limits: InFlightLimits
) -> list[EndpointQueue]:
    """Read the most overdue endpoints whose class and origin have room; no more than may be claimed."""
    dated: list[tuple[int, EndpointQueue]] = []
    for slot_class, query in QUEUES.items():
        most = min(limit, limits.slots.count_free(slot_class))
        values = {"now": now, "limit": most, **limits.exclude(slot_class)}
        for origin in connection.execute(SQL[query], values).fetchall() if most else ():
            is_proven = slot_class is SlotClass.PROVEN
            is_wide = is_proven or (slot_class is SlotClass.NEW and origin["is_trusted"])
            free = min(most, limits.slots.count_free(slot_class))
            capacity = min(limits.room_at(origin["name"]), free) if is_wide else 1
            queues = _queues_of_origin(connection, origin, now, capacity, slot_class)
            dated += queues
            if not is_proven:  # one class may have a part of the slots of another
                used = (origin["name"],) * max(len(queues), 1)
                limits = replace(limits, slots=limits.slots.occupy(slot_class, used))
    dated.sort(key=lambda entry: entry[0])
    return [queue for _, queue in dated]


def _queues_of_origin(
    connection: sqlite3.Connection, origin: sqlite3.Row, now: int, capacity: int, slot_class: SlotClass
) -> list[tuple[int, EndpointQueue]]:
    """Return the queues of one class at an origin with their due times."""
    of = {"origin_seq": origin["seq"], "slot_class": slot_class, "now": now, "limit": capacity}
    rows = connection.execute(SQL["due_endpoints"], of).fetchall()
    return [(row["due_at"], _read_queue(connection, row, origin["name"], now, capacity)) for row in rows]


def _read_queue(
    connection: sqlite3.Connection, row: sqlite3.Row, origin: str, now: int, capacity: int
) -> EndpointQueue:
    """Read what the gate lets through."""
    health = row_to_health(row)
    in_flight = connection.execute(SQL["in_flight"], {"endpoint_seq": row["seq"]}).fetchone()["n"]
    room = min(count_free_slots(health, in_flight, now, limit=capacity + in_flight), capacity)
    is_probing = bool(room) and permit(health, now) is Permit.PROBE
    order = ORDERS[choose_probe(health) if is_probing else ProbeOrder.MOST_URGENT]
    seqs = _next_seqs(connection, row["seq"], now, room, order)
    return EndpointQueue(
        row["seq"],
        origin,
        seqs,
        health,
        slot_class=SlotClass(row["slot_class"]),
        is_probe=is_probing and bool(seqs),
    )


def _next_seqs(
    connection: sqlite3.Connection, endpoint_seq: int, now: int, room: int, order: Sequence[str]
) -> tuple[int, ...]:
    """Choose the next deliveries in this order."""
    values = {"endpoint_seq": endpoint_seq, "now": now, "limit": room, "max_scanned": MAX_SCANNED}
    seqs: dict[int, None] = {}
    for query in order:
        if len(seqs) < room:
            seqs |= {row["seq"]: None for row in connection.execute(SQL[query], values)}
    return tuple(seqs)[:room]


def _claim(
    connection: sqlite3.Connection, seqs: list[int], lease: Lease, now: int, queues: Sequence[EndpointQueue]
) -> tuple[ClaimedDelivery, ...]:
    if not seqs:
        return ()
    probes = _begin_probes(connection, queues, set(seqs), now, lease)
    classes = {seq: queue.slot_class for queue in queues for seq in queue.delivery_seqs}
    values = {"seqs": json.dumps(seqs), "owner": lease.owner, "until": lease.until, "now": now}
    connection.execute(SQL["claim_deliveries"], values)
    return tuple(
        row_to_claimed_delivery(row, is_probe=row["seq"] in probes, slot_class=classes[row["seq"]])
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
