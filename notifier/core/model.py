"""The nouns: watch, event, delivery, attempt.

Instants are integers, milliseconds since the Unix epoch, named ``…_at``. Durations are integers in
milliseconds, named ``…_ms``. JSON that only passes through (metadata, payloads) stays text, so that it
comes back to the byte as it came in.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from notifier.core.causes.cause import Cause


class WatchState(StrEnum):
    """Where a watch stands; ``core/transitions.py`` says which may follow which."""

    WATCHING = "watching"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"
    STOPPED = "stopped"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class EventType(StrEnum):
    """What a callback can tell; a ``stopped`` watch tells nothing."""

    COMPLETED = "task.completed"
    FAILED = "task.failed"
    CANCELLED = "task.cancelled"
    EXPIRED = "task.expired"
    LOST = "task.lost"


@dataclass(frozen=True, slots=True)
class Callback:
    """One receiver of a watch: its URL, the events it wants, headers it asked to be sent."""

    url: str
    events: tuple[EventType, ...] = tuple(EventType)
    headers: tuple[tuple[str, str], ...] = ()


MAX_CALLBACKS = 16  # of one watch: each is a delivery, and all stand in its row


@dataclass(frozen=True, slots=True)
class NewWatch:
    """A registration that passed validation and is not stored yet.

    ``metadata`` is JSON text. ``first_poll_at`` and ``expires_at`` follow from the polling policy; what was
    learned of such tasks may put the first poll off until ``first_poll_by``, None: it may not.
    ``traceparent`` is the trace that it belongs to (``core/trace.py``), if any.
    """

    provider: str
    api_path: str
    task_id: str
    callbacks: tuple[Callback, ...]
    metadata: str
    registered_at: int
    first_poll_at: int
    expires_at: int
    first_poll_by: int | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why polling is not progressing, and since when."""

    cause: Cause
    since: int


@dataclass(frozen=True, slots=True)
class MissingStreak:
    """How often in a row, and since when, the provider said that it does not know the task."""

    count: int
    since: int


@dataclass(frozen=True, slots=True)
class TaskError:
    """The ``error`` of an outcome. ``source`` is ``provider`` or ``notifier``."""

    source: str
    code: int | str | None
    title: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class Watch:
    """One upstream task that we poll, as it stands in the store.

    ``interval_ms`` is the last wait between two polls (0 before the first). ``due_at`` is None once the
    watch has ended. ``round`` counts resumes: each round ends in one event at most.
    """

    id: str
    provider: str
    api_path: str
    task_id: str
    state: WatchState
    callbacks: tuple[Callback, ...]
    metadata: str
    registered_at: int
    expires_at: int
    due_at: int | None
    round: int = 0
    interval_ms: int = 0
    polls: int = 0
    last_polled_at: int | None = None
    upstream_status: str | None = None
    task_created_at: int | None = None
    trouble: Trouble | None = None
    missing: MissingStreak | None = None
    ended_at: int | None = None
    outputs: tuple[str, ...] = ()
    result_expires_at: int | None = None
    error: TaskError | None = None
    traceparent: str | None = None


def shift_watch(watch: Watch, delta_ms: int, *, since: int) -> Watch:
    """Return the watch on a clock that was stepped by ``delta_ms`` while it was in our hands.

    ``since`` is when we began, by the clock as it was: what is older was told by a clock of before.
    """
    if delta_ms == 0:
        return watch
    last = watch.last_polled_at
    return replace(
        watch,
        expires_at=watch.expires_at + delta_ms,
        registered_at=watch.registered_at + (delta_ms if watch.registered_at >= since else 0),
        last_polled_at=last + delta_ms if last is not None and last >= since else last,
        trouble=watch.trouble and Trouble(watch.trouble.cause, watch.trouble.since + delta_ms),
        missing=watch.missing and MissingStreak(watch.missing.count, watch.missing.since + delta_ms),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """The outcome of one round of a watch. ``body`` is what every attempt sends, byte for byte."""

    id: str
    watch_id: str
    round: int
    type: EventType
    at: int
    body: bytes
    result_expires_at: int | None


@dataclass(frozen=True, slots=True)
class DeliveryHold:
    """What holds a delivery back: how the gate of its endpoint stands, in words, and why."""

    text: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one callback URL. ``due_at`` is None unless it is pending.

    ``held`` is what holds it back, None where nothing does.
    """

    id: str
    event_id: str
    watch_id: str
    type: EventType
    url: str
    state: DeliveryState
    attempts: int
    created_at: int
    due_at: int | None
    give_up_at: int
    ended_at: int | None
    last_error: str | None
    result_expires_at: int | None
    held: DeliveryHold | None = None


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that is claimed and may now be sent: all that one attempt needs.

    ``number`` is that of the attempt about to be made. ``is_maybe_duplicate``: an earlier attempt was
    claimed and never recorded, so the receiver may have had this message already. ``refusals`` are earlier
    attempts that spoke against the event itself. ``is_probe``: it tries an endpoint that is held to be down;
    ``is_trial``: one that has yet to show that it takes anything.
    """

    delivery_id: str
    event_id: str
    watch_id: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    number: int
    created_at: int
    give_up_at: int
    result_expires_at: int | None
    is_maybe_duplicate: bool
    refusals: int = 0
    is_probe: bool = False
    is_trial: bool = False
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The lasting record of one try. Either ``status`` or ``error`` is set, or both.

    ``failure`` is the class of the error (``dns``, ``timeout``, ``http_5xx`` …), ``peer`` the address that
    was spoken to. ``connect_ms`` is None when a connection was reused.
    """

    number: int
    at: int
    duration_ms: int
    status: int | None
    error: str | None
    answer: str | None
    failure: str | None = None
    peer: str | None = None
    connect_ms: int | None = None
    first_byte_ms: int | None = None
