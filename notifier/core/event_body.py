"""Build the body of an event, once for all its deliveries, and mark an expired result in it."""

import msgspec

from notifier.core.formats.json_text import encode_scrubbed, scrub
from notifier.core.formats.text import format_size
from notifier.core.formats.times import format_instant
from notifier.core.model import Event, TaskError, Watch, WatchState
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.payload_notes import NoteCode, PayloadNote, describe_notes
from notifier.core.states import state_to_event

DEFAULT_MAX_PAYLOAD = 1 << 20  # CONTRACT, Configuration: callbacks.max_payload

_NULL = msgspec.Raw(b"null")
_BY_PROVIDER = (WatchState.COMPLETED, WatchState.FAILED, WatchState.CANCELLED)


class _Data(msgspec.Struct):
    payload: msgspec.Raw = _NULL


class _Body(msgspec.Struct):
    data: _Data


_BODY = msgspec.json.Decoder(_Body)


def build_event(
    watch: Watch, end: EndWatch, *, event_id: str, now: int, max_payload: int = DEFAULT_MAX_PAYLOAD
) -> Event:
    """Build the event of an end. Its bytes are final; metadata and payload are in them unchanged.

    The payload is null if the provider did not report the end (expired, lost). One of more than
    ``max_payload`` bytes is beside the body, and a note says so. Raise ValueError for a state without an
    event.
    """
    kind = state_to_event(end.state)
    if kind is None:
        raise ValueError(f"{end.state} makes no event")
    payload = _encode_payload(end)
    is_large = payload is not None and len(payload) > max_payload
    notes = end.notes
    if payload is not None and is_large:
        notes += (_note_size(watch, len(payload), max_payload),)
    body = {
        "id": event_id,
        "type": kind,
        "timestamp": format_instant(now),
        "data": {
            "watch_id": watch.id,
            "provider": watch.provider,
            "api_path": watch.api_path,
            "task_id": watch.task_id,
            "status": end.state,
            "upstream_status": _scrub_optional(end.upstream_status),
            "metadata": _text_to_raw(watch.metadata),
            "outputs": [scrub(output) for output in end.outputs],
            "result_expires_at": _format_optional(end.result_expires_at),
            "error": _error_to_json(end.error),
            "registered_at": format_instant(watch.registered_at),
            "ended_at": format_instant(now),
            "polls": watch.polls + end.is_polled,
            "payload": _NULL if payload is None or is_large else msgspec.Raw(payload),
            "payload_note": describe_notes(notes),
        },
    }
    return Event(
        id=event_id,
        watch_id=watch.id,
        round=watch.round,
        type=kind,
        at=now,
        body=msgspec.json.encode(body),
        result_expires_at=end.result_expires_at,
        payload=payload if is_large else None,
    )


def read_payload(body: bytes) -> bytes | None:
    """Return the payload in the body of an event; None if it is null."""
    payload = bytes(_BODY.decode(body).data.payload)
    return None if payload == bytes(_NULL) else payload


def mark_expired(body: bytes) -> bytes:
    """Return the body of an event with ``"expired": true`` after its outputs; all other bytes stay.

    It is for deliveries whose first attempt is made after the result expired. Each attempt builds it from the
    same body, so the bytes are the same each time.
    """
    event = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    data = msgspec.json.decode(event["data"], type=dict[str, msgspec.Raw])
    marked: dict[str, msgspec.Raw] = {}
    for name, value in data.items():
        marked[name] = value
        if name == "outputs":
            marked["expired"] = msgspec.Raw(b"true")
    event["data"] = msgspec.Raw(msgspec.json.encode(marked))
    return msgspec.json.encode(event)


def _encode_payload(end: EndWatch) -> bytes | None:
    if end.payload is None or end.state not in _BY_PROVIDER:
        return None
    return encode_scrubbed(end.payload)


def _note_size(watch: Watch, size: int, limit: int) -> PayloadNote:
    params = {"size": format_size(size), "limit": format_size(limit), "watch_id": watch.id}
    return PayloadNote(NoteCode.PAYLOAD_TOO_LARGE, params)


def _text_to_raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(encode_scrubbed(text))


def _scrub_optional(text: str | None) -> str | None:
    return None if text is None else scrub(text)


def _format_optional(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _error_to_json(error: TaskError | None) -> dict[str, str | int | None] | None:
    if error is None:
        return None
    return {
        "source": error.source,
        "code": scrub(error.code) if isinstance(error.code, str) else error.code,
        "title": scrub(error.title),
        "detail": _scrub_optional(error.detail),
    }
