"""The verbs on deliveries: functions to be run inside a transaction or, where they read, on a snapshot."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from notifier.core import gate as gates
from notifier.core.endpoint import Endpoint, Report, after, is_opened, passage, room
from notifier.core.gate import Passage
from notifier.core.ids import DELIVERY
from notifier.core.model import Attempt, Callback, Delivery, DeliveryState, Dispatch, Event
from notifier.core.urls import endpoint_of, origin_of
from notifier.core.verdict import Delivered, GiveUp, Retry, Sequel
from notifier.store import pages
from notifier.store.endpoints import endpoint_of_row, gate_values
from notifier.store.interface import ClaimedDeliveries, DeliveryDetail, DeliveryQuery, Lease, Refusal
from notifier.store.mint import Mint
from notifier.store.queries import SQL
from notifier.store.rows import END_OF_TIME, attempt_of, delivery_of, dispatch_of, headers_text

ENDPOINT = "ep"


def add_deliveries(
    connection: sqlite3.Connection,
    event: Event,
    event_seq: int,
    callbacks: Iterable[Callback],
    mint: Mint,
    *,
    due_at: int,
    give_up_at: int,
) -> None:
    """Make a delivery of the event for each callback that wants it."""
    for callback in callbacks:
        if event.type not in callback.events:
            continue
        endpoint_seq = _endpoint_seq(connection, callback.url, mint, due_at)
        connection.execute(
            SQL["add_delivery"],
            {
                "id": mint(DELIVERY, due_at),
                "event_seq": event_seq,
                "endpoint_seq": endpoint_seq,
                "url": callback.url,
                "headers": headers_text(callback.headers),
                "urgency": END_OF_TIME if event.result_expires_at is None else event.result_expires_at,
                "due_at": due_at,
                "give_up_at": give_up_at,
            },
        )
        _hasten(connection, endpoint_seq, due_at)


def _endpoint_seq(connection: sqlite3.Connection, url: str, mint: Mint, at: int) -> int:
    endpoint = endpoint_of(url)
    row = connection.execute(SQL["endpoint"], {"url": endpoint}).fetchone()
    if row is None:
        origin = origin_of(url)
        connection.execute(SQL["add_origin"], {"name": origin})
        values = {"id": mint(ENDPOINT, at), "url": endpoint, "origin": origin}
        row = connection.execute(SQL["add_endpoint"], values).fetchone()
    return int(row["seq"])


def _hasten(connection: sqlite3.Connection, endpoint_seq: int, due_at: int) -> None:
    """Have the endpoint looked at by ``due_at`` at the latest; it keeps its place in the line if earlier."""
    connection.execute(SQL["hasten_endpoint"], {"endpoint_seq": endpoint_seq, "due_at": due_at})


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
        _hasten(connection, row["endpoint_seq"], now)
    lanes = _lanes(connection, now, limit, busy, per_origin)
    left = {lane.origin: per_origin - busy.get(lane.origin, 0) for lane in lanes}
    seqs = take_turns(lanes, left, limit)
    probes = _serve(connection, lanes, set(seqs), now, lease)
    dispatches = _claim(connection, seqs, lease, now, probes)
    for lane in lanes:
        _line_up(connection, lane.endpoint_seq, now)
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
            _keep(connection, lane.endpoint_seq, replace(lane.standing, gate=begun))
            probes |= probe
    return probes


def _keep(connection: sqlite3.Connection, endpoint_seq: int, standing: Endpoint) -> None:
    connection.execute(SQL["keep_gate"], {"endpoint_seq": endpoint_seq, **gate_values(standing)})


def _line_up(connection: sqlite3.Connection, endpoint_seq: int, now: int) -> None:
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


def record_attempt(
    connection: sqlite3.Connection,
    dispatch: Dispatch,
    lease: Lease,
    attempt: Attempt,
    sequel: Sequel,
    report: Report,
    *,
    now: int,
) -> bool:
    """See ``Store``."""
    sequel = _with_fresh_budget(connection, dispatch, sequel, now)
    values = {"id": dispatch.delivery_id, "owner": lease.owner, "number": dispatch.number}
    row = connection.execute(
        SQL["record_attempt"], {**values, **_standing_after(attempt, sequel, now)}
    ).fetchone()
    if row is None:
        return False
    connection.execute(
        SQL["add_attempt"],
        {
            "delivery_seq": row["seq"],
            "number": dispatch.number,
            "at": attempt.at,
            "duration_ms": attempt.duration_ms,
            "status": attempt.status,
            "error": attempt.error,
            "answer": attempt.answer,
            "fault": attempt.fault,
            "peer": attempt.peer,
            "connect_ms": attempt.connect_ms,
            "first_byte_ms": attempt.first_byte_ms,
        },
    )
    if isinstance(sequel, Retry):
        _hasten(connection, row["endpoint_seq"], sequel.due_at)
    _report(connection, row["endpoint_seq"], report, now, is_probe=dispatch.is_probe)
    return True


def _with_fresh_budget(
    connection: sqlite3.Connection, dispatch: Dispatch, sequel: Sequel, now: int
) -> Sequel:
    """A redelivery asked for while this attempt was under way is owed, even if the attempt was the last."""
    if not isinstance(sequel, GiveUp):
        return sequel
    row = connection.execute(SQL["delivery"], {"id": dispatch.delivery_id}).fetchone()
    is_owed = row is not None and row["give_up_at"] > max(dispatch.give_up_at, now)
    return Retry(now) if is_owed else sequel


def _report(
    connection: sqlite3.Connection, endpoint_seq: int, report: Report, now: int, *, is_probe: bool
) -> None:
    """Tell the gate. A gate that opens wakes everything behind it."""
    row = connection.execute(SQL["endpoint_by_seq"], {"endpoint_seq": endpoint_seq}).fetchone()
    before = endpoint_of_row(row)
    standing = after(before, report, now, is_probe=is_probe)
    if standing == before == Endpoint():
        return
    _keep(connection, endpoint_seq, standing)
    if is_opened(before, standing):
        connection.execute(SQL["wake_deliveries"], {"endpoint_seq": endpoint_seq, "now": now})
    _line_up(connection, endpoint_seq, now)


def _standing_after(attempt: Attempt, sequel: Sequel, now: int) -> dict[str, Any]:
    ended = {"due_at": None, "ended_at": now, "is_refusal": 0}
    match sequel:
        case Delivered():
            return {**ended, "state": DeliveryState.DELIVERED, "last_error": None}
        case Retry(due_at=due_at, is_refusal=is_refusal):
            error = attempt.error or f"HTTP {attempt.status}"
            waiting = {"due_at": due_at, "ended_at": None, "is_refusal": int(is_refusal)}
            return {**waiting, "state": DeliveryState.PENDING, "last_error": error}
        case GiveUp(reason=reason):
            return {**ended, "state": DeliveryState.DEAD, "last_error": reason}
        case _:
            assert_never(sequel)


def redeliver(
    connection: sqlite3.Connection, delivery_id: str, *, now: int, give_up_at: int
) -> Delivery | Refusal:
    """See ``Store``. One that is being sent keeps its claim and only gets the fresh budget."""
    values = {"id": delivery_id, "now": now, "give_up_at": give_up_at}
    row = connection.execute(SQL["redeliver"], values).fetchone()
    if row is None:
        return Refusal.NOT_FOUND
    if row["is_waiting"]:
        connection.execute(SQL["force_endpoint"], {"endpoint_seq": row["endpoint_seq"], "now": now})
    return delivery_of(connection.execute(SQL["delivery"], {"id": delivery_id}).fetchone())


def delivery_detail(connection: sqlite3.Connection, delivery_id: str) -> DeliveryDetail | None:
    """See ``Store.delivery``."""
    row = connection.execute(SQL["delivery"], {"id": delivery_id}).fetchone()
    if row is None:
        return None
    attempts = connection.execute(SQL["attempts"], {"delivery_seq": row["seq"]})
    return DeliveryDetail(delivery_of(row), tuple(map(attempt_of, attempts)))


def deliveries_of_watch(connection: sqlite3.Connection, watch_id: str) -> tuple[Delivery, ...]:
    """All of a watch's, oldest first."""
    newest_first = pages.deliveries(connection, DeliveryQuery(watch_id=watch_id, limit=END_OF_TIME))
    return tuple(reversed(newest_first))
