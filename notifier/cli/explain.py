"""The command explain: print the history of a watch."""

import click

from notifier.cli.options import WATCH_ID, CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import (
    escape,
    format_fields,
    format_time,
    localize_instants,
    print_data,
    print_json,
)
from notifier.client.model import TimelineLine


@click.command(
    "explain",
    short_help="Show the history of a watch, with reasons.",
    epilog=format_example("notifier explain wch_1…"),
)
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@add_shared_options()
@pass_context
def explain(context: CommandContext, watch_id: str) -> int:
    """Show the history of a watch in order, with the reason of each entry.

    It has the last 50 polls and the decision after each, the actions of users, the deliveries and their
    attempts.
    """
    response = context.connect().request("GET", f"/v1/watches/{watch_id}/timeline")
    if context.is_json:
        print_json(response.raw)
        return 0
    lines = response.member("timeline", list[TimelineLine])
    for line in format_fields(
        [(f"{format_time(each.at)} {each.kind}", escape(localize_instants(each.text))) for each in lines]
    ):
        print_data(line)
    return 0
