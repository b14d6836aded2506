"""Arguments and results of the verbs of a store: plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from notifier.byte_budget import UNCOUNTED_BYTES
from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.delivery.endpoint import EndpointHealth
from notifier.core.delivery.slots import SlotUsage
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
from notifier.core.states import WatchAction
from notifier.core.task_statistics import FinishedTask

MANY_SLOTS = SlotUsage(1_000)  # more than a claim asks for, so that only its other limits count
MAX_CLAIMED_BYTES = 32 << 20  # of bodies in flight: by default 32 at once, with a payload of 1 MiB each
MAX_DELIVERIES = 500  # shown with one watch, as of a page (CONTRACT, HTTP); GET /v1/deliveries lists all
MAX_PAGE_BYTES = 4 << 20  # of a page, as much as a batch may have; 500 watches without many outputs have less
MAX_BULK_CHANGES = 100  # CONTRACT P5: every queue is bounded; no record of why this number


@dataclass(frozen=True, slots=True)
class Lease:
    """The owner of a claim, and the time until which nobody else may claim the row."""

    owner: str
    until: int


@dataclass(frozen=True, slots=True)
class WatchAdded:
    """The watch of a registration; ``is_new`` is False if it existed before.

    ``is_cut``: its outputs were left out, because the watches before it have ``MAX_PAGE_BYTES``.
    """

    watch: Watch
    is_new: bool
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class WatchLimitReached:
    """A registration or resume was refused: ``live`` watches are the limit."""

    live: int


@dataclass(frozen=True, slots=True)
class CallbackLimitReached:
    """A registration was refused: ``count`` callbacks are more than ``core.model.MAX_CALLBACKS``."""

    count: int


@dataclass(frozen=True, slots=True)
class BulkLimitReached:
    """A bulk change was refused: ``under_way`` of its queue are the limit."""

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
    """Watches to poll now.

    ``next_due_at`` is when the next watch comes due; it is None for a claim by deadlines. ``durations`` are
    the learned durations of their api_paths. ``has_more``: more may be due, and wait for room.
    """

    watches: tuple[Watch, ...]
    next_due_at: int | None
    durations: Mapping[str, TaskDurations] = field(default_factory=dict)
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class ProviderBreaker:
    """The circuit breaker of an api_path, or of the provider itself (None), and since when it fails."""

    provider: str
    api_path: str | None
    breaker: CircuitBreaker
    failing_since: int | None


@dataclass(frozen=True, slots=True)
class DeferredPath:
    """An api_path with watches that the ``Retry-After`` of a failure put off, by a 429 or another one."""

    provider: str
    api_path: str
    is_throttled: bool


@dataclass(frozen=True, slots=True)
class PollingState:
    """What the poller reads at its start."""

    breakers: tuple[ProviderBreaker, ...]
    deferred: tuple[DeferredPath, ...]


@dataclass(frozen=True, slots=True)
class PathDurations:
    """The learned durations of one api_path."""

    provider: str
    api_path: str
    durations: TaskDurations


@dataclass(frozen=True, slots=True)
class ClaimedDeliveries:
    """Deliveries to send now; ``next_due_at`` is when the first unclaimed one is due.

    ``lacks_memory``: others are due that have to wait until those in flight have ended.
    """

    deliveries: tuple[ClaimedDelivery, ...]
    next_due_at: int | None
    lacks_memory: bool = False


def count_body_bytes(delivery: ClaimedDelivery) -> int:
    """Count the bytes of a body towards ``MAX_CLAIMED_BYTES``; short ones are not counted."""
    size = len(delivery.body)
    return size if size > UNCOUNTED_BYTES else 0


@dataclass(frozen=True, slots=True)
class RateAllowance:
    """How many deliveries may start now at the origins in ``tokens``; at each other one, ``burst``."""

    burst: int
    tokens: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WatchDetail:
    """A watch with its latest event, and its newest deliveries (``MAX_DELIVERIES``), oldest first."""

    watch: Watch
    event: Event | None
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A delivery with its attempts, oldest first."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


def count_row_bytes(row: Watch | Delivery) -> int:
    """Count the characters of what may be long in a row."""
    if isinstance(row, Delivery):
        return len(row.url) + len(row.last_error or "")
    callbacks = sum(len(each.url) + sum(map(len, chain(*each.headers))) for each in row.callbacks)
    return callbacks + len(row.metadata) + sum(map(len, row.outputs))


def is_page_full(rows: Sequence[Watch] | Sequence[Delivery]) -> bool:
    """Return whether a page ends with its last row because of its size, so that there may be more rows."""
    return sum(map(count_row_bytes, rows)) >= MAX_PAGE_BYTES


@dataclass(frozen=True, slots=True)
class RowsById:
    """The rows of the requested ids that exist, oldest first. ``is_cut``: there are more than were read."""

    watches: tuple[Watch, ...]
    deliveries: tuple[Delivery, ...]
    is_cut: bool = False


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
class WatchChange:
    """Which watches to stop or to resume: in [since, until), of this state, provider and path; None is any.

    The time of a live watch is its registration, that of another its end. ``expire_after_ms`` is the new
    deadline of a resumed watch, None: that of its provider.
    """

    action: WatchAction
    since: int | None = None
    until: int | None = None
    state: WatchState | None = None
    provider: str | None = None
    api_path: str | None = None
    expire_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class WatchesChanged:
    """One step of a bulk change: the ids of the watches, and how many did not fit the limit of live ones."""

    ids: tuple[str, ...]
    refused: int = 0


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
class PruneStep:
    """How many watches one step deleted, and where the next one starts; ``place`` is None at the end.

    ``has_excess``: there are still more attempts than their limit.
    """

    count: int
    place: tuple[int, int] | None
    has_excess: bool = False


@dataclass(frozen=True, slots=True)
class AttemptRecorded:
    """An attempt was recorded. ``new_health`` belongs to its endpoint, if its gate closed or opened."""

    endpoint_id: str
    new_health: EndpointHealth | None = None
