"""Render the pages of one watch and of one delivery, without scripts. Pure."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw

from notifier.api.schemas import AttemptBody, CallbackBody, DeliveryBody, ErrorBody, MomentBody, WatchBody
from notifier.core.causes.failures import find_attempt_fix
from notifier.core.formats.text import describe_task_error
from notifier.web import labels
from notifier.web.filters import Html, definition_list, instant, join, table, tag, timed
from notifier.web.overview import delivery_rows, fix_line, fixed, state

MAX_JSON_CHARS = 200_000  # a payload of 4 MiB, indented, took 1.4 s and 516 MiB (commit 32831e4)
CUT = "\n… (cut; the API has all of it)"


def watch_page(watch: WatchBody, timeline: Sequence[MomentBody], now: int) -> Html:
    """Render the content of ``main`` for a watch."""
    return join(
        tag("p", tag("a", "All watches", href="/"), class_="back"),
        tag("h1", f"Task {watch.task_id}", class_="title"),
        definition_list(
            [(labels.field_label(name), _fact_of_watch(watch, name, now)) for name in labels.FIELDS["watch"]]
        ),
        _results(watch, now),
        _deliveries(watch, now),
        _timeline(timeline, now),
        _json("payload", watch.payload),
        _json("metadata", watch.metadata),
    )


def delivery_page(delivery: DeliveryBody, now: int) -> Html:
    """Render the content of ``main`` for a delivery with its attempts."""
    names = labels.FIELDS["delivery"]
    return join(
        tag("p", tag("a", "Its watch", href=f"/watches/{delivery.watch_id}"), class_="back"),
        tag("h1", f"{delivery.type} to {delivery.url}", class_="title"),
        definition_list(
            [(labels.field_label(name), _fact_of_delivery(delivery, name, now)) for name in names]
        ),
        _attempts(delivery.attempts if isinstance(delivery.attempts, list) else [], now),
    )


def _fact_of_watch(watch: WatchBody, name: str, now: int) -> str:
    match name:
        case "state":
            return state(watch.state)
        case "trouble":
            return _trouble(watch, now)
        case "error":
            return _error(watch.error)
        case "callbacks":
            return join(*(_callback(each) for each in watch.callbacks))
        case "polls":
            return str(watch.polls)
        case "expires_at" if watch.ended_at is not None:
            return ""
    return _fact(getattr(watch, name), name, now)


def _fact_of_delivery(delivery: DeliveryBody, name: str, now: int) -> str:
    match name:
        case "state":
            return state(delivery.state)
        case "held":
            return _held(delivery, now)
        case "next_attempt_at" if delivery.held is not UNSET:
            return ""
        case "last_error" if delivery.last_error:
            return join(delivery.last_error, fix_line(_attempt_fix(delivery)))
        case "watch_id":
            return tag("a", delivery.watch_id, href=f"/watches/{delivery.watch_id}")
        case "give_up_at" if delivery.ended_at is not None:
            return ""
    return _fact(getattr(delivery, name), name, now)


def _fact(value: str | None, name: str, now: int) -> str:
    if name.endswith("_at"):
        return instant(value, now, due=labels.DUE if name.startswith("next_") else "")
    return tag("code", value) if value and (name == "id" or "_" in name) else value or ""


def _trouble(watch: WatchBody, now: int) -> str:
    if watch.trouble is None:
        return ""
    return join(tag("span", timed(watch.trouble, now), class_="trouble"), fixed(watch.cause))


def _held(delivery: DeliveryBody, now: int) -> str:
    if delivery.held is UNSET:
        return ""
    return join(timed(delivery.held, now), fixed(delivery.cause))


def _attempt_fix(delivery: DeliveryBody) -> str:
    last = delivery.attempts[-1] if isinstance(delivery.attempts, list) and delivery.attempts else None
    return "" if last is None else find_attempt_fix(last.status, last.failure)


def _error(error: ErrorBody | None) -> str:
    return "" if error is None else describe_task_error(error.source, error.code, error.title, error.detail)


def _callback(callback: CallbackBody) -> Html:
    return tag("div", tag("code", callback.url), " ", tag("small", ", ".join(callback.events)))


def _results(watch: WatchBody, now: int) -> Html:
    """Render links to the first ``MAX_RESULTS`` outputs, and links to see them through the daemon."""
    if not watch.outputs:
        return Html("")
    visible = watch.outputs[: labels.MAX_RESULTS]
    outputs = [tag("li", _link(url), _picture(watch, number)) for number, url in enumerate(visible)]
    if more := len(watch.outputs) - len(visible):
        outputs.append(tag("li", labels.MORE_RESULTS.format(count=more)))
    life = Html("")
    if watch.result_expires_at is not None:
        life = tag("p", f"{labels.GOOD_UNTIL} ", instant(watch.result_expires_at, now), class_="soft")
    return _section("results", join(tag("ul", *outputs, class_="results"), life))


def _link(url: str) -> Html:
    return tag("a", url, href=url, rel="noopener noreferrer") if _is_web(url) else tag("code", url)


def _picture(watch: WatchBody, number: int) -> Html:
    """Render a link to an image through the daemon; nothing for a name that ends like another media type."""
    url = watch.outputs[number]
    name = url.partition("#")[0].partition("?")[0]
    if not _is_web(url) or name.lower().endswith(labels.NO_PICTURES):
        return Html("")
    path = f"/v1/watches/{watch.id}/outputs/{number}"
    return tag("div", tag("a", labels.SHOW, href=path), class_="shown")


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _deliveries(watch: WatchBody, now: int) -> Html:
    if not watch.deliveries:
        return Html("")
    rows = delivery_rows(watch.deliveries, now)
    return _section(
        "deliveries", table(labels.TITLES["deliveries"], labels.COLUMNS["deliveries"], rows, is_wide=True)
    )


def _timeline(timeline: Sequence[MomentBody], now: int) -> Html:
    rows = [
        (tag("time", each.at[11:23], datetime=each.at), each.kind, timed(each.text, now)) for each in timeline
    ]
    return _section(
        "timeline", table(labels.TITLES["timeline"], labels.COLUMNS["timeline"], rows, is_wide=True)
    )


def _attempts(attempts: Sequence[AttemptBody], now: int) -> Html:
    if not attempts:
        return _section("attempts", tag("p", labels.EMPTY["attempts"]))
    rows = [_attempt(each, now) for each in attempts]
    return _section(
        "attempts", table(labels.TITLES["attempts"], labels.COLUMNS["attempts"], rows, is_wide=True)
    )


def _attempt(attempt: AttemptBody, now: int) -> tuple[str, ...]:
    return (
        str(attempt.number),
        instant(attempt.at, now),
        join(f"{attempt.duration_ms} ms", tag("small", times(attempt))),
        "" if attempt.status is None else str(attempt.status),
        attempt.error or "",
        tag("pre", attempt.answer, tabindex="0") if attempt.answer else "",
    )


def times(attempt: AttemptBody) -> str:
    """Describe how the time of an attempt was spent, and the address of the receiver."""
    parts = (
        "" if attempt.connect_ms is None else f"connected after {attempt.connect_ms} ms",
        "" if attempt.first_byte_ms is None else f"answered after {attempt.first_byte_ms} ms",
    )
    spent = ", ".join(part for part in parts if part)
    peer = f"to {attempt.peer}" if attempt.peer else ""
    return "; ".join(part for part in (spent, peer) if part)


def _json(name: str, raw: Raw) -> Html:
    """Render JSON of the user or provider, indented; numbers stay as they were written.

    Text that will be cut is not indented, because indentation may make it a hundred times as long.
    """
    compact = bytes(raw)
    if compact in (b"null", b"{}", b""):
        return Html("")
    spread = msgspec.json.format(compact, indent=2) if len(compact) <= MAX_JSON_CHARS else compact
    written = spread.decode()
    visible = written if len(written) <= MAX_JSON_CHARS else written[:MAX_JSON_CHARS] + CUT
    return _section(name, tag("pre", visible, tabindex="0"))


def _section(name: str, content: Html) -> Html:
    title = labels.TITLES[name]
    return tag("section", tag("h2", title), content, aria_label=title)
