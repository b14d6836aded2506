"""Judge a poll: decide what an exchange with a provider means."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from types import MappingProxyType
from typing import Any, assert_never

from notifier.core.causes.cause import MULEROUTER_KEY, QUOTE, Cause
from notifier.core.causes.failures import describe_redirect_host, failure_to_cause
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.retry_after import MAX_POLL_RETRY_AFTER_MS, parse_retry_after
from notifier.core.formats.text import cut, format_size, one_line
from notifier.core.formats.times import parse_stamp
from notifier.core.model import WatchState
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.provider_message import read_error
from notifier.core.polling.provider_reply import (
    MAX_PLACE_CHARS,
    ProviderReply,
    UnreadableReply,
    hide_key,
    name_place,
    parse_reply,
    scalar_to_text,
)
from notifier.core.polling.task_error import read_task_error
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    Running,
    TaskUnknown,
    Throttled,
)
from notifier.core.secret import Secret

# CONTRACT P5: bounded. No record of why at these numbers; changing one needs a measurement.
MAX_STATUS_CHARS = 200  # of the provider's word for a state
MAX_ORIGIN_CHARS = 300  # of a key, in a trouble
MAX_TASK_ID_CHARS = 100  # of another task, in a trouble
MAX_RETRY_AFTER_CHARS = 60  # a date has 29 characters; what is longer is quoted in part
MAX_OUTPUTS = 1_000  # CONTRACT, The callback
# Of all outputs of a task, which are in callbacks and in lists: as much as a payload has by default.
MAX_OUTPUT_CHARS = 1 << 20

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

ReplyVerdict = Running | Finished | TaskUnknown | AccountRefused | Throttled | Inconclusive


def judge_poll(
    exchange: Exchange, *, task_id: str, description: ProviderDescription, key: Secret | None, now: int
) -> ReplyVerdict:
    """Return the verdict of an exchange. It never raises, whatever the provider replies.

    Only a readable 2xx reply about this task reports an outcome, or that the task runs.
    """
    match exchange:
        case NoReply(kind=failure, detail=detail):
            clean = replace(exchange, detail=hide_key(detail, key))
            return Inconclusive(failure_to_cause(clean, peer="provider"), INCONCLUSIVE_KINDS[failure])
        case HttpReply(status=status) if 200 <= status <= 299:
            try:
                return _judge_reply(exchange, task_id, description, key, now)
            except UnreadableReply as error:
                is_page = error.cause.code is Code.REPLY_MARKUP
                kind = InconclusiveKind.PAGE if is_page else InconclusiveKind.UNREADABLE
                return Inconclusive(error.cause, kind, *_retry_after(exchange, key, now))
        case HttpReply():
            return _judge_status(exchange, key, now)
        case _:
            assert_never(exchange)


def _retry_after(reply: HttpReply, key: Secret | None, now: int) -> tuple[int | None, str]:
    """Return how long the provider asks to wait; and the header's value, if it cannot be read."""
    value = reply.headers.get("retry-after")
    if value is None:
        return None, ""
    wait_ms = parse_retry_after(
        value, now=now, cap_ms=MAX_POLL_RETRY_AFTER_MS, date=reply.headers.get("date")
    )
    return wait_ms, "" if wait_ms is not None else one_line(hide_key(value, key), MAX_RETRY_AFTER_CHARS)


# ---- error statuses


def _judge_status(reply: HttpReply, key: Secret | None, now: int) -> ReplyVerdict:
    if 300 <= reply.status <= 399:
        return _judge_redirect(reply, key, now)
    error, status = read_error(reply, key), reply.status
    quote = {QUOTE: error.message} if error.message else {}
    match status:
        case 403 if error.is_page:
            blocked = Cause(Code.PROVIDER_ACCESS_BLOCKED, quote)
            return Inconclusive(blocked, InconclusiveKind.PAGE, *_retry_after(reply, key, now))
        case 401 | 402 | 403:
            return AccountRefused(status, _refusal_to_cause(status, key, quote))
        case 404 | 410 if error.is_json:
            return TaskUnknown(status, error.message)
        case 429:
            wait_ms, ignored = _retry_after(reply, key, now)
            return Throttled(wait_ms, Cause(Code.PROVIDER_THROTTLED, quote), ignored)
    code, kind = _kind_of_status(status)
    return Inconclusive(Cause(code, {"status": status, **quote}), kind, *_retry_after(reply, key, now))


def _kind_of_status(status: int) -> tuple[Code, InconclusiveKind]:
    if status in (404, 410):
        return Code.PROVIDER_PATH_UNKNOWN, InconclusiveKind.PAGE
    if 500 <= status <= 599:
        return Code.PROVIDER_SERVER_ERROR, InconclusiveKind.SERVER_ERROR
    return Code.PROVIDER_HTTP_STATUS, InconclusiveKind.STATUS


def _judge_redirect(reply: HttpReply, key: Secret | None, now: int) -> Inconclusive:
    host = describe_redirect_host(hide_key(reply.headers.get("location", ""), key))
    cause = Cause(Code.PROVIDER_REDIRECT, {"host": host} if host else {"status": reply.status})
    return Inconclusive(cause, InconclusiveKind.STATUS, *_retry_after(reply, key, now))


def _refusal_to_cause(status: int, key: Secret | None, quote: Mapping[str, str]) -> Cause:
    """Make the cause of a refusal. It names the origin of the key unless that is the obvious one."""
    if key is None:
        return Cause(Code.PROVIDER_KEY_MISSING if status == 401 else _REFUSALS[status], quote)
    if status == 402 or key.origin in {"", MULEROUTER_KEY}:
        return Cause(_REFUSALS[status], quote)
    return Cause(_REFUSALS[status], {"key_origin": one_line(key.origin, MAX_ORIGIN_CHARS), **quote})


# ---- replies about a task


def _judge_reply(
    http: HttpReply, task_id: str, description: ProviderDescription, key: Secret | None, now: int
) -> Running | Finished:
    reply = parse_reply(http, description.max_body, key)
    _check_id(reply, task_id, description)
    word, state = _read_status(reply, description)
    notes: list[PayloadNote] = []
    created_at = _instant(reply, description.created_at, description, notes)
    if state is None:
        status = one_line(word, MAX_STATUS_CHARS)
        unknown = Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": status})
        return Running(status, created_at, unknown, *_retry_after(http, key, now))
    if state is WatchState.WATCHING:
        oddity = Cause(Code.REPLY_EXPRESSION_FAILED, notes[0].params) if notes else None
        return Running(word, created_at, oddity, *_retry_after(http, key, now))
    return Finished(
        state=state,
        upstream_status=word,
        outputs=_read_outputs(reply, description, state, notes),
        error=read_task_error(reply, description, state, notes),
        created_at=created_at,
        finished_at=_instant(reply, description.finished_at, description, notes),
        payload=reply.payload(notes),
        notes=tuple(notes),
    )


def _check_id(reply: ProviderReply, task_id: str, description: ProviderDescription) -> None:
    value = reply.at(description.id)
    if value is None or value == "":
        return
    other = scalar_to_text(value)
    if other is None or other.casefold() != task_id.casefold():
        name = one_line(str(value), MAX_TASK_ID_CHARS)
        raise UnreadableReply(Cause(Code.REPLY_OTHER_TASK, {"task_id": name}))


def _read_status(reply: ProviderReply, description: ProviderDescription) -> tuple[str, WatchState | None]:
    """Return the status word and its meaning. Null is a word only where the description says so."""
    value = reply.at(description.status)
    word = scalar_to_text(value)
    meaning = None if word is None else _word_to_state(cut(word.strip(), MAX_STATUS_CHARS), description)
    if word is None or (value is None and meaning is None):
        place = one_line(description.status, MAX_PLACE_CHARS)
        raise UnreadableReply(Cause(Code.REPLY_STATUS_MISSING, {"place": place}))
    word = cut(word.strip(), MAX_STATUS_CHARS)
    if not word:
        raise UnreadableReply(Cause(Code.REPLY_STATUS_EMPTY))
    return word, meaning


def _word_to_state(word: str, description: ProviderDescription) -> WatchState | None:
    folded = word.casefold()
    for meaning, state in _STATES:
        if any(folded == expected.strip().casefold() for expected in description.words.get(meaning, ())):
            return state
    return None


def _instant(
    reply: ProviderReply, place: str, description: ProviderDescription, notes: list[PayloadNote]
) -> int | None:
    return parse_stamp(reply.at_or_none(place, notes), description.utc_offset_ms)


def _read_outputs(
    reply: ProviderReply, description: ProviderDescription, state: WatchState, notes: list[PayloadNote]
) -> tuple[str, ...]:
    """Return the texts at the place of outputs, a single one or those of a list. Empty texts are none."""
    value: Any = reply.at_or_none(description.outputs, notes)
    items = value if isinstance(value, list) else [value]
    outputs = tuple(item for item in items if isinstance(item, str) and item.strip())
    strangers = sum(1 for item in items if item is not None and not isinstance(item, str))
    if strangers:
        notes.append(PayloadNote(NoteCode.OUTPUTS_LEFT_OUT, {"count": strangers}))
    if state is WatchState.COMPLETED and not outputs and description.outputs:
        place = name_place(description.outputs)
        notes.append(PayloadNote(NoteCode.OUTPUTS_MISSING, {"place": place}))
    return _cut_outputs(outputs, notes)


def _cut_outputs(outputs: tuple[str, ...], notes: list[PayloadNote]) -> tuple[str, ...]:
    first = outputs[:MAX_OUTPUTS]
    if len(outputs) > MAX_OUTPUTS:
        notes.append(PayloadNote(NoteCode.OUTPUTS_CUT, {"limit": MAX_OUTPUTS}))
    count = sum(1 for size in accumulate(map(len, first)) if size <= MAX_OUTPUT_CHARS)
    if count < len(first):
        limits: Mapping[str, str | int] = {
            "count": count,
            "total": len(first),
            "limit": format_size(MAX_OUTPUT_CHARS),
        }
        notes.append(PayloadNote(NoteCode.OUTPUTS_TOO_LARGE, limits))
    return first[:count]
