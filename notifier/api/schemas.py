"""The JSON that goes out, field by field in the contract's order. ``openapi.py`` describes it from here."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from notifier.core.model import DeliveryState, EventType, WatchState
from notifier.core.timeline import TimelineKind
from notifier.server.problems import ProblemBody

Instant = Annotated[
    str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})
]


class EndpointState(StrEnum):
    """Whether an endpoint is sent to: freely, by single probes, or not until a user resumes it."""

    OPEN = "open"
    CLOSED = "closed"
    PAUSED = "paused"
    GONE = "gone"


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
    """One try of a delivery. ``fault`` is the class of its error, ``peer`` the address that was spoken to.

    ``connect_ms`` and ``first_byte_ms`` count from its start; a reused connection has no ``connect_ms``.
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
    """A delivery. ``attempts`` is their number in lists, and each of them where one delivery is asked for.

    ``held`` says why it waits past ``next_attempt_at``.
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
    held: str | UnsetType = UNSET


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


class MomentBody(Struct, frozen=True):
    """What happened to a watch, and why. ``delivery_id`` and ``number`` tell of which attempt it is said."""

    at: Instant
    kind: TimelineKind
    text: str
    delivery_id: str | UnsetType = UNSET
    number: int | UnsetType = UNSET


class TimelineBody(Struct, frozen=True):
    """The last 50 polls of a watch, what was decided, done by users, and sent; oldest first."""

    timeline: list[MomentBody]


class WatchPage(Struct, frozen=True):
    """Some watches, newest first."""

    watches: list[WatchBody]
    next_cursor: str | None


class DeliveryPage(Struct, frozen=True):
    """Some deliveries, newest first."""

    deliveries: list[DeliveryBody]
    next_cursor: str | None


class EndpointBody(Struct, frozen=True):
    """A callback URL without its query. ``gate`` says in words how it stands, ``state`` in one word.

    ``since`` is when its gate closed, ``next_probe_at`` when it is tried next; both only while it is closed,
    and the latter only while something waits.
    """

    id: str
    url: str
    state: EndpointState
    gate: str
    since: Instant | None
    next_probe_at: Instant | None
    pending: int
    delivered: int
    dead: int
    oldest_pending_at: Instant | None


class EndpointPage(Struct, frozen=True):
    """Some endpoints, newest first."""

    endpoints: list[EndpointBody]
    next_cursor: str | None


class Matched(Struct, frozen=True):
    """How many deliveries a replay sends again."""

    matched: int


class BatchResult(Struct, frozen=True):
    """What became of one entry: a watch (200, 201) or a problem."""

    status: int
    watch: WatchBody | UnsetType = UNSET
    problem: ProblemBody | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True):
    """What became of the entries, in their order."""

    results: list[BatchResult]


class LearnedBody(Struct, frozen=True):
    """How many seconds the tasks of an api_path took: 5 %, 50 % and 90 % of them no more than this.

    From ten ``finishes`` on the first poll is near ``p5_s`` and goes on in even steps until ``p90_s``, unless
    ``polling.learn`` is false.
    """

    provider: str
    api_path: str
    finishes: int
    p5_s: float
    p50_s: float
    p90_s: float


class StatusBody(Struct, frozen=True):
    """How things stand. ``trouble`` says why the daemon is not ready; ``providers`` each one's condition.

    ``summary`` says all of it in one sentence, for a person.
    ``expiring_results`` counts undelivered results in the last quarter of their life, or past it,
    ``troubled_watches`` live watches in trouble, ``refused_deliveries`` pending ones that a receiver has
    refused; each ends at 10 000. ``learned`` has the hundred api_paths with most finishes.
    """

    version: str
    summary: str
    trouble: str | None
    watches: dict[str, int]
    deliveries: dict[str, int]
    oldest_pending_at: Instant | None
    expiring_results: int
    troubled_watches: int
    refused_deliveries: int
    providers: dict[str, str]
    learned: list[LearnedBody]


class LoginBody(Struct, frozen=True):
    """Where a browser is let in, once and until ``expires_at``; without tokens that is the page itself."""

    path: str
    expires_at: Instant | None


class Word(Struct, frozen=True):
    """One word: ``ok``, ``ready``."""

    status: str


class Reloaded(Struct, frozen=True):
    """The configuration was read again, from ``file``. ``needs_restart``: the keys that do not hold yet."""

    status: str
    file: str | UnsetType = UNSET
    needs_restart: list[str] | UnsetType = UNSET


class CallbackRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A receiver, the events it wants (all, if left out) and headers to send to it."""

    url: str
    events: list[EventType] | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    """A task to watch: ``task_id`` and ``api_path``, or ``task_url``; ``callback_url`` or ``callbacks``.

    ``metadata`` and ``expire_after`` count at the first registration of a task; later ones add callbacks.
    """

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


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """What to send again: made in [since, until), in this state, to this very URL; at least one of them.

    With ``dry_run`` it is only counted.
    """

    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET
    state: Literal["delivered", "dead"] | UnsetType = UNSET
    url: str | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
