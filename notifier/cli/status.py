"""The command status: how the daemon is doing, in words, with what to do where something is not well."""

from collections.abc import Iterator, Mapping, Sequence

import click

from notifier.cli.formatting import in_short
from notifier.cli.options import CommandContext, example, pass_given, shared
from notifier.cli.output import (
    colour_state,
    escape,
    format_age,
    format_time_and_age,
    print_data,
    print_json,
    short_time,
    wrap,
)
from notifier.cli.pagination import PAGE
from notifier.client.model import Endpoint, Status
from notifier.core.fixes import IDLE, fix_of, fix_of_receiver
from notifier.core.task_statistics import format_count

LABEL = 12
SHOWN = 5  # endpoints that are held back; more are counted


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
    page = api.request("GET", "/v1/endpoints", query={"limit": PAGE})
    endpoints = page.member("endpoints", list[Endpoint])
    has_more = page.member("next_cursor", object) is not None
    for line in format_status(known, endpoints, has_more=has_more, at=answer.origin):
        print_data(line)
    return 0


def format_status(known: Status, endpoints: Sequence[Endpoint], *, has_more: bool, at: str) -> Iterator[str]:
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
    yield from _held(endpoints, has_more=has_more)


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


def _held(endpoints: Sequence[Endpoint], *, has_more: bool) -> Iterator[str]:
    held = [each for each in endpoints if not each.gate.startswith(("open", IDLE))]
    for each in held[:SHOWN]:
        yield from _subject("receiver", f"{each.url} {_gate(each)}; {each.pending} waiting")
        yield from _subject("", f"fix: {fix_of_receiver(each.gate, each.url, each.id)}")
    more = " or more" if has_more else ""
    if len(held) > SHOWN or (held and more):
        yield from _subject("", f"{len(held)} receivers held back{more}: `notifier endpoints --all`")


def _gate(endpoint: Endpoint) -> str:
    since = f" since {format_time_and_age(endpoint.since)}" if endpoint.since else ""
    gate = in_short(endpoint.gate) + since
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
