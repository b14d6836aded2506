"""Judging a poll: what an exchange with a provider means."""

from typing import assert_never

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.fixes import KEY_FROM, MULEROUTER_KEY
from notifier.core.formats import text as words
from notifier.core.formats.json_text import redact_plain
from notifier.core.formats.retry_after import POLL_CAP_MS, retry_after_ms
from notifier.core.model import TaskError, WatchState
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_reply import ProviderReply, UnreadableReply, parse_reply
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

_MEANINGS = (
    ("running", WatchState.WATCHING),
    ("completed", WatchState.COMPLETED),
    ("failed", WatchState.FAILED),
    ("cancelled", WatchState.CANCELLED),
)
_REFUSALS = {
    401: "provider refuses the key (401)",
    402: "account is empty (402)",
    403: "provider forbids access (403)",
}
_NO_KEY = "provider wants a key, and none is set (401)"

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
            return Inconclusive(f"provider: {words.describe_failure(fault, _hide(detail, key))}", is_outage)
        case HttpReply(status=status) if 200 <= status <= 299:
            try:
                return _judge_answer(parse_reply(exchange, key), task_id, dialect)
            except UnreadableReply as trouble:
                return Inconclusive(str(trouble), is_outage=False)
        case HttpReply():
            return _judge_status(exchange, key, now)
        case _:
            assert_never(exchange)


def _hide(text: str, key: Secret | None) -> str:
    return text if key is None else redact_plain(text, key.reveal())


def _refusal(status: int, key: Secret | None) -> str:
    """Say also where the key came from, where that is not where its owner would look first."""
    if key is None:
        return _NO_KEY if status == 401 else _REFUSALS[status]
    is_plain = status == 402 or key.origin in {"", MULEROUTER_KEY}
    return _REFUSALS[status] + ("" if is_plain else f"{KEY_FROM}{key.origin}")


def _judge_status(reply: HttpReply, key: Secret | None, now: int) -> Judged:
    retry_ms = retry_after_ms(reply.headers.get("retry-after"), now=now, cap_ms=POLL_CAP_MS)
    match reply.status:
        case 401 | 402 | 403 as status:
            return AccountRefused(status, _refusal(status, key))
        case 404 | 410 as status:
            return TaskUnknown(status)
        case 429:
            return Throttled(retry_ms, "provider throttles (429)")
        case status if 300 <= status <= 399:
            text = words.describe_redirect(status, _hide(reply.headers.get("location", ""), key))
            return Inconclusive(f"provider: {text}", is_outage=False, retry_after_ms=retry_ms)
        case status:
            is_outage = 500 <= status <= 599
            return Inconclusive(f"provider answers HTTP {status}", is_outage, retry_ms)


def _judge_answer(answer: ProviderReply, task_id: str, dialect: ProviderDescription) -> Running | Finished:
    _check_id(answer, task_id, dialect)
    if not isinstance(answer.at(dialect.status), str):
        raise UnreadableReply(f"answer has no status at {dialect.status}")
    word = answer.text_at(dialect.status, STATUS_LIMIT)
    if word is None:
        raise UnreadableReply("answer's status is empty")
    created_at = answer.instant_at(dialect.created_at)
    state = _meaning(word, dialect)
    if state is None:
        status = words.one_line(word, STATUS_LIMIT)
        return Running(status, created_at, oddity=f'provider says "{status}", a status we do not know')
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
        other = words.one_line(str(found), 100)
        raise UnreadableReply(f'answer is about another task ("{other}")')


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
