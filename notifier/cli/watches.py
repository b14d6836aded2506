"""The commands watch, ls, show, wait and poll."""

import math
import time
from http import HTTPStatus

import click

from notifier.cli.client import ApiProblem, ApiReply, Refused
from notifier.cli.formatting import (
    DELIVERY_COLUMNS,
    WATCH_COLUMNS,
    delivery_to_row,
    format_object,
    format_trouble,
    watch_to_row,
)
from notifier.cli.options import (
    DURATION,
    DURATION_OR_ZERO,
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
    format_time_and_age,
    print_data,
    print_error,
    print_json,
    print_note,
)
from notifier.cli.pagination import read_list
from notifier.cli.progress import Progress
from notifier.cli.registrations import (
    build_registration,
    describe_as_options,
    read_metadata,
    read_tasks,
)
from notifier.cli.tables import format_table
from notifier.cli.waiting import Waiter
from notifier.client.model import Watch
from notifier.core.formats.times import parse_duration
from notifier.core.model import EventType, WatchState

STATES = [each.value for each in WatchState]
RESUMABLE = {WatchState.EXPIRED, WatchState.LOST, WatchState.STOPPED}


@click.command(
    "watch",
    short_help="Register a task.",
    epilog=format_example(
        "notifier watch /vendors/alibaba/v1/qwen-image-edit-max/generation \\",
        "    3c90c3cc-0d44-4b50-8888-8dd25736052a \\",
        "    --callback http://127.0.0.1:9001/hook",
        "mulerouter run … --no-wait --json | notifier watch - --callback http://…",
    ),
)
@click.argument("api_path")
@click.argument("task_id", required=False)
@click.option(
    "--callback", "urls", metavar="URL", multiple=True, required=True, help="URL to call; repeatable."
)
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice([each.value for each in EventType]),
    help="Send only this event; repeatable.",
)
@click.option("--provider", metavar="NAME", help="The provider's name, if there are several.")
@click.option("--metadata", metavar="JSON", help="Object to send in the callback; set once.")
@click.option(
    "--expire-after", type=DURATION, metavar="D", help="Stop polling after D, such as 30m; set once."
)
@add_shared_options()
@pass_context
def watch(
    context: CommandContext,
    *,
    api_path: str,
    task_id: str | None,
    urls: tuple[str, ...],
    events: tuple[str, ...],
    provider: str | None,
    metadata: str | None,
    expire_after: str | float | None,
) -> int:
    """Register a task and the URLs to call when it ends.

    API_PATH is the path to which the task was submitted, TASK_ID its id in the provider's reply. The whole
    URL at which the task is polled may replace both. A single - reads both from standard input: the output of
    the mulerouter command, or what any provider replied to the submission; with API_PATH before it, for a
    reply that does not say its api_path. A second registration of a task adds a new callback URL, and leaves
    metadata and deadline unchanged.
    """
    tasks = read_tasks(api_path, task_id, provider)
    raw_metadata = read_metadata(metadata)
    api = context.connect()
    failures = 0
    for task in tasks:
        body = build_registration(
            task,
            urls=urls,
            events=events,
            provider=provider,
            metadata=raw_metadata,
            expire_after=expire_after,
        )
        try:
            response = api.request("POST", "/v1/watches", body=body)
            print_watch(context, response)
            _print_existing(response, expire_after)
        except Refused:
            raise
        except ApiProblem as problem:
            if len(tasks) == 1:
                raise describe_as_options(problem) from None
            print_note(f"task {escape(task.task_id)} was not registered:")
            print_error(describe_as_options(problem))
            failures += 1
    return 1 if failures else 0


@click.command(
    "ls", short_help="List watches, newest first.", epilog=format_example("notifier ls --state watching")
)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--provider", metavar="NAME", help="Only those of this provider.")
@click.option("--task-id", metavar="ID", help="Only those of this task.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The maximum number.")
@click.option("--all", "is_all", is_flag=True, help="List all.")
@add_shared_options()
@pass_context
def ls(
    context: CommandContext,
    *,
    state: str | None,
    provider: str | None,
    task_id: str | None,
    limit: int,
    is_all: bool,
) -> int:
    """List watches, newest first."""
    query = {"state": state, "provider": provider, "task_id": task_id}
    listing = read_list(context.connect(), "watches", query, None if is_all else limit)
    if context.is_json:
        print_json(listing.to_json())
        return 0
    rows = [watch_to_row(each) for each in listing.read(Watch)]
    for line in format_table(WATCH_COLUMNS, rows) if rows else ():
        print_data(line)
    listing.print_rest()
    return 0


@click.command("show", short_help="Show one watch.", epilog=format_example("notifier show wch_1…"))
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@add_shared_options()
@pass_context
def show(context: CommandContext, watch_id: str) -> int:
    """Show one watch with its deliveries."""
    response = context.connect().request("GET", f"/v1/watches/{watch_id}")
    if context.is_json:
        print_json(response.raw)
        return 0
    for line in format_fields(format_object(response, excluded="deliveries")):
        print_data(line)
    deliveries = response.read(Watch).deliveries
    if deliveries:
        print_data("")
        for line in format_table(DELIVERY_COLUMNS, [delivery_to_row(each) for each in deliveries]):
            print_data(line)
    for each in deliveries:
        if each.held:
            print_data("")
            for line in format_fields([(f"{each.id} is held", format_trouble(each.held, each.cause))]):
                print_data(line)
    return 0


@click.command(
    "wait",
    short_help="Wait until watches have ended.",
    epilog=format_example("notifier wait wch_1… --max-wait 10m && echo completed"),
)
@click.argument("watch_ids", metavar="ID...", nargs=-1, required=True, type=WATCH_ID)
@click.option(
    "--max-wait",
    type=DURATION_OR_ZERO,
    metavar="D",
    help="Wait no longer than D, such as 10m; 0 checks once.",
)
@add_shared_options()
@pass_context
def wait(context: CommandContext, watch_ids: tuple[str, ...], max_wait: str | float | None) -> int:
    """Wait until watches have ended, and print their states.

    The exit code is 0 if all of them completed, 2 if one has not ended after D, 1 otherwise.
    """
    max_wait_s = math.inf if max_wait is None else parse_duration(max_wait, allow_zero=True) / 1_000
    results = []
    with Progress() as progress:
        waiter = Waiter(context.connect(), time.monotonic() + max_wait_s, progress)
        for watch_id in watch_ids:
            response = waiter.wait_for_end(watch_id)
            watch = response.read(Watch)
            results.append(watch)
            print_watch(context, response)
            for url in () if context.is_json else watch.outputs:
                print_data(escape(url))
    if any(each.is_live for each in results):
        return 2
    return 0 if all(each.state == WatchState.COMPLETED for each in results) else 1


@click.command("poll", short_help="Poll a task now.", epilog=format_example("notifier poll wch_1…"))
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@add_shared_options()
@pass_context
def poll(context: CommandContext, watch_id: str) -> int:
    """Poll a task at once."""
    print_watch(context, context.connect().request("POST", f"/v1/watches/{watch_id}/poll"))
    return 0


def _print_existing(response: ApiReply, expire_after: str | float | None) -> None:
    """Print what a second registration of a task has changed, and the next step."""
    if response.status != HTTPStatus.OK:
        return
    existing = response.read(Watch)
    watch_id = escape(existing.id)
    since = format_time_and_age(existing.registered_at)
    print_note(f"{watch_id} was registered already, at {since}: metadata and deadline are unchanged;")
    print_note("  new callback URLs, if any, were added")
    if existing.state in RESUMABLE:
        deadline = "" if expire_after is None else f" --expire-after {expire_after}"
        print_note(f"  it has ended; `notifier resume {watch_id}{deadline}` resumes it")
    elif not existing.is_live:
        print_note("  it has ended; a new callback URL gets its event at once")


def print_watch(context: CommandContext, response: ApiReply) -> None:
    """Print the id and the state of a watch, or its JSON."""
    if context.is_json:
        print_json(response.raw)
        return
    watch = response.read(Watch)
    print_data(f"{escape(watch.id)}  {colour_state(escape(watch.state))}")
