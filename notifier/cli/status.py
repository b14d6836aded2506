"""The command status: print the state of the daemon, its providers and endpoints, with fixes."""

from collections.abc import Iterator, Mapping, Sequence

import click

from notifier.cli.formatting import format_fix
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import (
    colour_state,
    escape,
    format_age,
    format_time,
    format_time_and_age,
    localize_instants,
    print_data,
    print_json,
    wrap,
)
from notifier.cli.pagination import MAX_PAGE_SIZE
from notifier.client.model import Endpoint, PathStatus, Status
from notifier.core.task_statistics import format_count

LABEL_COLUMNS = 12  # "deliveries" and two spaces
MAX_PATHS = 5  # of a provider; as many as of the endpoints
MAX_ENDPOINTS = 5  # so that the output fits a screen; further ones are counted


@click.command(
    "status",
    short_help="Show the state of the daemon.",
    epilog=format_example("notifier status", "notifier status --json"),
)
@add_shared_options()
@pass_context
def status(context: CommandContext) -> int:
    """Show the number of watches and deliveries, and what stops a provider or an endpoint, with the fix.

    The exit code is 0 whenever the daemon responds. For monitoring, use `curl …/readyz`.
    """
    api = context.connect()
    response = api.request("GET", "/v1/status")
    if context.is_json:
        print_json(response.raw)
        return 0
    status = response.read(Status)
    page = api.request("GET", "/v1/endpoints", query={"limit": MAX_PAGE_SIZE})
    endpoints = page.member("endpoints", list[Endpoint])
    has_more = page.member("next_cursor", object) is not None
    for line in format_status(status, endpoints, has_more=has_more, at=response.origin):
        print_data(line)
    return 0


def format_status(status: Status, endpoints: Sequence[Endpoint], *, has_more: bool, at: str) -> Iterator[str]:
    """Format the status: one line for each subject."""
    doing = status.trouble or "working"
    yield from _format_subject("daemon", f"notifier {status.version} at {at}: {doing}")
    yield from _format_subject("", format_fix(status.cause))
    yield _format_counts("watches", status.watches)
    yield from _format_subject("", _describe_troubled(status))
    yield _format_counts("deliveries", status.deliveries)
    yield from _format_subject("", _describe_refused(status))
    yield from _format_subject("", _describe_waiting(status))
    for name, condition in status.providers.items():
        yield from _format_subject(name, localize_instants(condition))
        yield from _format_subject("", format_fix(status.provider_causes.get(name)))
        yield from _format_paths([path for path in status.paths if path.provider == name])
    if status.more_paths:
        yield from _format_subject("", f"{status.more_paths} further api_paths: `notifier status --json`")
    yield from _format_held_endpoints(endpoints, has_more=has_more)


def _format_counts(label: str, counts: Mapping[str, int]) -> str:
    text = ", ".join(f"{count} {colour_state(escape(word))}" for word, count in counts.items() if count)
    return f"{label:<{LABEL_COLUMNS}}{text or 'none'}"


def _describe_troubled(status: Status) -> str:
    if not status.troubled_watches:
        return ""
    share = f"{format_count(status.troubled_watches)} of {status.watches.get('watching', 0)}"
    return f"{share} in trouble: `notifier ls --state watching` shows why"


def _describe_refused(status: Status) -> str:
    if not status.refused_deliveries:
        return ""
    share = f"{format_count(status.refused_deliveries)} of {status.deliveries.get('pending', 0)} pending"
    verb = "was" if status.refused_deliveries == 1 else "were"
    return f"{share} {verb} refused: `notifier deliveries --state pending` shows why"


def _describe_waiting(status: Status) -> str:
    parts = []
    if status.deliveries.get("pending"):
        parts.append(f"oldest waiting: {format_age(status.oldest_pending_at) or '0s'}")
    if status.expiring_results:
        count = status.expiring_results
        parts.append(f"{count} undelivered {'result expires' if count == 1 else 'results expire'} soon")
    if status.deliveries.get("dead"):
        parts.append("`notifier deliveries --state dead` lists dead ones")
    return "; ".join(parts)


def _format_paths(paths: Sequence[PathStatus]) -> Iterator[str]:
    for each in paths[:MAX_PATHS]:
        probe = f", next probe {format_time(each.next_probe_at)}" if each.next_probe_at else ""
        yield from _format_subject("", f"{each.api_path}: {localize_instants(each.condition)}{probe}")
        yield from _format_subject("", format_fix(each.cause))
    if len(paths) > MAX_PATHS:
        yield from _format_subject("", f"{len(paths)} api_paths in trouble: `notifier status --json`")


def _format_held_endpoints(endpoints: Sequence[Endpoint], *, has_more: bool) -> Iterator[str]:
    held = [each for each in endpoints if each.is_held_back]
    for each in held[:MAX_ENDPOINTS]:
        yield from _format_subject("endpoint", f"{each.url} {_describe_gate(each)}; {each.pending} waiting")
        yield from _format_subject("", format_fix(each.cause))
    more = " or more" if has_more else ""
    if len(held) > MAX_ENDPOINTS or (held and more):
        yield from _format_subject("", f"{len(held)}{more} endpoints held back: `notifier endpoints --all`")


def _describe_gate(endpoint: Endpoint) -> str:
    since = f" since {format_time_and_age(endpoint.since)}" if endpoint.since else ""
    gate = localize_instants(endpoint.gate) + since
    return f"{gate}, next probe {format_time(endpoint.next_probe_at)}" if endpoint.next_probe_at else gate


def _format_subject(label: str, text: str) -> Iterator[str]:
    """Format a label and its text, wrapped. Return nothing if the text is empty."""
    if not text:
        return
    name = escape(label)
    lines = wrap(text, LABEL_COLUMNS)
    if len(name) >= LABEL_COLUMNS:
        yield name
        name = ""
    yield f"{name:<{LABEL_COLUMNS}}{lines[0]}"
    for line in lines[1:]:
        yield " " * LABEL_COLUMNS + line
