"""Judging a poll: what an exchange with a provider means."""

from dataclasses import replace
from typing import assert_never

from notifier.core.causes.cause import MULEROUTER_KEY, Cause
from notifier.core.causes.failures import failure_to_cause, redirect_host
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.json_text import redact_plain
from notifier.core.formats.retry_after import POLL_CAP_MS, retry_after_ms
from notifier.core.formats.text import one_line
from notifier.core.model import TaskError, WatchState
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_reply import PLACE_LIMIT, ProviderReply, UnreadableReply, parse_reply
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    Running,
    TaskUnknown,
    Throttled,
)
from notifier.core.secret import Secret

STATUS_LIMIT = 200
TITLE_LIMIT = 500
DETAIL_LIMIT = 4_096
ORIGIN_LIMIT = 300  # no record of why; changing it needs a measurement
TASK_ID_LIMIT = 100  # no record of why; changing it needs a measurement

_MEANINGS = (
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

Judged = Running | Finished | TaskUnknown | AccountRefused | Throttled | Inconclusive


def judge_poll(
    exchange: Exchange, *, task_id: str, dialect: ProviderDescription, key: Secret | None, now: int
) -> Judged:
    """Say what a poll brought; whatever the provider does, this returns.

    Only a readable 2xx answer about this very task is an outcome or a sign that it runs.
    """
    match exchange:
        case NoReply(fault=fault, detail=detail):
            # What is too large has come: this task's answer is bad, the provider is up.
            is_outage = fault is not FailureKind.TOO_LARGE
            clean = replace(exchange, detail=_hide(detail, key))
            return Inconclusive(failure_to_cause(clean, peer="provider"), is_outage)
        case HttpReply(status=status) if 200 <= status <= 299:
            try:
                return _judge_answer(parse_reply(exchange, key), task_id, dialect)
            except UnreadableReply as error:
                return Inconclusive(error.cause, is_outage=False)
        case HttpReply():
            return _judge_status(exchange, key, now)
        case _:
            assert_never(exchange)


def _hide(text: str, key: Secret | None) -> str:
    return text if key is None else redact_plain(text, key.reveal())


def _refusal(status: int, key: Secret | None) -> Cause:
    """Say also where the key came from, where that is not where its owner would look first."""
    if key is None:
        return Cause(Code.PROVIDER_KEY_MISSING if status == 401 else _REFUSALS[status])
    if status == 402 or key.origin in {"", MULEROUTER_KEY}:
        return Cause(_REFUSALS[status])
    return Cause(_REFUSALS[status], {"key_origin": one_line(key.origin, ORIGIN_LIMIT)})


def _judge_status(reply: HttpReply, key: Secret | None, now: int) -> Judged:
    retry_ms = retry_after_ms(reply.headers.get("retry-after"), now=now, cap_ms=POLL_CAP_MS)
    match reply.status:
        case 401 | 402 | 403 as status:
            return AccountRefused(status, _refusal(status, key))
        case 404 | 410 as status:
            return TaskUnknown(status)
        case 429:
            return Throttled(retry_ms, Cause(Code.PROVIDER_THROTTLED))
        case status if 300 <= status <= 399:
            host = redirect_host(_hide(reply.headers.get("location", ""), key))
            cause = Cause(Code.PROVIDER_REDIRECT, {"host": host} if host else {"status": status})
            return Inconclusive(cause, is_outage=False, retry_after_ms=retry_ms)
        case status:
            is_outage = 500 <= status <= 599
            code = Code.PROVIDER_SERVER_ERROR if is_outage else Code.PROVIDER_HTTP_STATUS
            return Inconclusive(Cause(code, {"status": status}), is_outage, retry_ms)


def _judge_answer(answer: ProviderReply, task_id: str, dialect: ProviderDescription) -> Running | Finished:
    _check_id(answer, task_id, dialect)
    if not isinstance(answer.at(dialect.status), str):
        place = one_line(dialect.status, PLACE_LIMIT)
        raise UnreadableReply(Cause(Code.REPLY_STATUS_MISSING, {"place": place}))
    word = answer.text_at(dialect.status, STATUS_LIMIT)
    if word is None:
        raise UnreadableReply(Cause(Code.REPLY_STATUS_EMPTY))
    created_at = answer.instant_at(dialect.created_at)
    state = _meaning(word, dialect)
    if state is None:
        status = one_line(word, STATUS_LIMIT)
        return Running(status, created_at, Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": status}))
    if state is WatchState.WATCHING:
        return Running(word, created_at)
    return Finished(
        state=state,
        upstream_status=word,
        outputs=answer.texts_at(dialect.outputs),
        error=_error(answer, dialect, state),
        payload=answer.text,
        created_at=created_at,
        finished_at=answer.instant_at(dialect.finished_at),
    )


def _check_id(answer: ProviderReply, task_id: str, dialect: ProviderDescription) -> None:
    found = answer.at(dialect.id)
    if found is not None and str(found).casefold() != task_id.casefold():
        other = one_line(str(found), TASK_ID_LIMIT)
        raise UnreadableReply(Cause(Code.REPLY_OTHER_TASK, {"task_id": other}))


def _meaning(word: str, dialect: ProviderDescription) -> WatchState | None:
    folded = word.casefold()
    for meaning, state in _MEANINGS:
        if any(folded == known.strip().casefold() for known in dialect.words.get(meaning, ())):
            return state
    return None


def _error(answer: ProviderReply, dialect: ProviderDescription, state: WatchState) -> TaskError | None:
    """Return the reason of a failed task, always; of a cancelled one if it has any; else None."""
    if state is WatchState.COMPLETED:
        return None
    code = answer.code_at(dialect.error_code)
    title = answer.text_at(dialect.error_title, TITLE_LIMIT)
    detail = answer.text_at(dialect.error_detail, DETAIL_LIMIT)
    has_reason = any(part is not None for part in (code, title, detail))
    if state is WatchState.CANCELLED and not has_reason:
        return None
    untitled = f"The task {'was cancelled' if state is WatchState.CANCELLED else 'failed'}"
    untitled += "" if has_reason else "; the provider gave no reason"
    return TaskError("provider", code, title or untitled, detail)
