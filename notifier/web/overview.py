"""The first page as it is before any script runs: read-only, and whole without one. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode

from notifier.api.plots import PlotsBody
from notifier.api.schemas import CauseBody, DeliveryBody, EndpointBody, EndpointState, StatusBody, WatchBody
from notifier.core.model import WatchState
from notifier.web import labels
from notifier.web.charts import draw_plots
from notifier.web.filters import Html, age, instant, join, moment, table, tag, timed

_SCRIPTLESS = "Without JavaScript this page is read-only; reload it for news."


@dataclass(frozen=True, slots=True)
class PageFilter:
    """What its address asks for: a state of each list, or ``all``; or one task by its id."""

    watches: str = labels.LIVE
    deliveries: str = labels.ALL
    task: str = ""

    def address(self, **other: str) -> str:
        """Write the address of this page with other wishes; those that go without saying are left out."""
        wishes = {"watches": self.watches, "deliveries": self.deliveries, **other}
        usual = {"watches": labels.LIVE, "deliveries": labels.ALL}
        said = {name: value for name, value in wishes.items() if value != usual[name]}
        return f"/?{urlencode(said)}" if said else "/"


@dataclass(frozen=True, slots=True)
class OverviewData:
    """What the page shows first. ``register`` is the command that registers a task at this daemon."""

    register: str
    now: int
    wanted: PageFilter
    status: StatusBody
    watches: Sequence[WatchBody]
    deliveries: Sequence[DeliveryBody]
    endpoints: Sequence[EndpointBody]
    plots: PlotsBody


def overview(shown: OverviewData) -> Html:
    """Write what goes into ``main``."""
    status = shown.status
    return join(
        tag("h1", "What is being watched and delivered", class_="unseen"),
        _summary(status, shown.now),
        tag("noscript", tag("p", _SCRIPTLESS)),
        _tiles("watches", status.watches, shown.wanted),
        _tiles("deliveries", status.deliveries, shown.wanted, _oldest(status, shown.now)),
        _section("watches", _watches(shown)),
        _section("deliveries", _deliveries(shown)),
        _section("endpoints", _endpoints(shown)),
        _section("plots", draw_plots(shown.plots)),
        _section("providers", _providers(status, shown.now)),
    )


def task_cell(watch: WatchBody) -> Html:
    """A task by its id, which leads to all about it, and what it was submitted to."""
    return join(tag("a", watch.task_id, href=f"/watches/{watch.id}"), tag("small", watch.api_path))


def delivery_rows(
    deliveries: Sequence[DeliveryBody], now: int, gates: Mapping[str, str] = MappingProxyType({})
) -> list[tuple[str, ...]]:
    """The rows of a table of deliveries.

    ``gates`` says how endpoints stand, by URL: what is due is held back where that is not open.
    """
    return [_delivery(each, now, gates.get(each.url.partition("?")[0], "")) for each in deliveries]


def state(word: str) -> Html:
    """A word of state, in its colour."""
    return tag("span", word, class_=f"state {word}")


def _summary(status: StatusBody, now: int) -> Html:
    class_ = f"summary {'well' if status.ok else 'ill'}"
    return tag("p", timed(status.summary, now), fixed(status.cause), class_=class_)


def _oldest(status: StatusBody, now: int) -> Html:
    if not status.deliveries.get("pending"):
        return Html("")
    waited = age(status.oldest_pending_at, now)
    return tag("li", f"{labels.OLDEST}: ", waited, class_="soft") if waited else Html("")


def _tiles(name: str, counts: Mapping[str, int], wanted: PageFilter, more: str = "") -> Html:
    """Links, one for each state, that filter a list."""
    chosen = "" if name == "watches" and wanted.task else getattr(wanted, name)
    tiles = []
    for word, count in ((labels.ALL, sum(counts.values())), *counts.items()):
        current = {"aria_current": "true"} if word == chosen else {}
        class_ = word if count else f"{word} none"
        to = wanted.address(**{name: word})
        tiles.append(
            tag("li", tag("a", tag("strong", str(count)), " ", word, href=to, class_=class_, **current))
        )
    title = labels.TITLES[name]
    return tag(
        "nav", tag("p", title), tag("ul", *tiles, more), class_="tiles", aria_label=f"{title} by state"
    )


def _watches(shown: OverviewData) -> Html:
    if shown.watches:
        rows = [_watch(each, shown.now) for each in shown.watches]
        return table(labels.TITLES["watches"], labels.HEADS["watches"], rows, is_wide=True)
    wanted, total = shown.wanted, sum(shown.status.watches.values())
    if wanted.task:
        return tag("p", labels.EMPTY["task"].format(task=wanted.task))
    if total and wanted.watches not in (labels.LIVE, labels.ALL):
        return tag("p", labels.EMPTY["watches"].format(state=wanted.watches))
    teaching = labels.EMPTY["idle" if total else "first"]
    return join(tag("p", teaching), tag("pre", tag("code", shown.register), tabindex="0"))


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
    """What is to be said of a watch in one cell: its trouble, why it failed, or the provider's word."""
    if watch.trouble:
        return tag("span", timed(watch.trouble, now), class_="trouble")
    if watch.error is not None:
        return watch.error.title
    return watch.upstream_status or "" if watch.state is WatchState.WATCHING else ""


def _deliveries(shown: OverviewData) -> Html:
    if shown.deliveries:
        gates = {each.url: each.state.value for each in shown.endpoints}
        rows = delivery_rows(shown.deliveries, shown.now, gates)
        return table(labels.TITLES["deliveries"], labels.HEADS["deliveries"], rows, is_wide=True)
    if sum(shown.status.deliveries.values()) and shown.wanted.deliveries != labels.ALL:
        return tag("p", labels.EMPTY["deliveries"].format(state=shown.wanted.deliveries))
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


def _endpoints(shown: OverviewData) -> Html:
    if not shown.endpoints:
        return tag("p", labels.EMPTY["endpoints"])
    held_first = sorted(shown.endpoints, key=lambda each: each.state is EndpointState.OPEN)
    rows = [_endpoint(each, shown.now) for each in held_first]
    return table(labels.TITLES["endpoints"], labels.HEADS["endpoints"], rows, is_wide=True)


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
    rows = [(name, _condition(text, causes.get(name), now)) for name, text in status.providers.items()]
    return table(labels.TITLES["providers"], labels.HEADS["providers"], rows)


def _condition(text: str, cause: CauseBody | None, now: int) -> Html:
    if cause is None:
        return tag("span", text, class_="ok")
    return join(tag("span", timed(text, now), class_="trouble"), fixed(cause))


def fixed(cause: CauseBody | None) -> Html:
    """Say what to do about a cause, on a line of its own; nothing where there is none."""
    return fix_line("" if cause is None else cause.fix)


def fix_line(fix: str) -> Html:
    """Say what to do, on a line of its own; nothing where that is not known."""
    return tag("span", f"fix: {fix}", class_="fix") if fix else Html("")


def _section(name: str, content: Html) -> Html:
    return tag("section", tag("h2", labels.TITLES[name], id=name), content, aria_labelledby=name)
