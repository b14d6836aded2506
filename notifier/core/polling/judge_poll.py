"""Judge a poll: decide what an exchange with a provider means."""

from dataclasses import replace
from typing import assert_never

from notifier.core.causes.cause import MULEROUTER_KEY, Cause
from notifier.core.causes.failures import describe_redirect_host, failure_to_cause
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.json_text import redact_plain
from notifier.core.formats.retry_after import MAX_POLL_RETRY_AFTER_MS, parse_retry_after
from notifier.core.formats.text import one_line
from notifier.core.model import TaskError, WatchState
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_reply import MAX_PLACE_CHARS, ProviderReply, UnreadableReply, parse_reply
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    Running,
    TaskUnknown,
    Throttled,
)
from notifier.core.secret import Secret

# CONTRACT P5: bounded. No record of why at these numbers; changing one needs a measurement.
MAX_STATUS_CHARS = 200  # of the provider's word for a state
MAX_TITLE_CHARS = 500  # of an error
MAX_DETAIL_CHARS = 4_096  # of an error
MAX_ORIGIN_CHARS = 300  # of a key, in a trouble
MAX_TASK_ID_CHARS = 100  # of another task, in a trouble

_STATES = (
    ("running", WatchState.WATCHING),
    ("completed", WatchState.COMPLETED),
    ("failed", WatchState.FAILED),
    ("cancelled", WatchState.CANCELLED),
)
_REFUSALS = {
    401: Code.PROVIDER_KEY_REFUSED,
    402: Code.PROVIDER_ACCOUNT_EMPTY,
    403: Code.PROVIDER_ACCESS_FORBIDDEN,
}

ReplyVerdict = Running | Finished | TaskUnknown | AccountRefused | Throttled | Inconclusive


def judge_poll(
    exchange: Exchange, *, task_id: str, description: ProviderDescription, key: Secret | None, now: int
) -> ReplyVerdict:
    """Return the verdict of an exchange. It never raises, whatever the provider replies.

    Only a readable 2xx reply about this task reports an outcome, or that the task runs.
    """
    match exchange:
        case NoReply(kind=kind, detail=detail):
            # A reply that is too large is the task's problem: the provider is up.
            is_outage = kind is not FailureKind.TOO_LARGE
            clean = replace(exchange, detail=_redact(detail, key))
            return Inconclusive(failure_to_cause(clean, peer="provider"), is_outage)
        case HttpReply(status=status) if 200 <= status <= 299:
            try:
                return _judge_reply(parse_reply(exchange, key), task_id, description)
            except UnreadableReply as error:
                return Inconclusive(error.cause, is_outage=False)
        case HttpReply():
            return _judge_status(exchange, key, now)
        case _:
            assert_never(exchange)


def _redact(text: str, key: Secret | None) -> str:
    return text if key is None else redact_plain(text, key.reveal())


def _refusal_to_cause(status: int, key: Secret | None) -> Cause:
    """Make the cause of a refusal. It names the origin of the key unless that is the obvious one."""
    if key is None:
        return Cause(Code.PROVIDER_KEY_MISSING if status == 401 else _REFUSALS[status])
    if status == 402 or key.origin in {"", MULEROUTER_KEY}:
        return Cause(_REFUSALS[status])
    return Cause(_REFUSALS[status], {"key_origin": one_line(key.origin, MAX_ORIGIN_CHARS)})


def _judge_status(reply: HttpReply, key: Secret | None, now: int) -> ReplyVerdict:
    retry_ms = parse_retry_after(reply.headers.get("retry-after"), now=now, cap_ms=MAX_POLL_RETRY_AFTER_MS)
    match reply.status:
        case 401 | 402 | 403 as status:
            return AccountRefused(status, _refusal_to_cause(status, key))
        case 404 | 410 as status:
            return TaskUnknown(status)
        case 429:
            return Throttled(retry_ms, Cause(Code.PROVIDER_THROTTLED))
        case status if 300 <= status <= 399:
            host = describe_redirect_host(_redact(reply.headers.get("location", ""), key))
            cause = Cause(Code.PROVIDER_REDIRECT, {"host": host} if host else {"status": status})
            return Inconclusive(cause, is_outage=False, retry_after_ms=retry_ms)
        case status:
            is_outage = 500 <= status <= 599
            code = Code.PROVIDER_SERVER_ERROR if is_outage else Code.PROVIDER_HTTP_STATUS
            return Inconclusive(Cause(code, {"status": status}), is_outage, retry_ms)


def _judge_reply(reply: ProviderReply, task_id: str, description: ProviderDescription) -> Running | Finished:
    _check_id(reply, task_id, description)
    if not isinstance(reply.at(description.status), str):
        place = one_line(description.status, MAX_PLACE_CHARS)
        raise UnreadableReply(Cause(Code.REPLY_STATUS_MISSING, {"place": place}))
    word = reply.text_at(description.status, MAX_STATUS_CHARS)
    if word is None:
        raise UnreadableReply(Cause(Code.REPLY_STATUS_EMPTY))
    created_at = reply.instant_at(description.created_at)
    state = _word_to_state(word, description)
    if state is None:
        status = one_line(word, MAX_STATUS_CHARS)
        return Running(status, created_at, Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": status}))
    if state is WatchState.WATCHING:
        return Running(word, created_at)
    return Finished(
        state=state,
        upstream_status=word,
        outputs=reply.texts_at(description.outputs),
        error=_read_error(reply, description, state),
        payload=reply.text,
        created_at=created_at,
        finished_at=reply.instant_at(description.finished_at),
    )


def _check_id(reply: ProviderReply, task_id: str, description: ProviderDescription) -> None:
    reply_id = reply.at(description.id)
    if reply_id is not None and str(reply_id).casefold() != task_id.casefold():
        other = one_line(str(reply_id), MAX_TASK_ID_CHARS)
        raise UnreadableReply(Cause(Code.REPLY_OTHER_TASK, {"task_id": other}))


def _word_to_state(word: str, description: ProviderDescription) -> WatchState | None:
    folded = word.casefold()
    for meaning, state in _STATES:
        if any(folded == expected.strip().casefold() for expected in description.words.get(meaning, ())):
            return state
    return None


def _read_error(
    reply: ProviderReply, description: ProviderDescription, state: WatchState
) -> TaskError | None:
    """Return the error of a failed task, or of a cancelled one if the provider gave a reason; else None."""
    if state is WatchState.COMPLETED:
        return None
    code = reply.code_at(description.error_code)
    title = reply.text_at(description.error_title, MAX_TITLE_CHARS)
    detail = reply.text_at(description.error_detail, MAX_DETAIL_CHARS)
    has_reason = any(part is not None for part in (code, title, detail))
    if state is WatchState.CANCELLED and not has_reason:
        return None
    untitled = f"The task {'was cancelled' if state is WatchState.CANCELLED else 'failed'}"
    untitled += "" if has_reason else "; the provider gave no reason"
    return TaskError("provider", code, title or untitled, detail)
