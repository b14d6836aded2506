"""Turns: which deliveries may go out now. Round robin over endpoints, few to each origin, as gates allow."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from notifier.core import gate as gates
from notifier.core.endpoint import Endpoint, passage, room
from notifier.core.gate import Passage
from notifier.core.model import Dispatch
from notifier.core.urls import origin_of
from notifier.store.endpoints import endpoint_of_row, gate_values
from notifier.store.interface import ClaimedDeliveries, Lease
from notifier.store.queries import SQL
from notifier.store.rows import dispatch_of


@dataclass(frozen=True, slots=True)
class Lane:
    """What one endpoint could have sent now, most urgent first. ``is_probe``: it is tried, not trusted."""

    endpoint_seq: int
    origin: str
    delivery_seqs: tuple[int, ...]
    standing: Endpoint = Endpoint()
    is_probe: bool = False


def take_turns(lanes: Sequence[Lane], room: Mapping[str, int], limit: int) -> list[int]:
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
    connection: sqlite3.Connection,
    *,
    now: int,
    limit: int,
    lease: Lease,
    busy: Mapping[str, int],
    per_origin: int,
) -> ClaimedDeliveries:
    """See ``Store``. An endpoint that had a turn goes to the back of the line."""
    lapsed = connection.execute(SQL["lapse_claims"], {"now": now}).fetchall()
    for row in lapsed:
        line_up(connection, row["endpoint_seq"], now)
    lanes = _lanes(connection, now, limit, busy, per_origin)
    left = {lane.origin: per_origin - busy.get(lane.origin, 0) for lane in lanes}
    seqs = take_turns(lanes, left, limit)
    probes = _serve(connection, lanes, set(seqs), now, lease)
    dispatches = _claim(connection, seqs, lease, now, probes)
    for lane in lanes:
        line_up(connection, lane.endpoint_seq, now)
    full = _full(_with(busy, dispatches), per_origin)
    next_due = connection.execute(SQL["next_delivery_due"], {"full": full}).fetchone()
    return ClaimedDeliveries(dispatches, None if next_due is None else next_due["due_at"])


def _lanes(
    connection: sqlite3.Connection, now: int, limit: int, busy: Mapping[str, int], per_origin: int
) -> list[Lane]:
    """Look at no more rows than could be claimed: the most overdue endpoints whose origin has room."""
    due = {"now": now, "limit": limit}
    found: list[tuple[int, Lane]] = []
    for origin in connection.execute(SQL["due_origins"], {**due, "full": _full(busy, per_origin)}).fetchall():
        most = min(per_origin - busy.get(origin["name"], 0), limit)
        endpoints = connection.execute(
            SQL["due_endpoints"], {"origin_seq": origin["seq"], "now": now, "limit": most}
        )
        found += [
            (row["due_at"], _lane(connection, row, origin["name"], now, most)) for row in endpoints.fetchall()
        ]
    found.sort(key=lambda entry: entry[0])
    return [lane for _, lane in found]


def _lane(connection: sqlite3.Connection, row: sqlite3.Row, origin: str, now: int, most: int) -> Lane:
    """Ask the gate how many of this endpoint's may go; what a user forces goes in any case."""
    standing = endpoint_of_row(row)
    way = passage(standing, now)
    of = {"endpoint_seq": row["seq"]}
    if way is not Passage.CLOSED:
        in_flight = connection.execute(SQL["in_flight"], of).fetchone()["n"]
        free = room(standing, in_flight, now, most=most + in_flight)
        if free:
            rows = connection.execute(
                SQL["due_deliveries"], {**of, "now": now, "limit": min(free, most)}
            ).fetchall()
            return _lane_of(row, origin, rows, standing, is_probe=way is Passage.PROBE)
    forced = connection.execute(SQL["forced_deliveries"], {**of, "limit": most}).fetchall()
    return _lane_of(row, origin, forced, standing, is_probe=False)


def _lane_of(
    row: sqlite3.Row, origin: str, rows: list[sqlite3.Row], standing: Endpoint, *, is_probe: bool
) -> Lane:
    seqs = tuple(delivery["seq"] for delivery in rows)
    return Lane(row["seq"], origin, seqs, standing, is_probe=is_probe and bool(seqs))


def _serve(
    connection: sqlite3.Connection, lanes: Sequence[Lane], taken: set[int], now: int, lease: Lease
) -> set[int]:
    """Note which gates now have their probe under way; returns the deliveries that are probes."""
    probes: set[int] = set()
    for lane in lanes:
        if lane.is_probe and (probe := taken.intersection(lane.delivery_seqs)):
            begun = gates.began_probe(lane.standing.gate, now, patience_ms=max(lease.until - now, 1))
            keep_gate(connection, lane.endpoint_seq, replace(lane.standing, gate=begun))
            probes |= probe
    return probes


def keep_gate(connection: sqlite3.Connection, endpoint_seq: int, standing: Endpoint) -> None:
    """Write an endpoint's gate."""
    connection.execute(SQL["keep_gate"], {"endpoint_seq": endpoint_seq, **gate_values(standing)})


def line_up(connection: sqlite3.Connection, endpoint_seq: int, now: int) -> None:
    """Find out anew when the endpoint is due, at the back of the line.

    One that starts slowly and has as many in flight as it may is not due at all until one of them ends.
    """
    row = connection.execute(SQL["endpoint_by_seq"], {"endpoint_seq": endpoint_seq}).fetchone()
    in_flight = connection.execute(SQL["in_flight"], {"endpoint_seq": endpoint_seq}).fetchone()["n"]
    is_narrow = row["width"] is not None and in_flight >= row["width"]
    query = "rest_endpoint" if is_narrow and row["closed_at"] is None else "serve_endpoint"
    connection.execute(SQL[query], {"endpoint_seq": endpoint_seq, "now": now})


def _with(busy: Mapping[str, int], dispatches: Iterable[Dispatch]) -> dict[str, int]:
    in_flight = Counter(busy)
    in_flight.update(origin_of(dispatch.url) for dispatch in dispatches)
    return in_flight


def _full(in_flight: Mapping[str, int], per_origin: int) -> str:
    return json.dumps([origin for origin, count in in_flight.items() if count >= per_origin])


def _claim(
    connection: sqlite3.Connection, seqs: list[int], lease: Lease, now: int, probes: set[int]
) -> tuple[Dispatch, ...]:
    if not seqs:
        return ()
    values = {"seqs": json.dumps(seqs), "owner": lease.owner, "until": lease.until, "now": now}
    connection.execute(SQL["claim_deliveries"], values)
    rows = connection.execute(SQL["dispatches"], {"seqs": values["seqs"]})
    return tuple(dispatch_of(row, is_probe=row["seq"] in probes) for row in rows)


def hasten(connection: sqlite3.Connection, endpoint_seq: int, due_at: int) -> None:
    """Have the endpoint looked at by ``due_at`` at the latest; it keeps its place in the line if earlier."""
    connection.execute(SQL["hasten_endpoint"], {"endpoint_seq": endpoint_seq, "due_at": due_at})
