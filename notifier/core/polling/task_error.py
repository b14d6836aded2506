"""Find out why a task failed: where the description says, else wherever the reply gives a reason."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from notifier.core.model import TaskError, WatchState
from notifier.core.polling.payload_notes import PayloadNote
from notifier.core.polling.provider import OutcomePlaces
from notifier.core.polling.provider_message import find_message
from notifier.core.polling.provider_reply import ProviderReply, value_to_code, value_to_text

# CONTRACT P5: bounded. No record of why at these numbers; changing one needs a measurement.
MAX_TITLE_CHARS = 500  # of an error
MAX_DETAIL_CHARS = 4_096  # of an error

_ERROR_PLACE = re.compile(r"(?:[A-Za-z_]\w*\.)*\w*(?:err|fail)\w*", re.ASCII | re.IGNORECASE)
_ERROR_NAMES = ("error", "errors")
_MESSAGE_NAMES = ("message", "detail")


def read_task_error(
    reply: ProviderReply, places: OutcomePlaces, state: WatchState, notes: list[PayloadNote]
) -> TaskError | None:
    """Return the error of a failed task, or of a cancelled one if the provider gave a reason; else None."""
    if state is WatchState.COMPLETED:
        return None
    code = value_to_code(reply.at_or_none(places.error_code, notes))
    title = value_to_text(reply.at_or_none(places.error_title, notes), MAX_TITLE_CHARS)
    detail = value_to_text(reply.at_or_none(places.error_detail, notes), MAX_DETAIL_CHARS)
    if title is None and detail is None:
        code, detail = _find_reason(code, list(_error_values(reply, places, state)))
    has_reason = any(part is not None for part in (code, title, detail))
    if state is WatchState.CANCELLED and not has_reason:
        return None
    untitled = f"The task {'was cancelled' if state is WatchState.CANCELLED else 'failed'}"
    untitled += "" if has_reason else "; the provider gave no reason"
    return TaskError("provider", code, title or untitled, detail)


def _find_reason(code: int | str | None, values: Sequence[Any]) -> tuple[int | str | None, str | None]:
    """Return code and detail: the first message and the first code, or else the first JSON text."""
    reasons = [_without_blanks(value) for value in values]
    detail = next(filter(None, map(_message_in, reasons)), None)
    if code is None:
        code = next((each for each in map(_code_in, reasons) if each is not None), None)
    if code is None and detail is None:
        detail = next(filter(None, (value_to_text(reason, MAX_DETAIL_CHARS) for reason in reasons)), None)
    return code, detail


def _message_in(reason: Any) -> str | None:
    """Return the message of an error; None if there is none, or several."""
    if isinstance(reason, list) and len(reason) > 1:
        return None
    return value_to_text(find_message(reason), MAX_DETAIL_CHARS)


def _code_in(reason: Any) -> int | str | None:
    return value_to_code(reason.get("code")) if isinstance(reason, dict) else None


def _error_values(reply: ProviderReply, places: OutcomePlaces, state: WatchState) -> Iterator[Any]:
    """Yield what is where the description has an error, then what has the usual names.

    A ``message`` beside the word for cancelled is seldom about it: many providers write "ok".
    """
    of_error = (places.error_title, places.error_detail, places.error_code)
    parents = dict.fromkeys(place.rpartition(".")[0] for place in of_error)
    for parent in filter(_ERROR_PLACE.fullmatch, parents):
        yield reply.at(parent)
    document = reply.reading.document
    if isinstance(document, dict):
        names = _ERROR_NAMES if state is WatchState.CANCELLED else _ERROR_NAMES + _MESSAGE_NAMES
        yield from (document.get(name) for name in names)


def _without_blanks(value: Any) -> Any:
    """Leave out the members that say nothing, so that an object of them alone says nothing either."""
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if value_to_text(each, 10) is not None}
    return value
