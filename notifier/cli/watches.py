"""The commands about watches: watch, ls, show, wait, stop, resume, poll."""

import math
import sys
import time
from http import HTTPStatus

import click

from notifier.cli.client import ApiProblem, ApiReply, Refused
from notifier.cli.formatting import (
    DELIVERY_COLUMNS,
    WATCH_COLUMNS,
    delivery_row,
    held_lines,
    object_facts,
    watch_row,
)
from notifier.cli.options import (
    DURATION,
    DURATION_OR_ZERO,
    WATCH_ID,
    CommandContext,
    example,
    pass_given,
    shared,
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
    STDIN_LIMIT,
    TaskReference,
    describe_as_options,
    read_metadata,
    read_tasks,
    registration,
)
from notifier.cli.tables import table
from notifier.cli.waiting import Waiter
from notifier.client.model import Watch
from notifier.core.formats.times import parse_duration
from notifier.core.model import EventType, WatchState

STATES = [each.value for each in WatchState]
RESUMABLE = {WatchState.EXPIRED, WatchState.LOST, WatchState.STOPPED}


@click.command(
    "watch",
    short_help="Register a task.",
    epilog=example(
        "notifier watch /vendors/alibaba/v1/qwen-image-edit-max/generation \\",
        "    3c90c3cc-0d44-4b50-8888-8dd25736052a \\",
        "    --callback http://127.0.0.1:9001/hook",
        "mulerouter run … --no-wait --json | notifier watch - --callback http://…",
    ),
)
@click.argument("api_path")
@click.argument("task_id", required=False)
@click.option(
    "--callback", "urls", metavar="URL", multiple=True, required=True, help="To be called; repeatable."
)
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice([each.value for each in EventType]),
    help="Tell only this event; repeatable.",
)
@click.option("--provider", metavar="NAME", help="The provider's name, where there are several.")
@click.option("--metadata", metavar="JSON", help="An object that comes back with the callback; set once.")
@click.option("--expire-after", type=DURATION, metavar="D", help="Stop polling after, such as 30m; set once.")
@shared()
@pass_given
def watch(
    given: CommandContext,
    *,
    api_path: str,
    task_id: str | None,
    urls: tuple[str, ...],
    events: tuple[str, ...],
    provider: str | None,
    metadata: str | None,
    expire_after: str | float | None,
) -> int:
    """Have a task watched, and URLs called when it ends.

    API_PATH is what the task was submitted to, TASK_ID what the provider answered; or the one whole URL that
    the task is asked for at. A single - reads both from standard input; in place of TASK_ID it reads the
    provider's answer to the submission (task_info.id). A task that is known already is not registered twice:
    a new URL is added to it, its metadata and deadline stay as they were first registered.
    """
    tasks = _tasks(api_path, task_id)
    kept = read_metadata(metadata)
    api = given.api()
    failures = 0
    for task in tasks:
        body = registration(
            task, urls=urls, events=events, provider=provider, metadata=kept, expire_after=expire_after
        )
        try:
            answer = api.request("POST", "/v1/watches", body=body)
            _tell_watch(given, answer)
            _say_known(answer, expire_after)
        except Refused:
            raise
        except ApiProblem as problem:
            if len(tasks) == 1:
                raise describe_as_options(problem) from None
            print_note(f"task {escape(task.task_id)} was not registered:")
            print_error(describe_as_options(problem))
            failures += 1
    return 1 if failures else 0


@click.command("ls", short_help="List watches, newest first.", epilog=example("notifier ls --state watching"))
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--provider", metavar="NAME", help="Only those of this provider.")
@click.option("--task-id", metavar="ID", help="Only those of this task.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@click.option("--all", "is_all", is_flag=True, help="All of them.")
@shared()
@pass_given
def ls(
    given: CommandContext,
    *,
    state: str | None,
    provider: str | None,
    task_id: str | None,
    limit: int,
    is_all: bool,
) -> int:
    """List watches, newest first."""
    query = {"state": state, "provider": provider, "task_id": task_id}
    listing = read_list(given.api(), "watches", query, None if is_all else limit)
    if given.is_json:
        print_json(listing.json())
        return 0
    rows = [watch_row(each) for each in listing.read(Watch)]
    for line in table(WATCH_COLUMNS, rows) if rows else ():
        print_data(line)
    listing.say_rest()
    return 0


@click.command("show", short_help="Show one watch.", epilog=example("notifier show wch_1…"))
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@shared()
@pass_given
def show(given: CommandContext, watch_id: str) -> int:
    """Show one watch with its deliveries."""
    answer = given.api().request("GET", f"/v1/watches/{watch_id}")
    if given.is_json:
        print_json(answer.raw)
        return 0
    for line in format_fields(object_facts(answer, apart="deliveries")):
        print_data(line)
    deliveries = answer.read(Watch).deliveries
    if deliveries:
        print_data("")
        for line in table(DELIVERY_COLUMNS, [delivery_row(each) for each in deliveries]):
            print_data(line)
    for each in deliveries:
        if each.held:
            print_data("")
            for line in format_fields([(f"{each.id} is held", held_lines(each.held, each.url))]):
                print_data(line)
    return 0


@click.command(
    "wait",
    short_help="Wait until watches have ended.",
    epilog=example("notifier wait wch_1… --max-wait 10m && echo completed"),
)
@click.argument("watch_ids", metavar="ID...", nargs=-1, required=True, type=WATCH_ID)
@click.option(
    "--max-wait", type=DURATION_OR_ZERO, metavar="D", help="Wait no longer than, such as 10m; 0 asks once."
)
@shared()
@pass_given
def wait(given: CommandContext, watch_ids: tuple[str, ...], max_wait: str | float | None) -> int:
    """Wait until watches have ended, and print how.

    Ends with 0 if all of them completed, 2 if one still runs when the wait is over, 1 otherwise.
    """
    patience_s = math.inf if max_wait is None else parse_duration(max_wait, allow_zero=True) / 1_000
    results = []
    with Progress() as progress:
        waiter = Waiter(given.api(), time.monotonic() + patience_s, progress)
        for watch_id in watch_ids:
            answer = waiter.ended(watch_id)
            ended = answer.read(Watch)
            results.append(ended)
            _tell_watch(given, answer)
            for url in () if given.is_json else ended.outputs:
                print_data(escape(url))
    if any(each.is_live for each in results):
        return 2
    return 0 if all(each.state == WatchState.COMPLETED for each in results) else 1


@click.command("stop", short_help="End a watch without a callback.", epilog=example("notifier stop wch_1…"))
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@shared()
@pass_given
def stop(given: CommandContext, watch_id: str) -> int:
    """End a watch; nobody is called. The task itself goes on at its provider."""
    _tell_watch(given, given.api().request("DELETE", f"/v1/watches/{watch_id}"))
    return 0


@click.command(
    "resume",
    short_help="Go on with an ended watch.",
    epilog=example("notifier resume wch_1… --expire-after 2h"),
)
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@click.option("--expire-after", type=DURATION, metavar="D", help="The new deadline, such as 2h.")
@shared()
@pass_given
def resume(given: CommandContext, watch_id: str, expire_after: str | float | None) -> int:
    """Go on with a watch that is expired, lost or stopped."""
    body = None if expire_after is None else {"expire_after": expire_after}
    api = given.api()
    try:
        answer = api.request("POST", f"/v1/watches/{watch_id}/resume", body=body)
    except ApiProblem as problem:
        raise describe_as_options(problem) from None
    _tell_watch(given, answer)
    return 0


@click.command("poll", short_help="Poll a task now.", epilog=example("notifier poll wch_1…"))
@click.argument("watch_id", metavar="ID", type=WATCH_ID)
@shared()
@pass_given
def poll(given: CommandContext, watch_id: str) -> int:
    """Ask the provider for a task at once."""
    _tell_watch(given, given.api().request("POST", f"/v1/watches/{watch_id}/poll"))
    return 0


def _tasks(api_path: str, task_id: str | None) -> list[TaskReference]:
    if api_path.lower().startswith(("http://", "https://")):
        if task_id is None:
            return [TaskReference(api_path, "")]
        path = "/" + api_path.partition("://")[2].partition("/")[2]
        raise click.UsageError(f"API_PATH is a path; leave the scheme and host out: {escape(path)}")
    if api_path != "-":
        if task_id is None:
            raise click.UsageError("Missing argument 'TASK_ID'; a single - reads tasks from standard input.")
        if not task_id:
            raise click.UsageError("TASK_ID is empty: see whether the task was submitted at all.")
        if task_id != "-":
            return [TaskReference(api_path, task_id)]
    elif task_id is not None:
        raise click.UsageError("With - the task comes from standard input; leave TASK_ID out.")
    if sys.stdin.isatty():
        print_note("reading from the terminal what the mulerouter command prints; Ctrl-D ends it")
    raw = sys.stdin.buffer.read(STDIN_LIMIT + 1)
    return read_tasks(raw, None if api_path == "-" else api_path)


def _say_known(answer: ApiReply, expire_after: str | float | None) -> None:
    """Say of a task that is not new what of its registration did not count, and what can be done."""
    if answer.status != HTTPStatus.OK:
        return
    known = answer.read(Watch)
    watch_id = escape(known.id)
    since = format_time_and_age(known.registered_at)
    print_note(
        f"{watch_id} is known already, since {since}: "
        "metadata and deadline stay as they were first registered;"
    )
    print_note("  a callback URL that is new has been added")
    if known.state in RESUMABLE:
        deadline = "" if expire_after is None else f" --expire-after {expire_after}"
        print_note(f"  it has ended; `notifier resume {watch_id}{deadline}` goes on with it")
    elif not known.is_live:
        print_note("  it has ended; a callback URL that is new gets its event at once")


def _tell_watch(given: CommandContext, answer: ApiReply) -> None:
    if given.is_json:
        print_json(answer.raw)
        return
    known = answer.read(Watch)
    print_data(f"{escape(known.id)}  {colour_state(escape(known.state))}")
