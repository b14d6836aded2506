"""Define the JSON bodies of responses, with fields in the order of the API. ``openapi.py`` describes them."""

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from notifier.core.model import DeliveryState, EventType, WatchState
from notifier.core.timeline import TimelineKind
from notifier.server.problems import ProblemBody

Instant = Annotated[
    str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})
]


class EndpointState(StrEnum):
    """How deliveries to an endpoint are sent: freely, as single probes, or not until a user resumes it."""

    OPEN = "open"
    CLOSED = "closed"
    PAUSED = "paused"
    GONE = "gone"


class CauseBody(Struct, frozen=True):
    """Why something does not work: a stable code for programs, and what to do about it for a person.

    ``fix`` is empty where nothing is known, or nothing is to be done. Further codes may come.
    """

    code: str
    fix: str


class CallbackBody(Struct, frozen=True):
    """A callback URL and its events. The values of its headers may be secrets and are never shown."""

    url: str
    events: list[EventType]
    headers: dict[str, str] | UnsetType = UNSET


class ErrorBody(Struct, frozen=True):
    """Why a task did not complete. ``source`` is ``provider`` or ``notifier``."""

    source: str
    code: int | str | None
    title: str
    detail: str | None


class AttemptBody(Struct, frozen=True):
    """One attempt of a delivery. ``fault`` is the class of its error, ``peer`` the address of the receiver.

    ``connect_ms`` and ``first_byte_ms`` count from its start. On a reused connection ``connect_ms`` is null.
    """

    number: int
    at: Instant
    duration_ms: int
    status: int | None
    error: str | None
    answer: str | None
    failure: str | None = field(name="fault")
    peer: str | None
    connect_ms: int | None
    first_byte_ms: int | None


class DeliveryBody(Struct, frozen=True):
    """A delivery. ``attempts`` is their number in lists, and a list of them for a single delivery.

    ``held`` says why it is not sent although ``next_attempt_at`` has passed. ``cause`` has the code of that,
    and what to do.
    """

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
    cause: CauseBody | None
    held: str | UnsetType = UNSET


class WatchBody(Struct, frozen=True):
    """A watch. Only GET /v1/watches/{id} fills ``payload`` and ``deliveries``.

    ``payload_note`` says what was repaired in the payload or left out; it is null if nothing was. ``cause``
    has the code of ``trouble``, and what to do about it.
    """

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
    cause: CauseBody | None
    ended_at: Instant | None
    outputs: list[str]
    result_expires_at: Instant | None
    payload: Raw
    payload_note: str | None
    error: ErrorBody | None
    deliveries: list[DeliveryBody]


class MomentBody(Struct, frozen=True):
    """One thing that happened to a watch, and why. ``delivery_id`` and ``number`` identify an attempt."""

    at: Instant
    kind: TimelineKind
    text: str
    delivery_id: str | UnsetType = UNSET
    number: int | UnsetType = UNSET


class TimelineBody(Struct, frozen=True):
    """What happened to a watch, oldest first: the last 50 polls, decisions, actions of users, attempts."""

    timeline: list[MomentBody]


class WatchPage(Struct, frozen=True):
    """A page of watches, newest first. On the last page ``next_cursor`` is null."""

    watches: list[WatchBody]
    next_cursor: str | None


class DeliveryPage(Struct, frozen=True):
    """A page of deliveries, newest first. On the last page ``next_cursor`` is null."""

    deliveries: list[DeliveryBody]
    next_cursor: str | None


class EndpointBody(Struct, frozen=True):
    """An endpoint: a callback URL without its query. ``gate`` describes its ``state`` in words.

    ``since`` is when its gate closed, ``next_probe_at`` when the next probe is sent. Both are null unless
    ``state`` is ``closed``. ``next_probe_at`` is also null while no delivery waits. ``cause`` has the code of
    what holds deliveries back, and what to do. It is null while nothing is held back.
    """

    id: str
    url: str
    state: EndpointState
    gate: str
    cause: CauseBody | None
    since: Instant | None
    next_probe_at: Instant | None
    pending: int
    delivered: int
    dead: int
    oldest_pending_at: Instant | None


class EndpointPage(Struct, frozen=True):
    """A page of endpoints, newest first. On the last page ``next_cursor`` is null."""

    endpoints: list[EndpointBody]
    next_cursor: str | None


class BatchResult(Struct, frozen=True):
    """The result of one entry: a watch (status 200 or 201) or a problem."""

    status: int
    watch: WatchBody | UnsetType = UNSET
    problem: ProblemBody | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True):
    """The results of a batch, in the order of its entries."""

    results: list[BatchResult]


class LoginBody(Struct, frozen=True):
    """A path that lets a browser in once, until ``expires_at``. Without tokens it is that of the page."""

    path: str
    expires_at: Instant | None


class Word(Struct, frozen=True):
    """A status in one word: ``ok`` or ``ready``."""

    status: str


class Reloaded(Struct, frozen=True):
    """The configuration was read from ``file``. Keys in ``needs_restart`` take effect with the next start."""

    status: str
    file: str | UnsetType = UNSET
    needs_restart: list[str] | UnsetType = UNSET
