"""The page as it is before any script runs: read-only, and whole without one. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.api.html import Html, join, moment, table, tag
from notifier.api.shapes import DeliveryBody, StatusBody, WatchBody

EXAMPLE_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
_WATCH_HEADS = ("Task", "Provider", "State", "Registered", "Polls", "Next poll", "Note")
_DELIVERY_HEADS = ("Event", "URL", "State", "Tries", "Last answer", "Next try", "Result expires")
_SCRIPTLESS = "Without JavaScript this page is read-only; reload it for news."


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows first. ``origin`` is how its reader named the daemon: ``http://host:port``."""

    origin: str
    now: int
    status: StatusBody
    watches: Sequence[WatchBody]
    deliveries: Sequence[DeliveryBody]


def overview(shown: Overview) -> Html:
    """Write what goes into ``main``."""
    return join(
        tag("p", shown.status.summary, class_="summary"),
        tag("noscript", tag("p", _SCRIPTLESS)),
        _tiles(shown.status),
        _section("watches", "Newest watches", _watches(shown)),
        _section("deliveries", "Newest deliveries", _deliveries(shown)),
        _section("providers", "Providers", _providers(shown.status.providers)),
    )


def registration_line(origin: str) -> str:
    """Write the command that registers a task here."""
    body = f'{{"api_path":"{EXAMPLE_PATH}","task_id":"TASK_ID","callback_url":"http://127.0.0.1:9001/hook"}}'
    return f"curl -X POST {origin}/v1/watches -H 'Content-Type: application/json' -d '{body}'"


def _tiles(status: StatusBody) -> Html:
    counts = [
        *((f"watches {word}", count) for word, count in status.watches.items()),
        *((f"deliveries {word}", count) for word, count in status.deliveries.items()),
    ]
    tiles = [tag("li", tag("strong", str(count)), " ", word) for word, count in counts]
    return tag("ul", *tiles, class_="tiles")


def _watches(shown: Overview) -> Html:
    if not shown.watches:
        return join(
            tag("p", "No task has been registered yet. This registers one:"),
            tag("pre", tag("code", registration_line(shown.origin)), tabindex="0"),
        )
    return table("Newest watches", _WATCH_HEADS, [_watch(each, shown.now) for each in shown.watches])


def _watch(watch: WatchBody, now: int) -> tuple[str, ...]:
    note = watch.trouble or watch.upstream_status or ""
    return (
        join(tag("code", watch.task_id), tag("small", watch.api_path)),
        watch.provider,
        watch.state.value,
        moment(watch.registered_at, now),
        str(watch.polls),
        moment(watch.next_poll_at, now),
        note if watch.error is None else watch.error.title,
    )


def _deliveries(shown: Overview) -> Html:
    if not shown.deliveries:
        return tag("p", "No task has ended yet; each end makes one delivery for each of its callback URLs.")
    rows = [_delivery(each, shown.now) for each in shown.deliveries]
    return table("Newest deliveries", _DELIVERY_HEADS, rows)


def _delivery(delivery: DeliveryBody, now: int) -> tuple[str, ...]:
    tries = delivery.attempts if isinstance(delivery.attempts, int) else len(delivery.attempts)
    return (
        delivery.type.value,
        tag("code", delivery.url),
        delivery.state.value,
        str(tries),
        delivery.last_error or "",
        moment(delivery.next_attempt_at, now),
        moment(delivery.result_expires_at, now),
    )


def _providers(providers: Mapping[str, str]) -> Html:
    rows: list[tuple[str, ...]] = list(providers.items())
    return table("Providers", ("Name", "Condition"), rows)


def _section(name: str, title: str, content: Html) -> Html:
    return tag("section", tag("h2", title, id=name), content, aria_labelledby=name)
