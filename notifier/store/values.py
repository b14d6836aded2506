"""Arguments and results of the verbs of a store: plain values."""

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
    """The owner of a claim, and the time until which nobody else may claim the row."""

    owner: str
    until: int


@dataclass(frozen=True, slots=True)
class WatchAdded:
    """The watch of a registration; ``is_new`` is False if it existed before."""

    watch: Watch
    is_new: bool


@dataclass(frozen=True, slots=True)
class WatchLimitReached:
    """A registration or resume was refused: ``live`` watches are the limit."""

    live: int


@dataclass(frozen=True, slots=True)
class CallbackLimitReached:
    """A registration was refused: ``count`` callbacks are more than ``core.model.MAX_CALLBACKS``."""

    count: int


@dataclass(frozen=True, slots=True)
class ReplayLimitReached:
    """A replay was refused: ``under_way`` replays are the limit."""

    under_way: int


# Trade-off: each round of a watch makes up to 16 deliveries, and all are kept until the watch is forgotten.
MAX_ROUNDS = 20


class ChangeRefused(StrEnum):
    """Why a watch, delivery or endpoint was not changed."""

    UNKNOWN_ID = "unknown_id"
    CONFLICT = "conflict"
    TOO_MANY_ROUNDS = "too_many_rounds"


@dataclass(frozen=True, slots=True)
class ClaimedWatches:
    """Watches to poll now, most overdue first.

    ``next_due_at`` is when the first unclaimed watch is due; it is None for a claim by deadlines.
    ``durations`` are the learned durations of their api_paths.
    """

    watches: tuple[Watch, ...]
    next_due_at: int | None
    durations: Mapping[str, TaskDurations] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PathDurations:
    """The learned durations of one api_path."""

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
    """A watch with its latest event, which holds the payload, and its deliveries, oldest first."""

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
    """The rows of the requested ids that exist, oldest first."""

    watches: tuple[Watch, ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class RecentActivity:
    """The latest ends of watches, and the times from the creation of a delivery to its first 2xx."""

    ends: tuple[FinishedTask, ...]
    callbacks_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """A page of watches, newest first. ``before`` is the last id of the page before."""

    state: WatchState | None = None
    provider: str | None = None
    task_id: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """A page of deliveries, newest first. ``before`` is the last id of the page before."""

    state: DeliveryState | None = None
    watch_id: str | None = None
    url: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class EndpointDetail:
    """An endpoint with its health and the number of its deliveries.

    ``pending`` counts waiting deliveries and those in flight; ``oldest_pending_at`` is None if there are
    none.
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
    """Which deliveries to send again: created in [since, until), of this state, to this URL; None is any."""

    since: int | None = None
    until: int | None = None
    state: DeliveryState | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows by state, and the creation of the oldest pending delivery.

    ``expiring`` counts pending deliveries whose result is in the last quarter of its life, or expired.
    ``shut`` counts endpoints that are held: by an outage (``closed``) while something waits, ``paused`` or
    ``gone``. ``troubled`` counts live watches in trouble, ``lasting`` those for a minute or more. ``refused``
    counts pending deliveries that a receiver refused because of the event. These counts stop at 10 000.
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
    """An attempt was recorded. ``new_health`` belongs to its endpoint, if its gate closed or opened."""

    endpoint_id: str
    new_health: EndpointHealth | None = None
