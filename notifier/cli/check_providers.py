"""Try the key of each provider: poll a task that does not exist, and explain the reply."""

import asyncio
from dataclasses import dataclass, replace
from typing import assert_never

from notifier.cli.sample_tasks import UNKNOWN_TASK_ID, find_sample_task, send_request
from notifier.clock import wall_ms
from notifier.config.model import Config, ProviderSettings
from notifier.core.causes.cause import QUOTE, Cause, ProviderSubject
from notifier.core.causes.failures import failure_to_cause, redirect_to_cause
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.poll_request import build_poll_request
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_message import read_error
from notifier.core.polling.provider_reply import hide_secrets
from notifier.core.polling.verdict import AccountRefused, TaskUnknown, Throttled, Verdict
from notifier.ports import HttpClient

MULEROUTER = ProviderDescription()


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """Whether the polls of one provider will work, as its reply shows; ``fix`` says what to do if not.

    ``is_ok`` is None if the reply does not show it.
    """

    provider: str
    is_ok: bool | None
    text: str
    fix: str = ""


async def check_keys(config: Config) -> list[KeyCheck]:
    """Poll each provider once, all at the same time. It takes at most the longest request_timeout."""
    from notifier.daemon.client_factory import make_poll_client  # noqa: PLC0415 - an HTTP library; other commands need none

    client = make_poll_client(config)
    try:
        return list(await asyncio.gather(*(_check_key(client, each) for each in config.providers.values())))
    finally:
        await client.close()


async def _check_key(client: HttpClient, provider: ProviderSettings) -> KeyCheck:
    address = find_sample_task(provider)
    request = build_poll_request(provider.base_url, provider.description, address, provider.api_key)
    exchange = await send_request(client, provider, request, provider.description.max_body)
    return judge_key(provider, exchange, address.task_id)


def judge_key(provider: ProviderSettings, exchange: Exchange, task_id: str = UNKNOWN_TASK_ID) -> KeyCheck:
    """Conclude from the reply for an unknown task whether the key, the account and the network are usable."""
    match exchange:
        case NoReply(kind=kind, detail=detail):
            text = failure_to_cause(replace(exchange, detail=_hide_key(detail, provider))).text()
            fix = _FIXES_BY_KIND.get(kind, "see that base_url is right, and that this machine can reach it")
            return KeyCheck(provider.name, False, f"unreachable: {text}", fix)
        case HttpReply():
            verdict = judge_poll(
                exchange,
                task_id=task_id,
                description=provider.description,
                key=provider.api_key,
                now=wall_ms(),
            )
            return _judge_described(provider, exchange, verdict) or _judge_reply(provider, exchange)
        case _:
            assert_never(exchange)


def _judge_described(provider: ProviderSettings, reply: HttpReply, verdict: Verdict) -> KeyCheck | None:
    """Return what the description says of a reply; None where the HTTP status says it."""
    name = provider.name
    match verdict:
        case AccountRefused(cause=Cause(code=Code.PROVIDER_ACCOUNT_REFUSED)):
            setting, origin = f"providers.{name}.api_key", provider.api_key and provider.api_key.origin
            return KeyCheck(name, False, verdict.cause.text(), f"check {origin or setting} and the account")
        case Throttled(cause=Cause(code=Code.PROVIDER_LIMIT_REACHED)):
            text = f"{verdict.cause.text()}, so nothing is known of the key"
            return KeyCheck(name, False, text, "try again in a minute")
        case TaskUnknown(status=status) if status not in (404, 410):
            return _accept(provider, status) if not provider.description.needs_api_path else None
    return None


_FIXES_BY_KIND = {
    FailureKind.DNS: "see that base_url is spelled right, and that this machine can resolve names",
    FailureKind.TLS: "see that base_url is right, and that this machine's CA certificates and clock are",
    FailureKind.PROTOCOL: "see that base_url is right, and whether it is to be http or https",
}


def _judge_reply(provider: ProviderSettings, reply: HttpReply) -> KeyCheck:
    name = provider.name
    match reply.status:
        case 401:
            return KeyCheck(name, False, *_describe_refused_key(provider))
        case 402:
            return KeyCheck(
                name,
                False,
                "the key is accepted, but the account is empty (402)",
                "top up the account; polling then goes on by itself",
            )
        case 403:
            return _judge_forbidden(provider, reply)
        case 429:
            return KeyCheck(
                name, False, "throttled (429), so nothing is known of the key", "try again in a minute"
            )
        case status if 300 <= status <= 399:
            text = redirect_to_cause(status, _hide_key(reply.headers.get("location", ""), provider)).text()
            return KeyCheck(name, False, text, "give the address that it points to as base_url")
        case status if status >= 500:
            return KeyCheck(
                name,
                False,
                f"the provider fails (HTTP {status})",
                "try again later; polls do so by themselves",
            )
        case _:
            return _judge_other_status(provider, reply, is_api=read_error(reply, provider.secrets).is_json)


def _hide_key(text: str, provider: ProviderSettings) -> str:
    return hide_secrets(text, provider.secrets)


def _describe_refused_key(provider: ProviderSettings) -> tuple[str, str]:
    built_in = provider.name == "mulerouter"
    setting = f"providers.{provider.name}.api_key"
    where = f"MULEROUTER_API_KEY, or {setting}" if built_in else setting
    if provider.api_key is None:
        return "a key is wanted, and none is set (401)", f"set {where}"
    where = provider.api_key.origin or where
    return "the key is refused (401)", f"set another in {where}; then restart or reload the daemon"


def _judge_forbidden(provider: ProviderSettings, reply: HttpReply) -> KeyCheck:
    """Distinguish a refusal of the API from the page of a firewall, which says nothing about the key."""
    error = read_error(reply, provider.secrets)
    if error.is_page:
        blocked = Cause(Code.PROVIDER_ACCESS_BLOCKED, {QUOTE: error.message} if error.message else {})
        return KeyCheck(provider.name, False, blocked.text(), blocked.fix(ProviderSubject(provider.name)))
    fix = "see in the provider's console that the key is active, and may use this API"
    return KeyCheck(provider.name, False, "access is forbidden (403)", fix)


def _judge_other_status(provider: ProviderSettings, reply: HttpReply, *, is_api: bool) -> KeyCheck:
    if not is_api:
        text = f"answers HTTP {reply.status}, but not as an API does (no JSON)"
        return KeyCheck(provider.name, False, text, "see that base_url is right")
    if provider.description == MULEROUTER:
        return _accept(provider, reply.status)  # it looks at the key first
    if reply.status in (404, 410) and not provider.description.needs_api_path:
        return _accept(provider, reply.status)
    message = read_error(reply, provider.secrets).message
    quote = f'; it says "{message}"' if message else ""
    text = f"cannot tell whether the key is accepted (HTTP {reply.status} for a made-up task{quote})"
    fix = f"`notifier try {provider.name} --task ID` asks for a real one"
    return KeyCheck(provider.name, None, text, fix)


def _accept(provider: ProviderSettings, status: int) -> KeyCheck:
    what = "answers without a key" if provider.api_key is None else "the key is accepted"
    return KeyCheck(provider.name, True, f"{what} (HTTP {status} for a made-up task, as it should be)")
