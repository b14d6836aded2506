"""The command test-callback: a signed ping, sent as the daemon would send it, and its answer explained."""

import asyncio
import os
from ipaddress import ip_address

import click
import msgspec

from notifier.cli.callback_diagnosis import CallbackDiagnosis, diagnose
from notifier.cli.client import parse_address
from notifier.cli.options import CommandContext, example, pass_given, shared
from notifier.cli.output import (
    colour_state,
    escape,
    format_fields,
    print_data,
    print_json,
    print_note,
)
from notifier.cli.signing_keys import find_keys
from notifier.clock import wall_ms
from notifier.config.model import CallbackSettings
from notifier.core.delivery.judge_attempt import failure_class
from notifier.core.event_body import build_headers
from notifier.core.exchange import Exchange, HttpReply
from notifier.core.formats.times import format_instant
from notifier.core.formats.urls import InvalidUrl, check_callback_url
from notifier.core.ids import ENTROPY_BITS, EVENT, new_id
from notifier.core.model import ClaimedDelivery
from notifier.core.secret import Secret

ANSWER_CHARS = 4_096


@click.command(
    "test-callback",
    short_help="Send a signed ping to a URL, and explain the answer.",
    epilog=example(
        "notifier test-callback http://127.0.0.1:9001/hook",
        "notifier test-callback https://example.com/hook --secret whsec_…",
    ),
)
@click.argument("receiver", metavar="URL")
@click.option("--secret", "texts", metavar="whsec_…", multiple=True, help="Sign with this; repeatable.")
@shared("--url", "--token")
@pass_given
def test_callback(given: CommandContext, *, receiver: str, texts: tuple[str, ...]) -> int:
    """Send a signed event of type ping to a URL, as the daemon would, and explain the answer.

    It goes out from here under this configuration's rules (callbacks.allow, timeout, ca_file) and needs no
    daemon. Without --secret it is signed with what the daemon signs with. Ends with 0 if the answer is 2xx.
    """
    try:
        url = check_callback_url(receiver)
    except InvalidUrl as wrong:
        raise click.UsageError(str(wrong)) from None
    secrets = find_keys(given, texts).secrets
    config = given.load()
    now = wall_ms()
    exchange = asyncio.run(_post(ping(url, now), secrets, config.callbacks, config.server.listen, now))
    advice = diagnose(exchange, url=url, now=now)
    (_tell_json if given.is_json else _tell_lines)(url, exchange, advice)
    return 0 if advice.is_ok else 1


def ping(url: str, now: int) -> ClaimedDelivery:
    """Make an event that tells nothing, ready to be sent once.

    It has what receivers commonly reach for, though empty, so that one that asks for no type answers 2xx too.
    """
    event_id = new_id(EVENT, now, int.from_bytes(os.urandom(ENTROPY_BITS // 8)))
    text = "A test by `notifier test-callback`. Answer 2xx and do nothing."
    data = {"task_id": "", "status": "", "metadata": {}, "outputs": [], "message": text}
    event = {"id": event_id, "type": "ping", "timestamp": format_instant(now), "data": data}
    return ClaimedDelivery(
        delivery_id="",
        event_id=event_id,
        watch_id="",
        url=url,
        headers=(),
        body=msgspec.json.encode(event),
        number=1,
        created_at=now,
        give_up_at=now,
        result_expires_at=None,
        is_maybe_duplicate=False,
    )


def own_addresses(listen: str) -> frozenset[tuple[str, int]]:
    """Where the daemon of this configuration listens, as far as that is written: no callback may go there."""
    try:
        address = parse_address(listen)
        hosts = ("127.0.0.1", "::1") if address.host == "localhost" else (str(ip_address(address.host)),)
    except ValueError:
        return frozenset()
    return frozenset() if address.socket_path else frozenset((host, address.port) for host in hosts)


async def _post(
    message: ClaimedDelivery, secrets: tuple[Secret, ...], settings: CallbackSettings, listen: str, now: int
) -> Exchange:
    from notifier.daemon.client_factory import callback_wire  # noqa: PLC0415 - an HTTP library; other commands need none

    wire = callback_wire(settings, own_addresses(listen))
    try:
        headers = build_headers(message, secrets, now=now)
        return await wire.post(message.url, headers, message.body, timeout_ms=settings.timeout_ms)
    finally:
        await wire.close()


def _answer_of(exchange: Exchange) -> str:
    return exchange.body[:ANSWER_CHARS].decode("utf-8", "replace") if isinstance(exchange, HttpReply) else ""


def _tell_json(url: str, exchange: Exchange, advice: CallbackDiagnosis) -> None:
    reply = exchange if isinstance(exchange, HttpReply) else None
    told = {
        "ok": advice.is_ok,
        "url": url,
        "status": reply.status if reply else None,
        "fault": failure_class(exchange),
        "text": advice.text,
        "fix": advice.fix or None,
        "peer": exchange.peer,
        "duration_ms": exchange.elapsed_ms,
        "connect_ms": exchange.connect_ms,
        "first_byte_ms": reply.first_byte_ms if reply else None,
        "answer": _answer_of(exchange) or None,
    }
    print_json(msgspec.json.encode(told))


def _tell_lines(url: str, exchange: Exchange, advice: CallbackDiagnosis) -> None:
    word = "delivered" if advice.is_ok else "failed"
    print_data(f"{colour_state(word)}  {escape(advice.text)}")
    status = f"HTTP {exchange.status}" if isinstance(exchange, HttpReply) else "no answer"
    pairs = [
        ("url", url),
        ("answer", status),
        ("peer", exchange.peer or ""),
        ("took", f"{exchange.elapsed_ms} ms"),
    ]
    for line in format_fields([pair for pair in pairs if pair[1]]):
        print_data(f"  {line}")
    for line in _answer_of(exchange).splitlines():
        print_data(f"  | {escape(line)}")
    if advice.fix:
        print_note(f"  fix: {escape(advice.fix)}")
