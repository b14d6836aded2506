"""The commands deliveries, redeliver, give-up and replay."""

import click

from notifier.cli.bulk import (
    MATCH_ALL,
    BulkTexts,
    add_dry_run,
    add_span_options,
    drop_missing,
    start_bulk_change,
)
from notifier.cli.client import ApiProblem
from notifier.cli.endpoints import post_action
from notifier.cli.formatting import (
    ATTEMPT_COLUMNS,
    DELIVERY_COLUMNS,
    attempt_to_row,
    delivery_to_row,
    format_object,
)
from notifier.cli.options import (
    DELIVERY_ID,
    WATCH_ID,
    CommandContext,
    add_shared_options,
    format_example,
    pass_context,
)
from notifier.cli.output import (
    colour_state,
    escape,
    format_fields,
    print_data,
    print_json,
    print_note,
)
from notifier.cli.pagination import read_list
from notifier.cli.registrations import describe_as_options
from notifier.cli.tables import format_table
from notifier.client.model import Delivery, DeliveryAttempt
from notifier.core.model import DeliveryState

STATES = [each.value for each in DeliveryState]
ENDED = [state for state in STATES if state != DeliveryState.PENDING]


_REPLAY_TEXTS = BulkTexts(
    one="delivery",
    many="deliveries",
    after_dry_run="nothing was sent; without --dry-run these are sent again",
    after_start=(
        "they are sent again, 10 a second; `notifier deliveries --state pending` lists those that wait"
    ),
)


@click.command(
    "deliveries",
    short_help="List deliveries, or show one.",
    epilog=format_example("notifier deliveries --state dead", "notifier deliveries dlv_1…"),
)
@click.argument("delivery_id", metavar="[ID]", required=False, type=DELIVERY_ID)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--watch", "watch_id", metavar="ID", type=WATCH_ID, help="Only those of this watch.")
@click.option("--callback", metavar="URL", help="Only those for this callback URL.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The maximum number.")
@click.option("--all", "is_all", is_flag=True, help="List all.")
@add_shared_options()
@pass_context
def deliveries(
    context: CommandContext,
    *,
    delivery_id: str | None,
    state: str | None,
    watch_id: str | None,
    callback: str | None,
    limit: int,
    is_all: bool,
) -> int:
    """List deliveries, newest first. With an ID, show that delivery and its attempts."""
    if delivery_id is not None:
        return _show_delivery(context, delivery_id)
    query = {"state": state, "watch_id": watch_id, "url": callback}
    try:
        listing = read_list(context.connect(), "deliveries", query, None if is_all else limit)
    except ApiProblem as problem:
        raise describe_as_options(problem) from None
    if context.is_json:
        print_json(listing.to_json())
        return 0
    rows = [delivery_to_row(each) for each in listing.read(Delivery)]
    for line in format_table(DELIVERY_COLUMNS, rows) if rows else ():
        print_data(line)
    listing.print_rest()
    return 0


def _show_delivery(context: CommandContext, delivery_id: str) -> int:
    response = context.connect().request("GET", f"/v1/deliveries/{delivery_id}")
    if context.is_json:
        print_json(response.raw)
        return 0
    for line in format_fields(format_object(response, excluded="attempts")):
        print_data(line)
    attempts = response.member("attempts", list[DeliveryAttempt])
    if attempts:
        print_data("")
        for line in format_table(ATTEMPT_COLUMNS, [attempt_to_row(each) for each in attempts]):
            print_data(line)
        _print_last_reply(attempts)
    return 0


def _print_last_reply(attempts: list[DeliveryAttempt]) -> None:
    answered = [each for each in attempts if each.answer]
    if answered:
        print_data("")
        print_data(f"reply to attempt {answered[-1].number}:")
        for line in (answered[-1].answer or "").splitlines():
            print_data(f"  {escape(line)}")


@click.command(
    "redeliver", short_help="Send a delivery again.", epilog=format_example("notifier redeliver dlv_1…")
)
@click.argument("delivery_id", metavar="ID", type=DELIVERY_ID)
@add_shared_options()
@pass_context
def redeliver(context: CommandContext, delivery_id: str) -> int:
    """Send a delivery again at once, even to a paused endpoint: the same id and bytes, newly signed."""
    response = context.connect().request("POST", f"/v1/deliveries/{delivery_id}/redeliver")
    if context.is_json:
        print_json(response.raw)
        return 0
    delivery = response.read(Delivery)
    print_data(f"{escape(delivery.id)}  {colour_state(escape(delivery.state))}")
    print_note(f"`notifier deliveries {escape(delivery.id)}` shows the result")
    return 0


@click.command(
    "give-up",
    short_help="Give up a delivery, or all of an endpoint.",
    epilog=format_example("notifier give-up dlv_1…", "notifier give-up --endpoint https://a.example/hok"),
)
@click.argument("delivery_id", metavar="[ID]", required=False, type=DELIVERY_ID)
@click.option("--endpoint", metavar="ID|URL", help="All that wait for this endpoint now.")
@add_shared_options()
@pass_context
def give_up(context: CommandContext, *, delivery_id: str | None, endpoint: str | None) -> int:
    """Make pending deliveries dead, so that no attempt follows. `redeliver` and `replay` still send them."""
    if (delivery_id is None) == (endpoint is None):
        raise click.UsageError("Give the id of a delivery, or --endpoint.")
    if endpoint is None:
        response = context.connect().request("POST", f"/v1/deliveries/{delivery_id}/give-up")
    else:
        response = post_action(context, endpoint, "give-up")
    if context.is_json:
        print_json(response.raw)
    elif endpoint is None:
        delivery = response.read(Delivery)
        print_data(f"{escape(delivery.id)}  {colour_state(escape(delivery.state))}")
    else:
        print_data(_describe_count(response.member("matched", int)))
        print_note("they are given up; events that come later are sent as usual")
    return 0


def _describe_count(matched: int) -> str:
    return f"{matched} {'delivery' if matched == 1 else 'deliveries'}"


@click.command(
    "replay",
    short_help="Send all matching deliveries again.",
    epilog=format_example(
        "notifier replay --state dead --since 6h --dry-run",
        "notifier replay --since 2026-11-23T06:00:00Z --callback https://a.example/h",
    ),
)
@add_span_options("Created")
@click.option("--state", type=click.Choice(ENDED), help="Only those in this state.")
@click.option("--callback", metavar="URL", help="Only those for this callback URL.")
@add_dry_run("deliveries")
@add_shared_options()
@pass_context
def replay(
    context: CommandContext,
    *,
    since: str | None,
    until: str | None,
    state: str | None,
    callback: str | None,
    dry_run: bool,
) -> int:
    """Send all matching deliveries again: the same ids and bytes, newly signed, at 10 a second.

    At least one of --since, --until, --state and --callback is needed. Pending deliveries do not match,
    because they are sent anyway. A replay continues after a restart of the daemon.
    """
    filters = drop_missing({"since": since, "until": until, "state": state, "url": callback})
    if not filters:
        raise click.UsageError(f"Give --since, --until, --state or --callback; {MATCH_ALL}")
    return start_bulk_change(context, "/v1/deliveries/replay", filters, _REPLAY_TEXTS, dry_run=dry_run)
