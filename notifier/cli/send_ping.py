"""The command test-callback: send a signed ping as the daemon would, and explain the reply."""

import asyncio
import os
from ipaddress import ip_address

import click
import msgspec

from notifier.cli.callback_diagnosis import CallbackDiagnosis, diagnose
from notifier.cli.client import parse_address
from notifier.cli.options import CommandContext, add_shared_options, format_example, pass_context
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
from notifier.core.delivery.judge_attempt import classify_failure
from notifier.core.delivery.request_headers import build_headers
from notifier.core.exchange import Exchange, HttpReply
from notifier.core.formats.times import format_instant
from notifier.core.formats.urls import InvalidUrl, check_callback_url
from notifier.core.ids import ENTROPY_BITS, EVENT, new_id
from notifier.core.model import ClaimedDelivery
from notifier.core.secret import Secret

MAX_REPLY_BYTES = 4_096  # as much of a reply as the daemon keeps in `attempts[].answer`


@click.command(
    "test-callback",
    short_help="Send a signed ping to a URL, and explain the reply.",
    epilog=format_example(
        "notifier test-callback http://127.0.0.1:9001/hook",
        "notifier test-callback https://example.com/hook --secret whsec_…",
    ),
)
@click.argument("receiver", metavar="URL")
@click.option(
    "--secret", "texts", metavar="whsec_…", multiple=True, help="Sign with this secret; repeatable."
)
@add_shared_options("--url", "--token")
@pass_context
def test_callback(context: CommandContext, *, receiver: str, texts: tuple[str, ...]) -> int:
    """Send a signed event of type ping to a URL, as the daemon would, and explain the reply.

    The command sends it by the rules of this configuration (callbacks.allow, timeout, ca_file) and needs no
    daemon. Without --secret it signs with the daemon's secrets. The exit code is 0 if the reply is 2xx.
    """
    try:
        url = check_callback_url(receiver)
    except InvalidUrl as error:
        raise click.UsageError(str(error)) from None
    secrets = find_keys(context, texts, url=url).secrets
    config = context.load_config()
    now = wall_ms()
    exchange = asyncio.run(_post(build_ping(url, now), secrets, config.callbacks, config.server.listen, now))
    diagnosis = diagnose(exchange, url=url, now=now)
    (_print_json_report if context.is_json else _print_report)(url, exchange, diagnosis)
    return 0 if diagnosis.is_ok else 1


def build_ping(url: str, now: int) -> ClaimedDelivery:
    """Return a delivery of a ping.

    It has the fields that receivers commonly read, though empty. So a receiver that does not check the type
    replies with 2xx too.
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


def list_own_addresses(listen: str) -> frozenset[tuple[str, int]]:
    """List the addresses on which the configured daemon listens. Callbacks to them are blocked."""
    try:
        address = parse_address(listen)
        if address.socket_path:
            return frozenset({(os.path.realpath(address.socket_path), 0)})
        hosts = ("127.0.0.1", "::1") if address.host == "localhost" else (str(ip_address(address.host)),)
    except ValueError:
        return frozenset()
    return frozenset((host, address.port) for host in hosts)


async def _post(
    delivery: ClaimedDelivery, secrets: tuple[Secret, ...], settings: CallbackSettings, listen: str, now: int
) -> Exchange:
    from notifier.daemon.client_factory import make_callback_client  # noqa: PLC0415 - an HTTP library; other commands need none

    client = make_callback_client(settings, list_own_addresses(listen))
    try:
        of_endpoint = settings.find_headers(delivery.url)
        headers = build_headers(delivery, secrets, now=now, of_endpoint=of_endpoint)
        return await client.post(delivery.url, headers, delivery.body, timeout_ms=settings.timeout_ms)
    finally:
        await client.close()


def _decode_reply(exchange: Exchange) -> str:
    return (
        exchange.body[:MAX_REPLY_BYTES].decode("utf-8", "replace") if isinstance(exchange, HttpReply) else ""
    )


def _print_json_report(url: str, exchange: Exchange, diagnosis: CallbackDiagnosis) -> None:
    reply = exchange if isinstance(exchange, HttpReply) else None
    report = {
        "ok": diagnosis.is_ok,
        "url": url,
        "status": reply.status if reply else None,
        "fault": classify_failure(exchange),
        "text": diagnosis.text,
        "fix": diagnosis.fix or None,
        "peer": exchange.peer,
        "duration_ms": exchange.elapsed_ms,
        "connect_ms": exchange.connect_ms,
        "first_byte_ms": reply.first_byte_ms if reply else None,
        "answer": _decode_reply(exchange) or None,
    }
    print_json(msgspec.json.encode(report))


def _print_report(url: str, exchange: Exchange, diagnosis: CallbackDiagnosis) -> None:
    word = "delivered" if diagnosis.is_ok else "failed"
    print_data(f"{colour_state(word)}  {escape(diagnosis.text)}")
    status = f"HTTP {exchange.status}" if isinstance(exchange, HttpReply) else "no reply"
    pairs = [
        ("url", url),
        ("reply", status),
        ("peer", exchange.peer or ""),
        ("took", f"{exchange.elapsed_ms} ms"),
    ]
    for line in format_fields([pair for pair in pairs if pair[1]]):
        print_data(f"  {line}")
    for line in _decode_reply(exchange).splitlines():
        print_data(f"  | {escape(line)}")
    if diagnosis.fix:
        print_note(f"  fix: {escape(diagnosis.fix)}")
