"""What the verbs of a store take and answer: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from notifier.core.delivery.endpoint import EndpointHealth
from notifier.core.model import (
    Attempt,
    ClaimedDelivery,
    Delivery,
    DeliveryState,
    Event,
    Watch,
    WatchState,
)
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.task_statistics import FinishedTask

MAX_TRIALS = 16  # half of the default of callbacks.max_in_flight, so that receivers that hang leave half free
MAX_REPLAYS = 100  # CONTRACT P5: every queue is bounded; no record of why this number


@dataclass(frozen=True, slots=True)
class Lease:
    """Who claims, and until when nobody else may."""

    owner: str
    until: int


@dataclass(frozen=True, slots=True)
class WatchAdded:
    """A registration's watch; ``is_new`` is False when it was known before."""

    watch: Watch
    is_new: bool


@dataclass(frozen=True, slots=True)
class WatchLimitReached:
    """Refused: as many watches are live as may be."""

    live: int


@dataclass(frozen=True, slots=True)
class CallbackLimitReached:
    """Refused: the watch would have ``count`` callbacks, more than ``core.model.MAX_CALLBACKS``."""

    count: int


@dataclass(frozen=True, slots=True)
class ReplayLimitReached:
    """Refused: as many replays are under way as may be."""

    under_way: int


class ChangeRefused(StrEnum):
    """Why a change of a watch or delivery was not made."""

    UNKNOWN_ID = "unknown_id"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class ClaimedWatches:
    """Watches to poll now, most overdue first; ``next_due_at`` is when the first unclaimed one is due.

    Of a claim by deadlines alone it is not told.

    ``habits`` is what is known of how long their tasks take, by api_path.
    """

    watches: tuple[Watch, ...]
    next_due_at: int | None
    durations: Mapping[str, TaskDurations] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PathDurations:
    """How long the tasks of an api_path took so far."""

    provider: str
    api_path: str
    durations: TaskDurations


@dataclass(frozen=True, slots=True)
class ClaimedDeliveries:
    """Deliveries to send now; ``next_due_at`` is when the first unclaimed one is due."""

    deliveries: tuple[ClaimedDelivery, ...]
    next_due_at: int | None


@dataclass(frozen=True, slots=True)
class WatchDetail:
    """A watch with its latest event (the payload is in its body) and its deliveries, oldest first."""

    watch: Watch
    event: Event | None
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A delivery with its attempts, oldest first."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class RowsById:
    """What there is of what was asked for by id, oldest first."""

    watches: tuple[Watch, ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class RecentActivity:
    """What happened last: ends of watches, and how long callbacks took from their making to the first 2xx."""

    ends: tuple[FinishedTask, ...]
    callbacks_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """A page of watches, newest first. ``before`` is the id that the last page ended with."""

    state: WatchState | None = None
    provider: str | None = None
    task_id: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """A page of deliveries, newest first. ``before`` is the id that the last page ended with."""

    state: DeliveryState | None = None
    watch_id: str | None = None
    url: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class EndpointDetail:
    """A callback URL without its query: how it stands, and what there is of it.

    ``pending`` counts what waits and what is in flight; ``oldest_pending_at`` is None when nothing does.
    """

    id: str
    url: str
    health: EndpointHealth
    pending: int
    delivered: int
    dead: int
    oldest_pending_at: int | None


@dataclass(frozen=True, slots=True)
class ReplayQuery:
    """Which deliveries to send again: made in [since, until), in this state, to this very URL. None: any."""

    since: int | None = None
    until: int | None = None
    state: DeliveryState | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each there are, and since when the oldest pending delivery waits.

    ``expiring``: pending deliveries whose result is in the last quarter of its life, or past it. ``shut``:
    endpoints that are ``closed`` by an outage while something waits for them, or held as ``paused`` or
    ``gone``. ``troubled``: live watches in trouble, ``lasting`` those for a minute or more. ``refused``:
    pending deliveries that a receiver has refused for what they are. These counts end at 10 000.
    """

    watches: Mapping[WatchState, int] = field(default_factory=dict)
    deliveries: Mapping[DeliveryState, int] = field(default_factory=dict)
    oldest_pending_at: int | None = None
    expiring: int = 0
    shut: Mapping[str, int] = field(default_factory=dict)
    troubled: int = 0
    lasting: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class AttemptRecorded:
    """An attempt has been kept. ``gate`` says how its endpoint stands, where that was just shut or opened."""

    endpoint_id: str
    gate: str | None = None
