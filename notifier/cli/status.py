"""The command status: how the daemon is doing, in words, with what to do where something is not well."""

from collections.abc import Iterator, Mapping

import click
import msgspec

from notifier.cli.formatting import ENDPOINT_PAGE, Endpoint, in_short
from notifier.cli.options import CommandContext, example, pass_given, shared
from notifier.cli.output import (
    colour_state,
    escape,
    format_age,
    print_data,
    print_json,
    short_time,
    wrap,
)
from notifier.core.fixes import IDLE, fix_of, fix_of_receiver
from notifier.core.task_statistics import format_count

LABEL = 12
SHOWN = 5  # endpoints that are held back; more are counted


class Status(msgspec.Struct, frozen=True):
    """What ``GET /v1/status`` tells; what an older or newer daemon leaves out is empty."""

    version: str
    trouble: str | None = None
    watches: Mapping[str, int] = {}
    deliveries: Mapping[str, int] = {}
    oldest_pending_at: str | None = None
    expiring_results: int = 0
    troubled_watches: int = 0
    refused_deliveries: int = 0
    providers: Mapping[str, str] = {}


class Endpoints(msgspec.Struct, frozen=True):
    """A page of ``GET /v1/endpoints``."""

    endpoints: list[Endpoint] = []
    next_cursor: str | None = None


@click.command(
    "status",
    short_help="How the daemon is doing.",
    epilog=example("notifier status", "notifier status --json"),
)
@shared()
@pass_given
def status(given: CommandContext) -> int:
    """Show how many watches and deliveries there are, and what holds a provider or a receiver back.

    Ends with 0 whenever the daemon answers; `curl …/readyz` is for monitoring.
    """
    api = given.api()
    answer = api.request("GET", "/v1/status")
    if given.is_json:
        print_json(answer.raw)
        return 0
    known = answer.read(Status)
    page = api.request("GET", "/v1/endpoints", query={"limit": ENDPOINT_PAGE}).read(Endpoints)
    for line in format_status(known, page, at=answer.origin):
        print_data(line)
    return 0


def format_status(known: Status, page: Endpoints, *, at: str) -> Iterator[str]:
    """The whole picture, a subject a line."""
    doing = known.trouble or "working"
    yield from _subject("daemon", f"notifier {known.version} at {at}: {doing}")
    if known.trouble:
        yield from _subject("", f"fix: {fix_of(known.trouble)}")
    yield _counted("watches", known.watches)
    yield from _subject("", _troubled(known))
    yield _counted("deliveries", known.deliveries)
    yield from _subject("", _refused(known))
    yield from _subject("", _waiting(known))
    for name, condition in known.providers.items():
        yield from _condition(name, condition)
    yield from _held(page)


def _counted(label: str, counts: Mapping[str, int]) -> str:
    said = ", ".join(f"{count} {colour_state(escape(word))}" for word, count in counts.items() if count)
    return f"{label:<{LABEL}}{said or 'none'}"


def _troubled(known: Status) -> str:
    if not known.troubled_watches:
        return ""
    of = f"{format_count(known.troubled_watches)} of {known.watches.get('watching', 0)}"
    return f"{of} in trouble: `notifier ls --state watching` shows why"


def _refused(known: Status) -> str:
    if not known.refused_deliveries:
        return ""
    of = f"{format_count(known.refused_deliveries)} of {known.deliveries.get('pending', 0)} pending"
    were = "was" if known.refused_deliveries == 1 else "were"
    return f"{of} {were} refused: `notifier deliveries --state pending` shows why"


def _waiting(known: Status) -> str:
    parts = []
    if known.deliveries.get("pending"):
        parts.append(f"oldest waiting: {format_age(known.oldest_pending_at) or '0s'}")
    if known.expiring_results:
        count = known.expiring_results
        parts.append(f"{count} undelivered {'result expires' if count == 1 else 'results expire'} soon")
    if known.deliveries.get("dead"):
        parts.append("`notifier deliveries --state dead` lists the dead")
    return "; ".join(parts)


def _condition(name: str, condition: str) -> Iterator[str]:
    yield from _subject(name, in_short(condition))
    if condition != "ok" and (fix := fix_of(condition, name)):
        yield from _subject("", f"fix: {fix}")


def _held(page: Endpoints) -> Iterator[str]:
    held = [each for each in page.endpoints if not each.gate.startswith(("open", IDLE))]
    for each in held[:SHOWN]:
        yield from _subject("receiver", f"{each.url} {_gate(each)}; {each.pending} waiting")
        yield from _subject("", f"fix: {fix_of_receiver(each.gate, each.url, each.id)}")
    more = " or more" if page.next_cursor is not None else ""
    if len(held) > SHOWN or (held and more):
        yield from _subject("", f"{len(held)} receivers held back{more}: `notifier endpoints --all`")


def _gate(endpoint: Endpoint) -> str:
    gate = in_short(f"{endpoint.gate} since {endpoint.since}") if endpoint.since else endpoint.gate
    return f"{gate}, next probe {short_time(endpoint.next_probe_at)}" if endpoint.next_probe_at else gate


def _subject(label: str, text: str) -> Iterator[str]:
    """A name and what is to be said of it; nothing is said of what has no text."""
    if not text:
        return
    name = escape(label)
    lines = wrap(text, LABEL)
    if len(name) >= LABEL:
        yield name
        name = ""
    yield f"{name:<{LABEL}}{lines[0]}"
    for line in lines[1:]:
        yield " " * LABEL + line
