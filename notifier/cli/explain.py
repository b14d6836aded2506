"""The command explain: where a task is, and why, in the words of its timeline."""

import click

from notifier.cli.options import WATCH_ID, CommandContext, example, pass_given, shared
from notifier.cli.output import (
    escape,
    format_fields,
    localize_instants,
    print_data,
    print_json,
    short_time,
)
from notifier.client.model import TimelineLine


@click.command(
    "explain", short_help="Tell what happened to a watch, and why.", epilog=example("notifier explain wch_1…")
)
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@shared()
@pass_given
def explain(given: CommandContext, watch_id: str) -> int:
    """Tell what happened to a watch, in order, and why.

    Its last 50 polls and what followed from each, what users did, each delivery and each attempt.
    """
    answer = given.api().request("GET", f"/v1/watches/{watch_id}/timeline")
    if given.is_json:
        print_json(answer.raw)
        return 0
    moments = answer.member("timeline", list[TimelineLine])
    for line in format_fields(
        [(f"{short_time(each.at)} {each.kind}", escape(localize_instants(each.text))) for each in moments]
    ):
        print_data(line)
    return 0
