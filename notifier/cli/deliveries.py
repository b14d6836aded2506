"""The commands about deliveries: deliveries, redeliver."""

import click

from notifier.cli.options import DELIVERY_ID, WATCH_ID, Given, example, pass_given, shared
from notifier.cli.output import facts, painted, safe, say, table, tell, tell_json
from notifier.cli.pages import read_list
from notifier.cli.views import (
    DELIVERY_COLUMNS,
    TRY_COLUMNS,
    Delivery,
    Try,
    delivery_row,
    object_facts,
    try_row,
)
from notifier.core.model import DeliveryState

STATES = [each.value for each in DeliveryState]


@click.command(
    "deliveries",
    short_help="List deliveries, or show one.",
    epilog=example("notifier deliveries --state dead", "notifier deliveries dlv_1…"),
)
@click.argument("delivery_id", metavar="[ID]", required=False, type=DELIVERY_ID)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--watch", "watch_id", metavar="ID", type=WATCH_ID, help="Only those of this watch.")
@click.option("--callback", metavar="URL", help="Only those for this callback URL.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@click.option("--all", "is_all", is_flag=True, help="All of them.")
@shared()
@pass_given
def deliveries(
    given: Given,
    *,
    delivery_id: str | None,
    state: str | None,
    watch_id: str | None,
    callback: str | None,
    limit: int,
    is_all: bool,
) -> int:
    """List deliveries, newest first; with an ID show that one and its attempts."""
    if delivery_id is not None:
        return _show(given, delivery_id)
    query = {"state": state, "watch_id": watch_id, "url": callback}
    listing = read_list(given.api(), "deliveries", query, None if is_all else limit)
    if given.is_json:
        tell_json(listing.json())
        return 0
    rows = [delivery_row(each) for each in listing.read(Delivery)]
    for line in table(DELIVERY_COLUMNS, rows) if rows else ():
        tell(line)
    listing.say_rest()
    return 0


def _show(given: Given, delivery_id: str) -> int:
    answer = given.api().request("GET", f"/v1/deliveries/{delivery_id}")
    if given.is_json:
        tell_json(answer.raw)
        return 0
    for line in facts(object_facts(answer, apart="attempts")):
        tell(line)
    attempts = answer.read(Delivery).attempts
    if isinstance(attempts, list) and attempts:
        tell("")
        for line in table(TRY_COLUMNS, [try_row(each) for each in attempts]):
            tell(line)
        _tell_last_answer(attempts)
    return 0


def _tell_last_answer(attempts: list[Try]) -> None:
    refused = [each for each in attempts if each.answer]
    if refused:
        tell("")
        tell(f"answer to attempt {refused[-1].number}:")
        for line in (refused[-1].answer or "").splitlines():
            tell(f"  {safe(line)}")


@click.command("redeliver", short_help="Send a delivery again.", epilog=example("notifier redeliver dlv_1…"))
@click.argument("delivery_id", metavar="ID", type=DELIVERY_ID)
@shared()
@pass_given
def redeliver(given: Given, delivery_id: str) -> int:
    """Send a delivery again at once: the same id and bytes, newly signed."""
    answer = given.api().request("POST", f"/v1/deliveries/{delivery_id}/redeliver")
    if given.is_json:
        tell_json(answer.raw)
        return 0
    known = answer.read(Delivery)
    tell(f"{safe(known.id)}  {painted(safe(known.state))}")
    say(f"`notifier deliveries {safe(known.id)}` shows how it goes")
    return 0
