"""Define the values that all rooms share: watch, event, delivery, attempt.

An instant is an integer, milliseconds since the Unix epoch, named ``…_at``. A duration is an integer in
milliseconds, named ``…_ms``. JSON that is only passed on (metadata, payloads) stays text, so that its bytes
do not change.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from notifier.core.causes.cause import Cause


class WatchState(StrEnum):
    """The state of a watch."""

    WATCHING = "watching"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"
    STOPPED = "stopped"


class DeliveryState(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class EventType(StrEnum):
    """The type of an event. A ``stopped`` watch has none."""

    COMPLETED = "task.completed"
    FAILED = "task.failed"
    CANCELLED = "task.cancelled"
    EXPIRED = "task.expired"
    LOST = "task.lost"


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback URL of a watch, with the events and custom headers to send to it."""

    url: str
    events: tuple[EventType, ...] = tuple(EventType)
    headers: tuple[tuple[str, str], ...] = ()


MAX_CALLBACKS = 16  # of one watch; CONTRACT, HTTP: 1 to 16


@dataclass(frozen=True, slots=True)
class NewWatch:
    """A validated registration that is not stored yet.

    ``metadata`` is JSON text. ``first_poll_at`` and ``expires_at`` follow from the polling settings. Learned
    durations may delay the first poll until ``first_poll_by``; None: they may not. ``traceparent`` is the
    trace of the registration (``formats/traceparent.py``), if it has one. ``poll_origin`` is scheme and host
    of the URL to poll, if they are not those of the provider's base URL; else empty.
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
    poll_origin: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why polling makes no progress, and since when."""

    cause: Cause
    since: int


@dataclass(frozen=True, slots=True)
class MissingStreak:
    """The replies in a row that do not know the task: their number, and the time of the first."""

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
    """The record of one task.

    ``interval_ms`` is the last wait between two polls, 0 before the first. ``due_at`` is None after the end.
    ``round`` counts resumes. Each round ends in at most one event. ``failures`` counts the latest polls in a
    row that brought nothing about the task.
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
    poll_origin: str = ""
    failures: int = 0


def shift_watch(watch: Watch, delta_ms: int, *, since: int) -> Watch:
    """Return the watch for a clock that was stepped by ``delta_ms`` while the watch was claimed.

    ``since`` is the start of this clock, by its time before the step. Older times are of another clock, so
    they do not move.
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
    """The outcome of one round of a watch. Every attempt sends the bytes of ``body``.

    ``payload`` is the provider's last reply where it is too large for the body; else it is None. Like the
    body of an event it is written once, and is not read with the event.
    """

    id: str
    watch_id: str
    round: int
    type: EventType
    at: int
    body: bytes
    result_expires_at: int | None
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class DeliveryHold:
    """Why a delivery is held back: the gate of its endpoint in words, and the cause."""

    text: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one callback URL.

    ``due_at`` is None unless it is pending. ``held`` is None unless it is held back.
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


class SlotClass(IntEnum):
    """What is known of an endpoint, which decides how many slots deliveries to it may use.

    ``FORCED`` is the class of a delivery that a user sends again by hand, wherever it goes.
    """

    PROVEN = 0
    RECOVERING = 1
    NEW = 2
    HANGING = 3
    FORCED = 4


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A claimed delivery, with everything that one attempt needs.

    ``number`` is the number of the next attempt. ``is_maybe_duplicate``: an earlier attempt was claimed and
    never recorded, so the receiver may have the event already. ``refusals`` counts earlier attempts that
    failed because of the event itself. ``is_probe``: the breaker of the endpoint blocks all but this one.
    ``slot_class`` is that of the endpoint (``delivery/slots.py``). ``has_accepted_others``: the endpoint
    accepted something since the last attempt of this delivery, or since its creation. ``is_replayed``: a user
    had it sent again.
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
    slot_class: SlotClass = SlotClass.PROVEN
    has_accepted_others: bool = False
    is_replayed: bool = False
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The record of one attempt. ``status``, ``error`` or both are set.

    ``failure`` is the class of the error (``dns``, ``timeout``, ``http_5xx`` …), ``peer`` the address of
    the receiver. ``connect_ms`` is None if a connection was reused.
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
