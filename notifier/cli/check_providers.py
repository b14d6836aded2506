"""Try the key of each provider: poll a task that does not exist, and explain the reply."""

import asyncio
from dataclasses import dataclass, replace
from typing import assert_never

from notifier.config.model import Config, ProviderSettings
from notifier.core.causes.cause import QUOTE, Cause, ProviderSubject
from notifier.core.causes.failures import failure_to_cause, redirect_to_cause
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.json_text import redact_plain
from notifier.core.formats.urls import build_task_url
from notifier.core.polling.provider import build_poll_headers
from notifier.core.polling.provider_message import read_error
from notifier.ports import HttpClient

UNKNOWN_TASK_ID = "00000000-0000-4000-8000-000000000000"
API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"  # of MuleRouter; others may ignore it


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """Whether the polls of one provider will work, as its reply shows; ``fix`` says what to do if not."""

    provider: str
    is_ok: bool
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
    url = build_task_url(provider.base_url, provider.description.task_path, API_PATH, UNKNOWN_TASK_ID)
    headers = build_poll_headers(provider.description, provider.api_key)
    timeout_ms, max_body = provider.polling.request_timeout_ms, provider.description.max_body
    exchange = await client.get(url, headers, timeout_ms=timeout_ms, max_body=max_body)
    return judge_key(provider, exchange)


def judge_key(provider: ProviderSettings, exchange: Exchange) -> KeyCheck:
    """Conclude from the reply for an unknown task whether the key, the account and the network are usable."""
    match exchange:
        case NoReply(kind=kind, detail=detail):
            text = failure_to_cause(replace(exchange, detail=_hide_key(detail, provider))).text()
            fix = _FIXES_BY_KIND.get(kind, "see that base_url is right, and that this machine can reach it")
            return KeyCheck(provider.name, False, f"unreachable: {text}", fix)
        case HttpReply():
            return _judge_reply(provider, exchange)
        case _:
            assert_never(exchange)


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
        case status:
            return _judge_other_status(provider, status, is_api=read_error(reply, provider.api_key).is_json)


def _hide_key(text: str, provider: ProviderSettings) -> str:
    return text if provider.api_key is None else redact_plain(text, provider.api_key.reveal())


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
    error = read_error(reply, provider.api_key)
    if error.is_page:
        blocked = Cause(Code.PROVIDER_ACCESS_BLOCKED, {QUOTE: error.message} if error.message else {})
        return KeyCheck(provider.name, False, blocked.text(), blocked.fix(ProviderSubject(provider.name)))
    fix = "see in the provider's console that the key is active, and may use this API"
    return KeyCheck(provider.name, False, "access is forbidden (403)", fix)


def _judge_other_status(provider: ProviderSettings, status: int, *, is_api: bool) -> KeyCheck:
    if not is_api:
        text = f"answers HTTP {status}, but not as an API does (no JSON)"
        return KeyCheck(provider.name, False, text, "see that base_url is right")
    what = "answers without a key" if provider.api_key is None else "the key is accepted"
    return KeyCheck(provider.name, True, f"{what} (HTTP {status} for a made-up task, as it should be)")
