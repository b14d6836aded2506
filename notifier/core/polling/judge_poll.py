"""Judge a poll: decide what an exchange with a provider means."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from notifier.core.causes.cause import MULEROUTER_KEY, Cause
from notifier.core.causes.failures import describe_redirect_host, failure_to_cause
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.text import one_line
from notifier.core.polling.judge_reply import ReplyVerdict, judge_code, judge_success
from notifier.core.polling.poll_context import MAX_ORIGIN_CHARS, PollContext, make_context, quote_message
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_message import read_error
from notifier.core.polling.provider_reply import UnreadableReply, hide_secrets
from notifier.core.polling.verdict import (
    AccountRefused,
    Inconclusive,
    InconclusiveKind,
    TaskUnknown,
    Throttled,
)
from notifier.core.secret import Secret

_REFUSALS = {
    401: Code.PROVIDER_KEY_REFUSED,
    402: Code.PROVIDER_ACCOUNT_EMPTY,
    403: Code.PROVIDER_ACCESS_FORBIDDEN,
}
INCONCLUSIVE_KINDS: Mapping[FailureKind, InconclusiveKind] = MappingProxyType(
    {
        FailureKind.DNS: InconclusiveKind.CONNECTION,
        FailureKind.CONNECT: InconclusiveKind.CONNECTION,
        FailureKind.TLS: InconclusiveKind.CONNECTION,
        FailureKind.BLOCKED: InconclusiveKind.CONNECTION,
        FailureKind.TIMEOUT: InconclusiveKind.EXCHANGE,
        FailureKind.RESET: InconclusiveKind.EXCHANGE,
        FailureKind.PROTOCOL: InconclusiveKind.EXCHANGE,
        FailureKind.TOO_LARGE: InconclusiveKind.UNREADABLE,  # a reply has come: the provider is up
    }
)


def judge_poll(
    exchange: Exchange, *, task_id: str, description: ProviderDescription, key: Secret | None, now: int
) -> ReplyVerdict:
    """Return the verdict of an exchange. It never raises, whatever the provider replies.

    Only a readable reply about this task reports an outcome, or that the task runs: a 2xx reply, or one of a
    code that the description gives a meaning.
    """
    context = make_context(task_id, description, key, now)
    match exchange:
        case NoReply():
            return judge_failure(exchange, context)
        case HttpReply(status=status) if status in description.http or 200 <= status <= 299:
            try:
                state = description.http.get(status)
                if state is None:
                    return judge_success(exchange, context)
                return judge_code(exchange, state, context)
            except UnreadableReply as error:
                return judge_unreadable(exchange, error, context)
        case HttpReply():
            return judge_status(exchange, context)
        case _:
            assert_never(exchange)


def judge_failure(failure: NoReply, context: PollContext) -> Inconclusive:
    """Return the verdict of an exchange without a reply."""
    clean = replace(failure, detail=hide_secrets(failure.detail, context.secrets))
    return Inconclusive(failure_to_cause(clean, peer="provider"), INCONCLUSIVE_KINDS[failure.kind])


def judge_unreadable(reply: HttpReply, error: UnreadableReply, context: PollContext) -> Inconclusive:
    """Return the verdict of a reply that says nothing about the task."""
    is_page = error.cause.code is Code.REPLY_MARKUP
    kind = InconclusiveKind.PAGE if is_page else InconclusiveKind.UNREADABLE
    return Inconclusive(error.cause, kind, *context.retry_after(reply))


def judge_status(
    reply: HttpReply, context: PollContext
) -> TaskUnknown | AccountRefused | Throttled | Inconclusive:
    """Return the verdict of a status that is no success, and that the description gives no meaning."""
    if 300 <= reply.status <= 399:
        return _judge_redirect(reply, context)
    error, status = read_error(reply, context.secrets), reply.status
    quote = quote_message(error.message)
    match status:
        case 403 if error.is_page:
            blocked = Cause(Code.PROVIDER_ACCESS_BLOCKED, quote)
            return Inconclusive(blocked, InconclusiveKind.PAGE, *context.retry_after(reply))
        case 401 | 402 | 403:
            return AccountRefused(status, _refusal_to_cause(status, context.key, quote))
        case 404 | 410 if error.is_json:
            return TaskUnknown(status, error.message)
        case 429:
            wait_ms, ignored = context.retry_after(reply)
            return Throttled(wait_ms, Cause(Code.PROVIDER_THROTTLED, quote), ignored)
    code, kind = _kind_of_status(status)
    return Inconclusive(Cause(code, {"status": status, **quote}), kind, *context.retry_after(reply))


def _kind_of_status(status: int) -> tuple[Code, InconclusiveKind]:
    if status in (404, 410):
        return Code.PROVIDER_PATH_UNKNOWN, InconclusiveKind.PAGE
    if 500 <= status <= 599:
        return Code.PROVIDER_SERVER_ERROR, InconclusiveKind.SERVER_ERROR
    return Code.PROVIDER_HTTP_STATUS, InconclusiveKind.STATUS


def _judge_redirect(reply: HttpReply, context: PollContext) -> Inconclusive:
    host = describe_redirect_host(hide_secrets(reply.headers.get("location", ""), context.secrets))
    cause = Cause(Code.PROVIDER_REDIRECT, {"host": host} if host else {"status": reply.status})
    return Inconclusive(cause, InconclusiveKind.STATUS, *context.retry_after(reply))


def _refusal_to_cause(status: int, key: Secret | None, quote: Mapping[str, str | int]) -> Cause:
    """Make the cause of a refusal. It names the origin of the key unless that is the obvious one."""
    if key is None:
        return Cause(Code.PROVIDER_KEY_MISSING if status == 401 else _REFUSALS[status], quote)
    if status == 402 or key.origin in {"", MULEROUTER_KEY}:
        return Cause(_REFUSALS[status], quote)
    return Cause(_REFUSALS[status], {"key_origin": one_line(key.origin, MAX_ORIGIN_CHARS), **quote})
