"""The command listen: a receiver on this machine, to see callbacks arrive."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import click

from notifier.cli.options import CommandContext, example, pass_given, shared
from notifier.cli.output import colour_state, escape, print_data, print_json, print_note, short_time
from notifier.cli.receiver import (
    LocalReceiver,
    ReceivedCallback,
    ReplyPlan,
    callback_to_json,
    metadata_text,
    parse_event,
)
from notifier.cli.signing_keys import SigningKeys, find_keys
from notifier.client.model import Event
from notifier.clock import wall_ms
from notifier.core.delivery.signature import NO_MATCH
from notifier.core.formats.times import format_instant
from notifier.errors import NotifierError


class PortUnavailable(NotifierError):
    """The port cannot be had."""

    code = "cannot_listen"
    exit_status = 1


@click.command(
    "listen",
    short_help="Receive, verify and print callbacks.",
    epilog=example("notifier listen --port 9001", "notifier listen --json --count 1 --fail 2"),
)
@click.option("--port", type=click.IntRange(0, 65_535), default=9001, show_default=True, help="0 = any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--secret", "texts", metavar="whsec_…", multiple=True, help="Verify with this; repeatable.")
@click.option(
    "--secret-file", type=click.Path(path_type=Path), metavar="PATH", help="Verify with its content."
)
@click.option("--fail", type=click.IntRange(0), default=0, metavar="N", help="Answer 503 to the first N.")
@click.option(
    "--status", type=click.IntRange(200, 599), default=204, show_default=True, help="Answer to verified ones."
)
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N verified callbacks.")
@shared("--url", "--token")
@pass_given
def listen(
    given: CommandContext,
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

    Without --secret and --secret-file they are verified with what the daemon of this configuration
    signs with. What is verified is answered 204, all else 401. Ends with 0 on Ctrl-C, or after --count
    callbacks; with 1 if it was to receive more.
    """
    receiving = _receive(
        (host, port),
        find_keys(given, texts, secret_file),
        ReplyPlan(status, fail),
        count=count,
        tell_one=_tell_json_line if given.is_json else _tell_lines,
    )
    accepted = asyncio.run(receiving)
    return 0 if count is None or accepted >= count else 1


async def _receive(
    where: tuple[str, int],
    keys: SigningKeys,
    manners: ReplyPlan,
    *,
    count: int | None,
    tell_one: Callable[[ReceivedCallback], None],
) -> int:
    """Serve until a signal, the count or a reader that is gone; returns how many were accepted."""
    from notifier.simulator.serving import serve  # noqa: PLC0415 - a web server; other commands need none

    ended = asyncio.Event()
    accepted = 0

    def count_one(number: int) -> None:
        nonlocal accepted
        accepted = number
        if number == count:
            ended.set()

    receiver = LocalReceiver(
        keys.secrets, manners, now=wall_ms, tell=tell_one, on_accepted=count_one, on_unread=ended.set
    )
    try:
        async with serve(receiver, *where) as base_url:
            _end_on_signals(ended)
            print_note(
                f"listening on {base_url}, any path; verifying with {escape(keys.origin)}; Ctrl-C ends"
            )
            await ended.wait()
    except OSError as fault:
        cause = f"cannot listen on {where[0]}:{where[1]}: {fault.strerror or fault}"
        raise PortUnavailable(cause, "give another --port or --host") from fault
    return accepted


def _end_on_signals(ended: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)


def _tell_json_line(received: ReceivedCallback) -> None:
    print_json(callback_to_json(received, format_instant(received.at)))


def _tell_lines(received: ReceivedCallback) -> None:
    event = parse_event(received.body)
    trust = "verified" if received.reason is None else f"NOT VERIFIED: {received.reason}"
    told = [
        short_time(format_instant(received.at)),
        escape(received.path),
        *(["(no event)"] if event is None else _describe_event(event)),
        escape(trust),
        *_repeat(received),
        f"answered {received.answered}",
    ]
    print_data("  ".join(part for part in told if part))
    if metadata := metadata_text(received.body):
        print_data(f"  metadata {escape(metadata.decode('utf-8', 'replace'))}")
    for url in () if event is None else event.data.outputs:
        print_data(f"  {escape(url)}")
    if received.reason is not None and received.reason.startswith(NO_MATCH):
        print_note(
            "  the secret was read when listen started: after `notifier secret rotate`, start it again"
        )


def _describe_event(event: Event) -> list[str]:
    return [escape(event.type), escape(event.data.task_id), colour_state(escape(event.data.status))]


def _repeat(received: ReceivedCallback) -> list[str]:
    number = received.headers.get("notifier-attempt", "1")
    duplicate = ["maybe a duplicate"] if received.headers.get("notifier-maybe-duplicate") == "1" else []
    return duplicate if number == "1" else [f"attempt {escape(number)}", *duplicate]
