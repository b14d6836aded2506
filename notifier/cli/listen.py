"""The command listen: receive callbacks on this machine, verify and print them."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import click

from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
from notifier.cli.output import colour_state, escape, format_time, print_data, print_json, print_note
from notifier.cli.receiver import (
    LocalReceiver,
    ReceivedCallback,
    ReplyPlan,
    callback_to_json,
    extract_metadata,
    parse_event,
)
from notifier.cli.signing_keys import SigningKeys, find_all_keys
from notifier.client.model import Event
from notifier.clock import wall_ms
from notifier.core.formats.times import format_instant
from notifier.errors import NotifierError


class PortUnavailable(NotifierError):
    """The port cannot be bound."""

    code = "cannot_listen"
    exit_status = 1


@click.command(
    "listen",
    short_help="Receive, verify and print callbacks.",
    epilog=format_example("notifier listen --port 9001", "notifier listen --json --count 1 --fail 2"),
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=9001, show_default=True, help="0 = any free port."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--secret", "texts", metavar="whsec_…", multiple=True, help="Verify with this secret; repeatable."
)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Verify with the secrets in this file.",
)
@click.option(
    "--fail", type=click.IntRange(0), default=0, metavar="N", help="Reply 503 to the first N callbacks."
)
@click.option(
    "--status",
    type=click.IntRange(200, 599),
    default=204,
    show_default=True,
    help="The reply to verified callbacks.",
)
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N verified callbacks.")
@add_shared_options("--url", "--token")
@pass_context
def listen(
    context: CommandContext,
    *,
    port: int,
    host: str,
    texts: tuple[str, ...],
    secret_file: Path | None,
    fail: int,
    status: int,
    count: int | None,
) -> int:
    """Receive callbacks on any path, verify and print them.

    Without --secret and --secret-file they are verified with all secrets of this configuration's daemon. The
    reply is 204 to verified callbacks and 401 to others. Ctrl-C ends the command. The exit code is 1 if it
    has received fewer than --count callbacks, else 0.
    """
    receiving = _serve(
        (host, port),
        find_all_keys(context, texts, secret_file),
        ReplyPlan(status, fail),
        count=count,
        print_callback=_print_json_line if context.is_json else _print_lines,
    )
    accepted = asyncio.run(receiving)
    return 0 if count is None or accepted >= count else 1


async def _serve(
    address: tuple[str, int],
    keys: SigningKeys,
    reply_plan: ReplyPlan,
    *,
    count: int | None,
    print_callback: Callable[[ReceivedCallback], None],
) -> int:
    """Serve until a signal, the count or a closed output. Return the number of accepted callbacks."""
    from notifier.simulator.serving import serve  # noqa: PLC0415 - a web server; other commands need none

    stopped = asyncio.Event()
    accepted = 0

    def count_one(number: int) -> None:
        nonlocal accepted
        accepted = number
        if number == count:
            stopped.set()

    receiver = LocalReceiver(
        keys.secrets,
        reply_plan,
        now=wall_ms,
        print_callback=print_callback,
        on_accepted=count_one,
        on_unread=stopped.set,
    )
    try:
        async with serve(receiver, *address) as base_url:
            _stop_on_signals(stopped)
            print_note(
                f"listening on {base_url}, any path; verifying with {escape(keys.origin)}; Ctrl-C ends"
            )
            await stopped.wait()
    except OSError as error:
        cause = f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}"
        raise PortUnavailable(cause, "give another --port or --host") from error
    return accepted


def _stop_on_signals(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)


def _print_json_line(received: ReceivedCallback) -> None:
    print_json(callback_to_json(received, format_instant(received.at)))


def _print_lines(received: ReceivedCallback) -> None:
    event = parse_event(received.body)
    verdict = "verified" if received.reason is None else f"NOT VERIFIED: {received.reason}"
    parts = [
        format_time(format_instant(received.at)),
        escape(received.path),
        *(["(no event)"] if event is None else _describe_event(event)),
        escape(verdict),
        *_describe_repeat(received),
        f"replied {received.reply_status}",
    ]
    print_data("  ".join(part for part in parts if part))
    if metadata := extract_metadata(received.body):
        print_data(f"  metadata {escape(metadata.decode('utf-8', 'replace'))}")
    for url in () if event is None else event.data.outputs:
        print_data(f"  {escape(url)}")
    if received.fix:
        print_note(f"  {received.fix}")


def _describe_event(event: Event) -> list[str]:
    return [escape(event.type), escape(event.data.task_id), colour_state(escape(event.data.status))]


def _describe_repeat(received: ReceivedCallback) -> list[str]:
    number = received.headers.get("notifier-attempt", "1")
    duplicate = ["maybe a duplicate"] if received.headers.get("notifier-maybe-duplicate") == "1" else []
    return duplicate if number == "1" else [f"attempt {escape(number)}", *duplicate]
