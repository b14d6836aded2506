"""Rows to values and back. Lists in a row are JSON text, and NULL if they are empty or the default."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.event_body import mark_expired
from notifier.core.formats.json_text import encode
from notifier.core.model import (
    Attempt,
    Callback,
    ClaimedDelivery,
    Delivery,
    DeliveryState,
    Event,
    EventType,
    MissingStreak,
    SlotClass,
    TaskError,
    Trouble,
    Watch,
    WatchState,
)

END_OF_TIME = 2**63 - 1  # the urgency of a result without expiry: after all others

Headers = tuple[tuple[str, str], ...]


def row_to_watch(row: sqlite3.Row) -> Watch:
    """Read a row of the view ``watch_rows``."""
    cause = columns_to_cause(row["trouble"], row["trouble_params"])
    missing, error, outputs = row["missing"], row["error"], row["outputs"]
    return Watch(
        id=row["id"],
        provider=row["provider"],
        api_path=row["api_path"],
        task_id=row["task_id"],
        state=WatchState(row["state"]),
        callbacks=json_to_callbacks(row["callbacks"]),
        metadata=row["metadata"],
        registered_at=row["registered_at"],
        expires_at=row["expires_at"],
        due_at=row["due_at"],
        round=row["round"],
        interval_ms=row["interval_ms"],
        polls=row["polls"],
        last_polled_at=row["last_polled_at"],
        upstream_status=row["upstream_status"],
        task_created_at=row["task_created_at"],
        trouble=None if cause is None else Trouble(cause, row["trouble_since"]),
        missing=None if missing is None else MissingStreak(missing, row["missing_since"]),
        ended_at=row["ended_at"],
        outputs=() if outputs is None else tuple(json.loads(outputs)),
        result_expires_at=row["result_expires_at"],
        error=None if error is None else TaskError(**json.loads(error)),
        traceparent=row["traceparent"],
        poll_origin=row["poll_origin"] or "",
        failures=row["failures"],
    )


def columns_to_cause(code: str | None, params: str | None) -> Cause | None:
    """Read a cause of two columns. What is no code is the text that an older version wrote."""
    if code is None:
        return None
    if code not in set(Code):
        return Cause(Code.LEGACY, {"text": code})
    return Cause(Code(code), {} if params is None else json.loads(params))


def cause_to_columns(cause: Cause | None) -> tuple[str | None, str | None]:
    """Write the code and the parameters of a cause, NULL where there are none."""
    if cause is None:
        return None, None
    return str(cause.code), encode(dict(cause.params)) if cause.params else None


def json_to_callbacks(text: str) -> tuple[Callback, ...]:
    """Read the column ``callbacks``."""
    return tuple(map(_callback_of, json.loads(text)))


def callbacks_to_json(callbacks: tuple[Callback, ...]) -> str:
    """Write the column ``callbacks``; defaults are left out."""
    return encode([_callback_object(callback) for callback in callbacks])


def _callback_of(value: Mapping[str, Any]) -> Callback:
    events = value.get("events")
    return Callback(
        url=value["url"],
        events=tuple(EventType) if events is None else tuple(map(EventType, events)),
        headers=_pairs(value.get("headers", ())),
    )


def _callback_object(callback: Callback) -> Mapping[str, Any]:
    value: dict[str, Any] = {"url": callback.url}
    if callback.events != tuple(EventType):
        value["events"] = callback.events
    if callback.headers:
        value["headers"] = callback.headers
    return value


def _pairs(items: Any) -> Headers:
    return tuple((name, value) for name, value in items)


def outputs_to_json(outputs: tuple[str, ...]) -> str | None:
    """Write the column ``outputs``."""
    return encode(outputs) if outputs else None


def error_to_json(error: TaskError | None) -> str | None:
    """Write the column ``error``."""
    if error is None:
        return None
    return encode({"source": error.source, "code": error.code, "title": error.title, "detail": error.detail})


def headers_to_json(headers: Headers) -> str | None:
    """Write the column ``headers``."""
    return encode(headers) if headers else None


def row_to_event(row: sqlite3.Row, watch_id: str) -> Event:
    """Read a row of ``events``."""
    return Event(
        id=row["id"],
        watch_id=watch_id,
        round=row["round"],
        type=EventType(row["type"]),
        at=row["at"],
        body=row["body"],
        result_expires_at=row["result_expires_at"],
    )


def row_to_delivery(row: sqlite3.Row) -> Delivery:
    """Read a row of the view ``delivery_rows``. A delivery in flight is due when its lease ends."""
    return Delivery(
        id=row["id"],
        event_id=row["event_id"],
        watch_id=row["watch_id"],
        type=EventType(row["type"]),
        url=row["url"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        created_at=row["created_at"],
        due_at=row["leased_until"] if row["due_at"] is None else row["due_at"],
        give_up_at=row["give_up_at"],
        ended_at=row["ended_at"],
        last_error=row["last_error"],
        result_expires_at=row["result_expires_at"],
    )


def row_to_claimed_delivery(row: sqlite3.Row, *, is_probe: bool, slot_class: SlotClass) -> ClaimedDelivery:
    """Read a row of the query ``claimed_deliveries``."""
    return ClaimedDelivery(
        delivery_id=row["id"],
        event_id=row["event_id"],
        watch_id=row["watch_id"],
        url=row["url"],
        headers=_pairs(json.loads(row["headers"] or "[]")),
        body=row_to_body(row),
        number=row["attempts"] + 1,
        created_at=row["created_at"],
        give_up_at=row["give_up_at"],
        result_expires_at=row["result_expires_at"],
        is_maybe_duplicate=bool(row["is_interrupted"]),
        refusals=row["refusals"],
        is_probe=is_probe,
        slot_class=slot_class,
        has_accepted_others=bool(row["has_accepted_others"]),
        is_replayed=bool(row["is_replayed"]),
        traceparent=row["traceparent"],
    )


def row_to_body(row: sqlite3.Row) -> bytes:
    """Return the bytes to send: those of the event, marked if it expired before the first attempt."""
    body: bytes = row["body"]
    return mark_expired(body) if row["is_late"] else body


def row_to_attempt(row: sqlite3.Row) -> Attempt:
    """Read a row of ``attempts``."""
    return Attempt(
        number=row["number"],
        at=row["at"],
        duration_ms=row["duration_ms"],
        status=row["status"],
        error=row["error"],
        answer=row["answer"],
        failure=row["fault"],
        peer=row["peer"],
        connect_ms=row["connect_ms"],
        first_byte_ms=row["first_byte_ms"],
    )
