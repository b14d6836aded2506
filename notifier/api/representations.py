"""Convert values of the store to JSON bodies."""

import msgspec
from msgspec import UNSET, Raw, Struct
from starlette.responses import Response

from notifier.api.schemas import (
    AttemptBody,
    CallbackBody,
    CauseBody,
    DeliveryBody,
    EndpointBody,
    EndpointState,
    ErrorBody,
    MomentBody,
    WatchBody,
)
from notifier.core.causes.cause import Cause, Condition, EndpointSubject, ProviderSubject, Subject
from notifier.core.delivery.endpoint import EndpointHealth, describe_gate, find_hold_cause
from notifier.core.formats.times import format_instant
from notifier.core.formats.urls import url_to_endpoint
from notifier.core.model import Attempt, Callback, Delivery, Event, TaskError, Trouble, Watch, WatchState
from notifier.core.timeline import TimelineEntry
from notifier.store.values import DeliveryDetail, EndpointDetail, WatchDetail

MASK = "***"
NULL = Raw(b"null")


class _Data(Struct):
    payload: Raw = NULL
    payload_note: str | None = None


class _Event(Struct):
    data: _Data


_ENCODER = msgspec.json.Encoder()
_EVENT = msgspec.json.Decoder(_Event)


def json_response(body: Struct, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    return Response(_ENCODER.encode(body), status, headers=headers, media_type="application/json")


def cause_body(cause: Cause | None, subject: Subject) -> CauseBody | None:
    """Convert a cause, with what to do about it; None for None."""
    return None if cause is None else CauseBody(code=cause.code, fix=cause.fix(subject))


def watch_body(watch: Watch, condition: Condition | None) -> WatchBody:
    """Convert a watch, as in lists. ``condition`` is why its provider or path is held back."""
    is_live = watch.state is WatchState.WATCHING
    why = (condition or _condition(watch.trouble)) if is_live else None
    return WatchBody(
        id=watch.id,
        provider=watch.provider,
        api_path=watch.api_path,
        task_id=watch.task_id,
        state=watch.state,
        upstream_status=watch.upstream_status,
        metadata=Raw(watch.metadata.encode()),
        callbacks=[_callback(callback) for callback in watch.callbacks],
        registered_at=format_instant(watch.registered_at),
        last_polled_at=_instant(watch.last_polled_at),
        next_poll_at=_instant(watch.due_at) if is_live else None,
        polls=watch.polls,
        expires_at=format_instant(watch.expires_at),
        trouble=None if why is None else why.text(),
        cause=cause_body(None if why is None else why.cause, ProviderSubject(watch.provider)),
        ended_at=_instant(watch.ended_at),
        outputs=list(watch.outputs),
        result_expires_at=_instant(watch.result_expires_at),
        payload=NULL,
        payload_note=None,
        error=_error(watch.error),
        deliveries=[],
    )


def watch_detail_body(detail: WatchDetail, condition: Condition | None) -> WatchBody:
    """Convert a watch with its payload and deliveries."""
    body, data = watch_body(detail.watch, condition), _event_data(detail.watch, detail.event)
    deliveries = [delivery_body(delivery) for delivery in detail.deliveries]
    return msgspec.structs.replace(
        body, payload=data.payload, payload_note=data.payload_note, deliveries=deliveries
    )


def entry_body(entry: TimelineEntry) -> MomentBody:
    """Convert a line of a timeline."""
    return MomentBody(
        at=format_instant(entry.at),
        kind=entry.kind,
        text=entry.text,
        delivery_id=UNSET if entry.delivery_id is None else entry.delivery_id,
        number=UNSET if entry.number is None else entry.number,
    )


def delivery_body(delivery: Delivery) -> DeliveryBody:
    """Convert a delivery, as in lists."""
    endpoint, held = url_to_endpoint(delivery.url), delivery.held
    return DeliveryBody(
        id=delivery.id,
        event_id=delivery.event_id,
        watch_id=delivery.watch_id,
        type=delivery.type,
        url=delivery.url,
        state=delivery.state,
        attempts=delivery.attempts,
        created_at=format_instant(delivery.created_at),
        next_attempt_at=_instant(delivery.due_at),
        give_up_at=format_instant(delivery.give_up_at),
        ended_at=_instant(delivery.ended_at),
        last_error=delivery.last_error,
        result_expires_at=_instant(delivery.result_expires_at),
        cause=cause_body(None if held is None else held.cause, EndpointSubject(endpoint, endpoint)),
        held=UNSET if held is None else held.text,
    )


def delivery_detail_body(detail: DeliveryDetail) -> DeliveryBody:
    """Convert a delivery with its attempts."""
    attempts = [_attempt(attempt) for attempt in detail.attempts]
    return msgspec.structs.replace(delivery_body(detail.delivery), attempts=attempts)


def endpoint_body(detail: EndpointDetail) -> EndpointBody:
    """Convert an endpoint. In code a breaker blocks; the API calls it closed."""
    health, state = detail.health, _state(detail.health)
    is_closed = state is EndpointState.CLOSED
    is_idle = is_closed and not detail.pending
    return EndpointBody(
        id=detail.id,
        url=detail.url,
        state=state,
        gate=describe_gate(health, is_waited_for=detail.pending > 0),
        cause=None
        if is_idle
        else cause_body(find_hold_cause(health), EndpointSubject(detail.id, detail.url)),
        since=_instant(health.gate.since) if is_closed else None,
        next_probe_at=format_instant(health.gate.probe_at) if is_closed and detail.pending else None,
        pending=detail.pending,
        delivered=detail.delivered,
        dead=detail.dead,
        oldest_pending_at=_instant(detail.oldest_pending_at),
    )


def _state(health: EndpointHealth) -> EndpointState:
    if health.suspension is not None:
        return EndpointState(health.suspension)
    return EndpointState.OPEN if health.gate.since is None else EndpointState.CLOSED


def _event_data(watch: Watch, event: Event | None) -> _Data:
    """Return what only the event of this round has: the provider's last reply, and the note on it."""
    if event is None or event.round != watch.round or watch.state is WatchState.WATCHING:
        return _Data()
    return _EVENT.decode(event.body).data


def _callback(callback: Callback) -> CallbackBody:
    masked = dict.fromkeys((name for name, _ in callback.headers), MASK)
    return CallbackBody(url=callback.url, events=list(callback.events), headers=masked or UNSET)


def _attempt(attempt: Attempt) -> AttemptBody:
    return AttemptBody(
        number=attempt.number,
        at=format_instant(attempt.at),
        duration_ms=attempt.duration_ms,
        status=attempt.status,
        error=attempt.error,
        answer=attempt.answer,
        failure=attempt.failure,
        peer=attempt.peer,
        connect_ms=attempt.connect_ms,
        first_byte_ms=attempt.first_byte_ms,
    )


def _error(error: TaskError | None) -> ErrorBody | None:
    if error is None:
        return None
    return ErrorBody(source=error.source, code=error.code, title=error.title, detail=error.detail)


def _condition(trouble: Trouble | None) -> Condition | None:
    return None if trouble is None else Condition(trouble.cause, trouble.since)


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
