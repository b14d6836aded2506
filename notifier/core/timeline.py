"""Build the timeline of a watch: one line of text for each poll, action, decision and attempt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from notifier.core.causes.cause import Condition, EndpointSubject
from notifier.core.formats.times import format_instant
from notifier.core.formats.urls import url_to_endpoint
from notifier.core.model import Attempt, Delivery, DeliveryState, Watch

MAX_POLLS = 50  # CONTRACT, HTTP: the last 50
MAX_ACTIONS = 14  # with the polls 64 rows per watch; no record of why; changing it needs a measurement


class TimelineKind(StrEnum):
    """The kind of an entry."""

    REGISTERED = "registered"
    POLL = "poll"
    STOPPED = "stopped"
    RESUMED = "resumed"
    DECISION = "decision"
    DELIVERY = "delivery"
    ATTEMPT = "attempt"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a timeline. ``delivery_id`` and ``number`` name its delivery and attempt."""

    at: int
    kind: TimelineKind
    text: str
    delivery_id: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """The end of one round: the type of its event, and the time."""

    at: int
    type: str


@dataclass(frozen=True, slots=True)
class WatchHistory:
    """Everything that is stored of a watch. ``entries`` are its polls and the actions of users, in any order.

    ``round_ends`` are in the order of the rounds.
    """

    watch: Watch
    entries: Sequence[TimelineEntry] = ()
    round_ends: Sequence[RoundEnd] = ()
    deliveries: Sequence[tuple[Delivery, Sequence[Attempt]]] = ()


def build_timeline(history: WatchHistory, condition: Condition | None = None) -> list[TimelineEntry]:
    """Build the entries in the order of time; those of one millisecond in the order of cause and effect.

    ``condition`` is why the provider or the api_path of the watch is held back now.
    """
    entries = [
        TimelineEntry(
            history.watch.registered_at, TimelineKind.REGISTERED, _describe_registration(history.watch)
        ),
        *history.entries,
        *_list_decisions(history),
        *_list_holds(condition),
        *(entry for delivery, attempts in history.deliveries for entry in _list_attempts(delivery, attempts)),
    ]
    order = {kind: place for place, kind in enumerate(TimelineKind)}  # of cause and effect
    entries_by_cause = sorted(entries, key=lambda entry: (entry.at, order[entry.kind]))
    last_entries = [_make_last_entry(delivery, attempts) for delivery, attempts in history.deliveries]
    return sorted([*entries_by_cause, *last_entries], key=lambda entry: entry.at)


def _describe_registration(watch: Watch) -> str:
    count = len(watch.callbacks)
    callbacks = f"{count} callback{'' if count == 1 else 's'}"
    deadline = format_instant(watch.expires_at)
    return f"{watch.provider} task {watch.task_id}, {callbacks}; watched until {deadline}"


def _list_decisions(history: WatchHistory) -> Iterable[TimelineEntry]:
    for count, end in enumerate(history.round_ends, 1):
        text = end.type
        if count == len(history.round_ends) and text == f"task.{history.watch.state}":
            text = f"{text}: {_describe_outcome(history.watch)}"
        yield TimelineEntry(end.at, TimelineKind.DECISION, text)


def _list_holds(condition: Condition | None) -> Iterable[TimelineEntry]:
    if condition is not None and condition.since is not None:
        subject = "" if condition.is_of_path else "its provider is held back: "
        yield TimelineEntry(condition.since, TimelineKind.DECISION, f"{subject}{condition.text()}")


def _describe_outcome(watch: Watch) -> str:
    if watch.error is not None:
        return "; ".join(part for part in (watch.error.title, watch.error.detail) if part)
    count = len(watch.outputs)
    outputs = f"{count} output{'' if count == 1 else 's'}"
    if watch.result_expires_at is None:
        return outputs
    return f"{outputs}, to be had until {format_instant(watch.result_expires_at)}"


def _list_attempts(delivery: Delivery, attempts: Sequence[Attempt]) -> Iterable[TimelineEntry]:
    to = url_to_endpoint(delivery.url)
    if attempts or delivery.ended_at is not None:
        yield TimelineEntry(
            delivery.created_at, TimelineKind.DELIVERY, f"{delivery.type} to {to}: made", delivery.id
        )
    for attempt in attempts:
        text = f"attempt {attempt.number} to {to}: {_describe_attempt(attempt)}"
        yield TimelineEntry(attempt.at, TimelineKind.ATTEMPT, text, delivery.id, attempt.number)


def _make_last_entry(delivery: Delivery, attempts: Sequence[Attempt]) -> TimelineEntry:
    """Describe the state of a delivery, at its end or after its last entry."""
    last = max([delivery.created_at, *(attempt.at for attempt in attempts)])
    at = last if delivery.ended_at is None else delivery.ended_at
    text = f"{delivery.type} to {url_to_endpoint(delivery.url)}: {_describe_state(delivery)}"
    return TimelineEntry(at, TimelineKind.DELIVERY, text, delivery.id)


def _describe_state(delivery: Delivery) -> str:
    if delivery.state is DeliveryState.DELIVERED:
        return "delivered"
    if delivery.state is DeliveryState.DEAD:
        return f"dead, {delivery.last_error}"
    if delivery.held is not None:
        url = url_to_endpoint(delivery.url)
        fix = delivery.held.cause.fix(EndpointSubject(url, url))
        return f"pending, held back: {delivery.held.text}; {fix}"
    return (
        "pending"
        if delivery.due_at is None
        else f"pending, next attempt at {format_instant(delivery.due_at)}"
    )


def _describe_attempt(attempt: Attempt) -> str:
    what = attempt.error or f"HTTP {attempt.status}"
    return f"{what}, after {attempt.duration_ms} ms"
