"""Render the overview, complete and read-only without scripts. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode

from notifier.api.plots import PlotsBody
from notifier.api.schemas import CauseBody, DeliveryBody, EndpointBody, EndpointState, WatchBody
from notifier.api.status_schemas import PathBody, StatusBody
from notifier.core.model import WatchState
from notifier.web import labels
from notifier.web.charts import draw_plots
from notifier.web.filters import Html, age, instant, join, moment, table, tag, timed

_SCRIPTLESS = "Without JavaScript this page is read-only; reload it for news."


@dataclass(frozen=True, slots=True)
class PageFilter:
    """What the address selects: a state of each list, or ``all``; or one task by its id."""

    watches: str = labels.LIVE
    deliveries: str = labels.ALL
    task: str = ""

    def address(self, **other: str) -> str:
        """Return the address with other values. Default values are left out."""
        values = {"watches": self.watches, "deliveries": self.deliveries, **other}
        defaults = {"watches": labels.LIVE, "deliveries": labels.ALL}
        query = {name: value for name, value in values.items() if value != defaults[name]}
        return f"/?{urlencode(query)}" if query else "/"


@dataclass(frozen=True, slots=True)
class OverviewData:
    """The data of the overview. ``register`` is the command that registers a task at this daemon."""

    register: str
    now: int
    page_filter: PageFilter
    status: StatusBody
    watches: Sequence[WatchBody]
    deliveries: Sequence[DeliveryBody]
    endpoints: Sequence[EndpointBody]
    plots: PlotsBody


def overview(data: OverviewData) -> Html:
    """Render the content of ``main``."""
    status = data.status
    return join(
        tag("h1", "What is being watched and delivered", class_="unseen"),
        _summary(status, data.now),
        tag("noscript", tag("p", _SCRIPTLESS)),
        _tiles("watches", status.watches, data.page_filter),
        _tiles("deliveries", status.deliveries, data.page_filter, _oldest(status, data.now)),
        _section("watches", _watches(data)),
        _section("deliveries", _deliveries(data)),
        _section("endpoints", _endpoints(data)),
        _section("plots", draw_plots(data.plots)),
        _section("providers", _providers(status, data.now)),
    )


def task_cell(watch: WatchBody) -> Html:
    """Render a task: its id, linked to its page, and its api_path."""
    return join(tag("a", watch.task_id, href=f"/watches/{watch.id}"), tag("small", watch.api_path))


def delivery_rows(
    deliveries: Sequence[DeliveryBody], now: int, gates: Mapping[str, str] = MappingProxyType({})
) -> list[tuple[str, ...]]:
    """Return the rows of a table of deliveries.

    ``gates`` are the states of endpoints by URL. A delivery that is due is held back unless its gate is open.
    """
    return [_delivery(each, now, gates.get(each.url.partition("?")[0], "")) for each in deliveries]


def state(word: str) -> Html:
    """Render a state, with the class of its colour."""
    return tag("span", word, class_=f"state {word}")


def _summary(status: StatusBody, now: int) -> Html:
    class_ = f"summary {'well' if status.ok else 'ill'}"
    return tag("p", timed(status.summary, now), fixed(status.cause), class_=class_)


def _oldest(status: StatusBody, now: int) -> Html:
    if not status.deliveries.get("pending"):
        return Html("")
    waited = age(status.oldest_pending_at, now)
    return tag("li", f"{labels.OLDEST}: ", waited, class_="soft") if waited else Html("")


def _tiles(name: str, counts: Mapping[str, int], page_filter: PageFilter, more: str = "") -> Html:
    """Render links, one for each state, that filter a list."""
    chosen = "" if name == "watches" and page_filter.task else getattr(page_filter, name)
    tiles = []
    for word, count in ((labels.ALL, sum(counts.values())), *counts.items()):
        current = {"aria_current": "true"} if word == chosen else {}
        class_ = word if count else f"{word} none"
        to = page_filter.address(**{name: word})
        tiles.append(
            tag("li", tag("a", tag("strong", str(count)), " ", word, href=to, class_=class_, **current))
        )
    title = labels.TITLES[name]
    return tag(
        "nav", tag("p", title), tag("ul", *tiles, more), class_="tiles", aria_label=f"{title} by state"
    )


def _watches(data: OverviewData) -> Html:
    if data.watches:
        rows = [_watch(each, data.now) for each in data.watches]
        return table(labels.TITLES["watches"], labels.COLUMNS["watches"], rows, is_wide=True)
    page_filter, total = data.page_filter, sum(data.status.watches.values())
    if page_filter.task:
        return tag("p", labels.EMPTY["task"].format(task=page_filter.task))
    if total and page_filter.watches not in (labels.LIVE, labels.ALL):
        return tag("p", labels.EMPTY["watches"].format(state=page_filter.watches))
    teaching = labels.EMPTY["idle" if total else "first"]
    return join(tag("p", teaching), tag("pre", tag("code", data.register), tabindex="0"))


def _watch(watch: WatchBody, now: int) -> tuple[str, ...]:
    return (
        task_cell(watch),
        watch.provider,
        state(watch.state.value),
        age(watch.registered_at, now),
        str(watch.polls),
        moment(watch.next_poll_at, now, due=labels.DUE),
        note(watch, now),
    )


def note(watch: WatchBody, now: int) -> str:
    """Render the note of a watch: its trouble, why it failed, or the provider's status."""
    if watch.trouble:
        return tag("span", timed(watch.trouble, now), class_="trouble")
    if watch.error is not None:
        return watch.error.title
    return watch.upstream_status or "" if watch.state is WatchState.WATCHING else ""


def _deliveries(data: OverviewData) -> Html:
    if data.deliveries:
        gates = {each.url: each.state.value for each in data.endpoints}
        rows = delivery_rows(data.deliveries, data.now, gates)
        return table(labels.TITLES["deliveries"], labels.COLUMNS["deliveries"], rows, is_wide=True)
    if sum(data.status.deliveries.values()) and data.page_filter.deliveries != labels.ALL:
        return tag("p", labels.EMPTY["deliveries"].format(state=data.page_filter.deliveries))
    return tag("p", labels.EMPTY["ends"])


def _delivery(delivery: DeliveryBody, now: int, gate: str) -> tuple[str, ...]:
    tries = delivery.attempts if isinstance(delivery.attempts, int) else len(delivery.attempts)
    return (
        tag("a", delivery.type.value, href=f"/deliveries/{delivery.id}"),
        tag("code", delivery.url),
        state(delivery.state.value),
        str(tries),
        age(delivery.created_at, now),
        delivery.last_error or "",
        moment(delivery.next_attempt_at, now, due=labels.HELD.get(gate, labels.DUE)),
        moment(delivery.result_expires_at, now),
    )


def _endpoints(data: OverviewData) -> Html:
    if not data.endpoints:
        return tag("p", labels.EMPTY["endpoints"])
    held_first = sorted(data.endpoints, key=lambda each: each.state is EndpointState.OPEN)
    rows = [_endpoint(each, data.now) for each in held_first]
    return table(labels.TITLES["endpoints"], labels.COLUMNS["endpoints"], rows, is_wide=True)


def _endpoint(endpoint: EndpointBody, now: int) -> tuple[str, ...]:
    gate = [tag("span", endpoint.gate, class_=endpoint.state.value)]
    if endpoint.since is not None:
        gate += [join(" since "), instant(endpoint.since, now)]
    if endpoint.next_probe_at is not None:
        gate += [join(", next probe "), moment(endpoint.next_probe_at, now, due=labels.DUE)]
    return (
        tag("code", endpoint.url),
        join(*gate, fixed(endpoint.cause)),
        str(endpoint.pending),
        age(endpoint.oldest_pending_at, now),
        str(endpoint.dead or ""),
    )


def _providers(status: StatusBody, now: int) -> Html:
    causes = status.provider_causes
    rows: list[tuple[str, Html]] = []
    for name, text in status.providers.items():
        rows.append((name, _condition(text, causes.get(name), now)))
        rows += [_path(path, now) for path in status.paths if path.provider == name]
    if status.more_paths:
        rows.append((labels.MORE_PATHS.format(count=status.more_paths), Html("")))
    return table(labels.TITLES["providers"], labels.COLUMNS["providers"], rows)


def _path(path: PathBody, now: int) -> tuple[str, Html]:
    text = [tag("span", timed(path.condition, now), class_="trouble")]
    if path.next_probe_at is not None:
        text += [join(", next probe "), moment(path.next_probe_at, now, due=labels.DUE)]
    return tag("code", path.api_path), join(*text, fixed(path.cause))


def _condition(text: str, cause: CauseBody | None, now: int) -> Html:
    if cause is None:
        return tag("span", text, class_="ok")
    return join(tag("span", timed(text, now), class_="trouble"), fixed(cause))


def fixed(cause: CauseBody | None) -> Html:
    """Render what to do about a cause, on its own line; nothing for None."""
    return fix_line("" if cause is None else cause.fix)


def fix_line(fix: str) -> Html:
    """Render what to do, on its own line; nothing for an empty text."""
    return tag("span", f"fix: {fix}", class_="fix") if fix else Html("")


def _section(name: str, content: Html) -> Html:
    return tag("section", tag("h2", labels.TITLES[name], id=name), content, aria_labelledby=name)
