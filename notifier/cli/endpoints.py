"""The commands endpoints, endpoints pause and endpoints resume."""

import re

import click

from notifier.cli.client import ApiConnection, ApiProblem, ApiReply, NotFound, Problem
from notifier.cli.formatting import ENDPOINT_COLUMNS, endpoint_to_row
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import escape, print_data, print_json, print_note
from notifier.cli.pagination import read_list
from notifier.cli.tables import format_table
from notifier.client.model import Endpoint
from notifier.core.formats.urls import InvalidUrl, check_callback_url, url_to_endpoint

_ID = re.compile(r"ep_[A-Za-z0-9_-]{1,80}")


@click.group(
    "endpoints",
    invoke_without_command=True,
    short_help="List endpoints and their state; pause or resume one.",
    epilog=format_example(
        "notifier endpoints",
        "notifier endpoints pause https://example.com/hook",
        "notifier endpoints resume ep_1…",
    ),
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The maximum number.")
@click.option("--all", "is_all", is_flag=True, help="List all.")
@add_shared_options()
@pass_context
def endpoints(context: CommandContext, *, limit: int, is_all: bool) -> int:
    """List endpoints (callback URLs without their query), newest first, with gate and pending deliveries."""
    if click.get_current_context().invoked_subcommand is not None:
        return 0
    listing = read_list(context.connect(), "endpoints", {}, None if is_all else limit)
    if context.is_json:
        print_json(listing.to_json())
        return 0
    rows = [endpoint_to_row(each) for each in listing.read(Endpoint)]
    for line in format_table(ENDPOINT_COLUMNS, rows) if rows else ():
        print_data(line)
    listing.print_rest()
    return 0


@endpoints.command(
    "pause",
    short_help="Stop sending to an endpoint.",
    epilog=format_example("notifier endpoints pause ep_1…"),
)
@click.argument("endpoint", metavar="ID|URL")
@add_shared_options()
@pass_context
def pause(context: CommandContext, endpoint: str) -> int:
    """Send nothing to an endpoint until it is resumed. Its deliveries stay pending."""
    _print_endpoint(context, post_action(context, endpoint, "pause"))
    return 0


@endpoints.command(
    "resume",
    short_help="Send to an endpoint again.",
    epilog=format_example("notifier endpoints resume https://example.com/hook"),
)
@click.argument("endpoint", metavar="ID|URL")
@add_shared_options()
@pass_context
def resume(context: CommandContext, endpoint: str) -> int:
    """Send all pending deliveries to an endpoint after a pause, a 410 or an outage."""
    _print_endpoint(context, post_action(context, endpoint, "resume"))
    return 0


def post_action(context: CommandContext, endpoint: str, action: str) -> ApiReply:
    """Post an action on the endpoint with this id or URL."""
    api = context.connect()
    endpoint_id = endpoint if _ID.fullmatch(endpoint) else _find_id(api, endpoint)
    try:
        return api.request("POST", f"/v1/endpoints/{endpoint_id}/{action}")
    except ApiProblem as problem:
        if problem.problem.code != "not_found":
            raise
        problem_body = Problem("not_found", detail=f"there is no endpoint {endpoint_id}")
        raise NotFound(problem.status, problem_body, "`notifier endpoints` lists all endpoints") from None


def _find_id(api: ApiConnection, text: str) -> str:
    """Return the id of the endpoint of a URL. Its query does not matter."""
    try:
        url = url_to_endpoint(check_callback_url(text))
    except InvalidUrl as error:
        raise click.UsageError(
            f"{text!r} is neither the id of an endpoint (ep_…) nor a URL: {error}"
        ) from None
    for each in read_list(api, "endpoints", {}, None).read(Endpoint):
        if each.url == url and _ID.fullmatch(each.id):
            return each.id
    raise click.UsageError(f"there is no endpoint {url}; `notifier endpoints` lists all endpoints")


def _print_endpoint(context: CommandContext, response: ApiReply) -> None:
    if context.is_json:
        print_json(response.raw)
        return
    endpoint = response.read(Endpoint)
    print_data(f"{escape(endpoint.id)}  {escape(endpoint.gate)}")
    print_note(f"{endpoint.pending} pending for {escape(endpoint.url)}")
