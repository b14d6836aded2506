"""The JSON that goes out, field by field in the contract's order. ``openapi.py`` describes it from here."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from notifier.core.model import DeliveryState, EventType, WatchState

Instant = Annotated[
    str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})
]


class FaultBody(Struct, frozen=True):
    """One thing that is refused."""

    pointer: str
    detail: str


class ProblemBody(Struct, frozen=True):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FaultBody] | UnsetType = UNSET


class CallbackBody(Struct, frozen=True):
    """One receiver. The values of its headers may be secrets and are never shown."""

    url: str
    events: list[EventType]
    headers: dict[str, str] | UnsetType = UNSET


class ErrorBody(Struct, frozen=True):
    """Why a task did not complete; ``source`` is ``provider`` or ``notifier``."""

    source: str
    code: int | str | None
    title: str
    detail: str | None


class AttemptBody(Struct, frozen=True):
    """One try of a delivery."""

    number: int
    at: Instant
    duration_ms: int
    status: int | None
    error: str | None
    answer: str | None


class DeliveryBody(Struct, frozen=True):
    """A delivery. ``attempts`` is their number in lists, and each of them where one delivery is asked for."""

    id: str
    event_id: str
    watch_id: str
    type: EventType
    url: str
    state: DeliveryState
    attempts: int | list[AttemptBody]
    created_at: Instant
    next_attempt_at: Instant | None
    give_up_at: Instant
    ended_at: Instant | None
    last_error: str | None
    result_expires_at: Instant | None


class WatchBody(Struct, frozen=True):
    """A watch. ``payload`` and ``deliveries`` are filled where one watch is asked for."""

    id: str
    provider: str
    api_path: str
    task_id: str
    state: WatchState
    upstream_status: str | None
    metadata: Raw
    callbacks: list[CallbackBody]
    registered_at: Instant
    last_polled_at: Instant | None
    next_poll_at: Instant | None
    polls: int
    expires_at: Instant
    trouble: str | None
    ended_at: Instant | None
    outputs: list[str]
    result_expires_at: Instant | None
    payload: Raw
    error: ErrorBody | None
    deliveries: list[DeliveryBody]


class WatchPage(Struct, frozen=True):
    """Some watches, newest first."""

    watches: list[WatchBody]
    next_cursor: str | None


class DeliveryPage(Struct, frozen=True):
    """Some deliveries, newest first."""

    deliveries: list[DeliveryBody]
    next_cursor: str | None


class BatchResult(Struct, frozen=True):
    """What became of one entry: a watch (200, 201) or a problem."""

    status: int
    watch: WatchBody | UnsetType = UNSET
    problem: ProblemBody | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True):
    """What became of the entries, in their order."""

    results: list[BatchResult]


class StatusBody(Struct, frozen=True):
    """How things stand. ``trouble`` says why the daemon is not ready; ``providers`` each one's condition."""

    version: str
    trouble: str | None
    watches: dict[str, int]
    deliveries: dict[str, int]
    oldest_pending_at: Instant | None
    providers: dict[str, str]


class Word(Struct, frozen=True):
    """One word: ``ok``, ``ready``, ``reloaded``."""

    status: str


class CallbackRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A receiver, the events it wants (all, if left out) and headers to send to it."""

    url: str
    events: list[EventType] | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    """A task to watch: ``task_id`` and ``api_path``, or ``task_url``; ``callback_url`` or ``callbacks``."""

    task_id: str | UnsetType = UNSET
    api_path: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    task_url: str | UnsetType = UNSET
    callback_url: str | UnsetType = UNSET
    callbacks: Annotated[list[CallbackRequest], Meta(min_length=1, max_length=16)] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    expire_after: str | float | UnsetType = UNSET


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Registrations, each of which stands alone."""

    watches: Annotated[list[Registration], Meta(max_length=1000)]


class Resume(Struct, frozen=True, forbid_unknown_fields=True):
    """How long to go on; the provider's ``expire_after``, if left out."""

    expire_after: str | float | UnsetType = UNSET
