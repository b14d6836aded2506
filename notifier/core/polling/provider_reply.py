"""Parse the reply of a provider: remove the key, decode strict JSON, and look up places in it."""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jmespath

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.exchange import HttpReply
from notifier.core.formats.json_text import HALF_PAIR, RejectedJson, decode_strict, redact, repair
from notifier.core.formats.text import cut, format_size, one_line
from notifier.core.formats.times import parse_instant
from notifier.core.secret import Secret

MAX_PLACE_CHARS = 200  # no record of why; changing it needs a measurement
_BOM = b"\xef\xbb\xbf"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")


class UnreadableReply(Exception):
    """A reply that says nothing about the task, with the cause. Only ``judge_poll`` catches it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.text())
        self.cause = cause


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """A reply that is strictly valid JSON: its text and the decoded document.

    Neither contains the key, so nothing that is read from it can pass the key on.
    """

    text: str
    document: Any

    def at(self, place: str) -> Any:
        """Return the value at a JMESPath place; None without a value, and for an empty place."""
        if not place:
            return None
        try:
            return _compile_place(place)(self.document)
        except Exception as error:  # of jmespath, for any expression and document
            expression = one_line(repr(place), MAX_PLACE_CHARS)
            raise UnreadableReply(Cause(Code.REPLY_EXPRESSION_FAILED, {"place": expression})) from error

    def text_at(self, place: str, limit: int) -> str | None:
        """Return the text at a place, stripped and cut. A number becomes text, anything else None."""
        value = self.at(place)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        return cut(str(value).strip(), limit) or None

    def code_at(self, place: str) -> int | str | None:
        """Return the code at a place: an integer if it fits 64 bits, else text."""
        value = self.at(place)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
            return value
        return self.text_at(place, 200)

    def texts_at(self, place: str) -> tuple[str, ...]:
        """Return the strings at a place: a single one, or those of an array."""
        value = self.at(place)
        items = value if isinstance(value, list) else [value]
        return tuple(item for item in items if isinstance(item, str))

    def instant_at(self, place: str) -> int | None:
        """Return the instant at a place; None without a valid one."""
        return parse_instant(self.at(place))


def parse_reply(reply: HttpReply, key: Secret | None) -> ProviderReply:
    """Parse the body of a reply as strictly as a registration. Raise UnreadableReply.

    The reply is passed on unchanged. So anything that a strict receiver would refuse is refused here: a byte
    order mark, NaN, a duplicate key, endless nesting. Only text that was cut in the middle of an emoji is
    repaired, because a finished task must not be missed for it. The key is removed first.
    """
    body = reply.body
    if reply.is_cut:
        limit = format_size(len(body)) if body else "allowed"
        raise UnreadableReply(Cause(Code.REPLY_TOO_LARGE, {"limit": limit}))
    if body.startswith(_BOM):
        raise UnreadableReply(Cause(Code.REPLY_BYTE_ORDER_MARK))
    start = body.lstrip()[:1]
    if not start:
        raise UnreadableReply(Cause(Code.REPLY_EMPTY))
    if start == b"<":
        raise UnreadableReply(Cause(Code.REPLY_MARKUP))
    try:
        text = body.decode()
        clean = text if key is None else redact(text, key.reveal())
        return _decode(clean)
    except RejectedJson as error:
        raise UnreadableReply(Cause(Code.REPLY_JSON_REJECTED, {"detail": error.detail})) from error
    except ValueError as error:
        raise UnreadableReply(Cause(Code.REPLY_NOT_JSON)) from error


def _decode(text: str) -> ProviderReply:
    try:
        return ProviderReply(text, decode_strict(text.encode()))
    except RejectedJson as error:
        if error.detail != HALF_PAIR:
            raise
        mended = repair(text)
        return ProviderReply(mended, decode_strict(mended.encode()))


@functools.lru_cache(maxsize=256)
def _compile_place(place: str) -> Callable[[Any], Any]:
    """Compile a place into a function. Plain names avoid jmespath, which costs 40 us per poll."""
    if not _PLAIN.fullmatch(place):
        return cast("Callable[[Any], Any]", jmespath.compile(place).search)
    names = place.split(".")
    return lambda document: _walk(document, names)


def _walk(document: Any, names: Sequence[str]) -> Any:
    """Look up names by JMESPath's rule for identifiers: only an object has members."""
    for name in names:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document
