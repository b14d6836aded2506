"""Judge a reply about a task: by its HTTP code or its status word, as the description says."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.exchange import HttpReply
from notifier.core.formats.text import cut, format_size, one_line
from notifier.core.formats.times import parse_stamp
from notifier.core.model import TaskError, WatchState
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.core.polling.poll_context import PollContext
from notifier.core.polling.provider import OutcomePlaces, ProviderDescription, ResultDescription
from notifier.core.polling.provider_message import MAX_MESSAGE_CHARS, find_message, read_error
from notifier.core.polling.provider_reply import (
    MAX_PLACE_CHARS,
    ProviderReply,
    UnreadableReply,
    make_reply_without_json,
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
    ResultPending,
    Running,
    TaskUnknown,
    Throttled,
)

# CONTRACT P5: bounded. No record of why at these numbers; changing one needs a measurement.
MAX_STATUS_CHARS = 200  # of the provider's word for a state
MAX_TASK_ID_CHARS = 100  # of another task, in a trouble
MAX_OUTPUTS = 1_000  # CONTRACT, The callback
# Of all outputs of a task, which are in callbacks and in lists: as much as a payload has by default.
MAX_OUTPUT_CHARS = 1 << 20

_ENDS = {
    "completed": WatchState.COMPLETED,
    "failed": WatchState.FAILED,
    "cancelled": WatchState.CANCELLED,
}
_BODILESS = frozenset({Code.REPLY_EMPTY, Code.REPLY_NOT_JSON, Code.REPLY_JSON_REJECTED, Code.REPLY_MARKUP})
"""Why a reply is no JSON, where none is needed."""

ReplyVerdict = Running | Finished | ResultPending | TaskUnknown | AccountRefused | Throttled | Inconclusive


def judge_success(http: HttpReply, context: PollContext) -> ReplyVerdict:
    """Judge a 2xx reply by its status word. Raise UnreadableReply if it says nothing about the task."""
    description = context.description
    reply = parse_any(http, context) if description.body_kind == "any" else _parse(http, context)
    _check_id(reply, context)
    word, state = _read_status(reply, description)
    notes: list[PayloadNote] = []
    if state == "running" or state is None:
        return _report_running(http, reply, word, context, has_state=state is not None)
    if state in _ENDS:
        if state == "completed" and _is_true(reply.at_or_none(description.failed_if, notes)):
            state = "failed"
        return _finish(reply, _ENDS[state], word, context, notes)
    return _judge_account(http, reply, state, f'"{word}"', context)


def judge_code(http: HttpReply, state: str, context: PollContext) -> ReplyVerdict:
    """Judge a reply whose HTTP code decides. Its body is read for details, if it is JSON.

    A page of HTML is a gateway's and no reply of the API (CONTRACT P4). Raise UnreadableReply for one.
    """
    reply = parse_any(http, context)
    _check_id(reply, context)
    if state == "running":
        return Running(
            None,
            _instant(reply, context.description.created_at, context, []),
            None,
            *context.retry_after(http),
        )
    code = f"HTTP {http.status}"
    if state in _ENDS:
        return _finish(reply, _ENDS[state], code, context, [], message=_message(http, reply, context))
    return _judge_account(http, reply, state, code, context)


def parse_any(http: HttpReply, context: PollContext, max_body: int | None = None) -> ProviderReply:
    """Parse a reply that need not be JSON. Raise UnreadableReply for a page and for what is too large."""
    try:
        return _parse(http, context, max_body)
    except UnreadableReply as error:
        is_page = error.cause.code is Code.REPLY_MARKUP and not _is_media(http)
        if is_page or error.cause.code not in _BODILESS:
            raise
        return make_reply_without_json(http, context.secrets)


def read_outputs(
    reply: ProviderReply, places: OutcomePlaces, state: WatchState, notes: list[PayloadNote]
) -> tuple[str, ...]:
    """Return the texts at the place of outputs, a single one or those of a list. Empty texts are none."""
    value: Any = reply.at_or_none(places.outputs, notes)
    items = value if isinstance(value, list) else [value]
    outputs = tuple(item for item in items if isinstance(item, str) and item.strip())
    strangers = sum(1 for item in items if item is not None and not isinstance(item, str))
    if strangers:
        notes.append(PayloadNote(NoteCode.OUTPUTS_LEFT_OUT, {"count": strangers}))
    if state is WatchState.COMPLETED and not outputs and places.outputs:
        place = name_place(places.outputs)
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


def read_outcome_error(
    reply: ProviderReply, places: OutcomePlaces, state: WatchState, notes: list[PayloadNote], message: str
) -> TaskError | None:
    """Return why a task did not complete. ``message`` is what a reply without JSON says."""
    error = read_task_error(reply, places, state, notes)
    if not message or state is WatchState.COMPLETED:
        return error
    return TaskError(
        "provider", None, f"The task {'failed' if state is WatchState.FAILED else 'was cancelled'}", message
    )


def _parse(http: HttpReply, context: PollContext, max_body: int | None = None) -> ProviderReply:
    return parse_reply(http, max_body or context.description.max_body, context.secrets)


def _is_media(http: HttpReply) -> bool:
    return http.headers.get("content-type", "").startswith(("image/", "audio/", "video/"))


def _report_running(
    http: HttpReply, reply: ProviderReply, word: str, context: PollContext, *, has_state: bool
) -> Running:
    notes: list[PayloadNote] = []
    created_at = _instant(reply, context.description.created_at, context, notes)
    if not has_state:
        status = one_line(word, MAX_STATUS_CHARS)
        unknown = Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": status})
        return Running(status, created_at, unknown, *context.retry_after(http))
    oddity = Cause(Code.REPLY_EXPRESSION_FAILED, notes[0].params) if notes else None
    return Running(word, created_at, oddity, *context.retry_after(http))


def _finish(
    reply: ProviderReply,
    state: WatchState,
    word: str,
    context: PollContext,
    notes: list[PayloadNote],
    message: str = "",
) -> Finished | ResultPending:
    description = context.description
    created_at = _instant(reply, context.description.created_at, context, notes)
    end = Finished(
        state=state,
        upstream_status=word,
        outputs=read_outputs(reply, description, state, notes) if description.result is None else (),
        error=read_outcome_error(reply, description, state, notes, message),
        created_at=created_at,
        finished_at=_instant(reply, description.finished_at, context, notes),
        expires_at=_instant(reply, description.expires_at, context, notes),
        payload=reply.payload(notes),
        notes=tuple(notes),
    )
    if description.result is None or state is not WatchState.COMPLETED:
        return end
    return _expect_result(reply, end, description.result)


def _expect_result(reply: ProviderReply, end: Finished, result: ResultDescription) -> ResultPending:
    """Read the values of the path of the second GET. Without one of them the GET cannot be made."""
    values: dict[str, str] = {}
    failure = None
    for name, place in result.values.items():
        value = reply.at_or_none(place, [])
        text = "" if value is None else scalar_to_text(value)
        if text:
            values[name] = text
        else:
            cause = Cause(Code.RESULT_VALUE_MISSING, {"name": name, "place": name_place(place)})
            failure = Inconclusive(cause, InconclusiveKind.UNREADABLE)
    return ResultPending(end, values, failure)


def _judge_account(
    http: HttpReply, reply: ProviderReply, state: str, reason: str, context: PollContext
) -> TaskUnknown | AccountRefused | Throttled:
    """Return the verdict of a word or code that is about the account or an unknown task."""
    message = _message(http, reply, context) or one_line(
        find_message(reply.reading.document), MAX_MESSAGE_CHARS
    )
    match state:
        case "refused":
            return context.refuse(http, reason, message)
        case "throttled":
            return context.throttle(http, reason, message)
        case _:
            return TaskUnknown(http.status, message or reason)


def _message(http: HttpReply, reply: ProviderReply, context: PollContext) -> str:
    """Return what a reply without JSON says."""
    return "" if reply.payload_note is None else read_error(http, context.secrets).message


def _check_id(reply: ProviderReply, context: PollContext) -> None:
    value = reply.at(context.description.id)
    if value is None or value == "":
        return
    other = scalar_to_text(value)
    if other is None or other.casefold() != context.task_id.casefold():
        name = one_line(str(value), MAX_TASK_ID_CHARS)
        raise UnreadableReply(Cause(Code.REPLY_OTHER_TASK, {"task_id": name}))


def _read_status(reply: ProviderReply, description: ProviderDescription) -> tuple[str, str | None]:
    """Return the status word and its meaning. Null is a word only where the description says so."""
    value = reply.at(description.status)
    text = scalar_to_text(value)
    word = "" if text is None else cut(text.strip(), MAX_STATUS_CHARS)
    state = description.states.get(word.casefold())
    if text is None or (value is None and state is None):
        place = one_line(description.status, MAX_PLACE_CHARS)
        raise UnreadableReply(Cause(Code.REPLY_STATUS_MISSING, {"place": place}))
    if not word:
        raise UnreadableReply(Cause(Code.REPLY_STATUS_EMPTY))
    return word, state


def _is_true(value: object) -> bool:
    """Return whether a value is true in JMESPath: the number 0 is."""
    return value is not None and value is not False and value not in ("", [], {})


def _instant(reply: ProviderReply, place: str, context: PollContext, notes: list[PayloadNote]) -> int | None:
    if not place:
        return None
    return parse_stamp(reply.at_or_none(place, notes), context.description.utc_offset_ms)
