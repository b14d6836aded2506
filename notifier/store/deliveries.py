"""The verbs on deliveries: functions to be run inside a transaction or, where they read, on a snapshot."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from notifier.core.ids import DELIVERY
from notifier.core.model import Attempt, Callback, Delivery, DeliveryState, Dispatch, Event
from notifier.core.urls import endpoint_of, origin_of
from notifier.core.verdict import Delivered, GiveUp, Retry, Sequel
from notifier.store import pages
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
    """What one endpoint could have sent now, most urgent first."""

    endpoint_seq: int
    origin: str
    delivery_seqs: tuple[int, ...]


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
    room = {lane.origin: per_origin - busy.get(lane.origin, 0) for lane in lanes}
    seqs = take_turns(lanes, room, limit)
    dispatches = _claim(connection, seqs, lease)
    taken = set(seqs)
    for lane in lanes:
        # One without any delivery is served as well: its due_at was wrong and must not be met again.
        if not lane.delivery_seqs or taken.intersection(lane.delivery_seqs):
            connection.execute(SQL["serve_endpoint"], {"endpoint_seq": lane.endpoint_seq, "now": now})
    in_flight = dict(busy)
    for dispatch in dispatches:
        origin = origin_of(dispatch.url)
        in_flight[origin] = in_flight.get(origin, 0) + 1
    full = _full(in_flight, per_origin)
    next_due = connection.execute(SQL["next_delivery_due"], {"full": full}).fetchone()
    return ClaimedDeliveries(dispatches, None if next_due is None else next_due["due_at"])


def _lanes(
    connection: sqlite3.Connection, now: int, limit: int, busy: Mapping[str, int], per_origin: int
) -> list[Lane]:
    """Look at no more rows than could be claimed: the most overdue endpoints whose origin has room."""
    due = {"now": now, "limit": limit}
    found: list[tuple[int, Lane]] = []
    for origin in connection.execute(SQL["due_origins"], {**due, "full": _full(busy, per_origin)}).fetchall():
        room = min(per_origin - busy.get(origin["name"], 0), limit)
        endpoints = connection.execute(
            SQL["due_endpoints"], {"origin_seq": origin["seq"], "now": now, "limit": room}
        )
        for endpoint in endpoints.fetchall():
            rows = connection.execute(
                SQL["due_deliveries"], {"endpoint_seq": endpoint["seq"], "now": now, "limit": room}
            )
            lane = Lane(endpoint["seq"], origin["name"], tuple(row["seq"] for row in rows))
            found.append((endpoint["due_at"], lane))
    found.sort(key=lambda entry: entry[0])
    return [lane for _, lane in found]


def _full(in_flight: Mapping[str, int], per_origin: int) -> str:
    return json.dumps([origin for origin, count in in_flight.items() if count >= per_origin])


def _claim(connection: sqlite3.Connection, seqs: list[int], lease: Lease) -> tuple[Dispatch, ...]:
    if not seqs:
        return ()
    values = {"seqs": json.dumps(seqs), "owner": lease.owner, "until": lease.until}
    connection.execute(SQL["claim_deliveries"], values)
    rows = connection.execute(SQL["dispatches"], {"seqs": values["seqs"]})
    return tuple(map(dispatch_of, rows))


def record_attempt(
    connection: sqlite3.Connection,
    dispatch: Dispatch,
    lease: Lease,
    attempt: Attempt,
    sequel: Sequel,
    *,
    now: int,
) -> bool:
    """See ``Store``."""
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
        },
    )
    if isinstance(sequel, Retry):
        _hasten(connection, row["endpoint_seq"], sequel.due_at)
    return True


def _standing_after(attempt: Attempt, sequel: Sequel, now: int) -> dict[str, Any]:
    match sequel:
        case Delivered():
            return {"state": DeliveryState.DELIVERED, "due_at": None, "ended_at": now, "last_error": None}
        case Retry(due_at=due_at):
            error = attempt.error or f"HTTP {attempt.status}"
            return {"state": DeliveryState.PENDING, "due_at": due_at, "ended_at": None, "last_error": error}
        case GiveUp(reason=reason):
            return {"state": DeliveryState.DEAD, "due_at": None, "ended_at": now, "last_error": reason}
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
        _hasten(connection, row["endpoint_seq"], now)
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
