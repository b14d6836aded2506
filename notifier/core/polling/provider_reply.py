"""Parse the reply of a provider: unpack it, remove the key, read its JSON, and look up places in it."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import jmespath

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.exchange import HttpReply
from notifier.core.formats.content_encoding import InvalidEncoding, foreign_encodings, unpack_body
from notifier.core.formats.json_pruning import MAX_DEPTH
from notifier.core.formats.json_reading import JsonReading, is_too_deep, read_json
from notifier.core.formats.json_redaction import redact_json
from notifier.core.formats.json_text import InvalidJson, RejectedJson, redact_plain
from notifier.core.formats.text import cut, format_size, one_line
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.core.secret import Secret

MAX_PLACE_CHARS = 200  # no record of why; changing it needs a measurement
MAX_ENCODING_CHARS = 60  # two names, and room for a third
MAX_CONTENT_TYPE_CHARS = 100  # a type with its parameters; RFC 6838 allows names of 127 each
Secrets = tuple[Secret, ...]
MAX_CODE_CHARS = 200  # no record of why; changing it needs a measurement
_MARKUP_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")


class UnreadableReply(Exception):
    """A reply that says nothing about the task, with the cause. Only ``judge_poll`` catches it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.text())
        self.cause = cause


@dataclass(frozen=True, slots=True)
class ProviderReply:
    """A reply that is JSON: the decoded document, and the bytes to pass on.

    Neither contains the key, so nothing that is read from it can pass the key on. ``payload_note`` says why
    there is nothing to pass on: such a reply counts as null.
    """

    reading: JsonReading
    payload_note: PayloadNote | None = None

    def at(self, place: str) -> Any:
        """Return the value at a JMESPath place; None without a value, and for an empty place.

        Raise UnreadableReply if the reply does not fit the expression.
        """
        if not place:
            return None
        try:
            return _compile_place(place)(self.reading.document)
        except Exception as error:  # of jmespath, for any expression and document
            raise UnreadableReply(
                Cause(Code.REPLY_EXPRESSION_FAILED, {"place": name_place(place)})
            ) from error

    def at_or_none(self, place: str, notes: list[PayloadNote]) -> Any:
        """Return the value at a place that decides nothing. A failing expression is None, with a note."""
        try:
            return self.at(place)
        except UnreadableReply:
            note = PayloadNote(NoteCode.EXPRESSION_FAILED, {"place": name_place(place)})
            if note not in notes:
                notes.append(note)
            return None

    def payload(self, notes: list[PayloadNote]) -> str | None:
        """Return the text to pass on; a note says what was repaired in it, or why there is none."""
        if self.payload_note is not None:
            notes.append(self.payload_note)
            return None
        raw = self.reading.raw
        if raw is None or is_too_deep(raw):
            notes.append(PayloadNote(NoteCode.PAYLOAD_TOO_DEEP, {"limit": MAX_DEPTH}))
            return None
        notes += (PayloadNote(NoteCode.PAYLOAD_REPAIRED, {"repair": each}) for each in self.reading.repairs)
        return raw.decode()


def parse_reply(reply: HttpReply, max_body: int, secrets: Secrets) -> ProviderReply:
    """Parse the body of a reply as every common reader would, or raise UnreadableReply.

    The secrets are taken out first, from the bytes.
    """
    body = read_body(reply, max_body, secrets)
    try:
        return ProviderReply(read_json(body, functools.partial(redact_secrets, secrets=secrets)))
    except RejectedJson as error:
        raise UnreadableReply(Cause(Code.REPLY_JSON_REJECTED, {"detail": error.detail})) from error
    except InvalidJson as error:
        raise UnreadableReply(_why_not_json(body, reply, secrets)) from error


def make_reply_without_json(reply: HttpReply, secrets: Secrets) -> ProviderReply:
    """Return a reply that counts as null, because its body is no JSON."""
    kind = one_line(hide_secrets(reply.headers.get("content-type", ""), secrets), MAX_CONTENT_TYPE_CHARS)
    params = {"type": kind or "of no type", "size": format_size(len(reply.body))}
    return ProviderReply(JsonReading(None, None), PayloadNote(NoteCode.PAYLOAD_NOT_JSON, params))


def redact_secrets(raw: bytes, secrets: Secrets) -> bytes:
    """Return JSON without the secrets."""
    for secret in secrets:
        raw = redact_json(raw, secret.reveal())
    return raw


def hide_secrets(text: str, secrets: Secrets) -> str:
    """Return text that is no JSON without the secrets."""
    for secret in secrets:
        text = redact_plain(text, secret.reveal())
    return text


def read_body(reply: HttpReply, max_body: int, secrets: Secrets) -> bytes:
    """Return the whole body of a reply, unpacked; raise UnreadableReply if it is too large or damaged."""
    body, is_cut = reply.body, reply.is_cut
    encoding = reply.headers.get("content-encoding")
    if encoding and not is_cut:
        try:
            body, is_cut = unpack_body(body, encoding, max_body)
        except InvalidEncoding as error:
            raise UnreadableReply(_invalid_encoding(encoding, secrets)) from error
    if is_cut:
        raise UnreadableReply(_too_large(reply, max_body))
    return body


def is_markup(body: bytes) -> bool:
    """Return whether a body is HTML or XML, by how it begins."""
    return _MARKUP_START.match(body) is not None


def name_place(place: str) -> str:
    """Return an expression as it is quoted."""
    return one_line(repr(place), MAX_PLACE_CHARS)


def scalar_to_text(value: object) -> str | None:
    """Return a scalar as its JSON text, a string as it is; None for a list or an object."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")  # PostgreSQL holds no NUL in a text
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # as JSON.stringify writes it
    return None if isinstance(value, list | dict) else json.dumps(value)


def value_to_text(value: object, limit: int) -> str | None:
    """Return any value as text of at most ``limit`` characters; None for what says nothing.

    Scalars are text, lists and objects are their JSON text. Null, false and what is empty say nothing.
    """
    if value is None or value is False:
        return None
    text = scalar_to_text(value)
    if text is None:
        text = _to_json(value) if value else ""
    return cut(text.strip(), limit) or None


def value_to_code(value: object) -> int | str | None:
    """Return an error code: an integer where it is one that fits 64 bits, else as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value_to_text(value, MAX_CODE_CHARS)
    is_integer = -(2**63) <= value < 2**63 and value == int(value)
    return int(value) if is_integer else value_to_text(value, MAX_CODE_CHARS)


def _to_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""


def _why_not_json(body: bytes, reply: HttpReply, secrets: Secrets) -> Cause:
    encoding = reply.headers.get("content-encoding", "")
    if not body.strip():
        return Cause(Code.REPLY_EMPTY)
    if is_markup(body):
        return Cause(Code.REPLY_MARKUP)
    return _invalid_encoding(encoding, secrets) if foreign_encodings(encoding) else Cause(Code.REPLY_NOT_JSON)


def _invalid_encoding(encoding: str, secrets: Secrets) -> Cause:
    name = one_line(hide_secrets(encoding, secrets), MAX_ENCODING_CHARS)
    return Cause(Code.REPLY_ENCODING_INVALID, {"encoding": name})


def _too_large(reply: HttpReply, max_body: int) -> Cause:
    declared = reply.headers.get("content-length", "")
    size = format_size(int(declared)) if declared.isdecimal() and len(declared) < 20 else ""
    return Cause(Code.REPLY_TOO_LARGE, {"limit": format_size(max_body)} | ({"size": size} if size else {}))


@functools.lru_cache(maxsize=256)
def _compile_place(place: str) -> Callable[[Any], Any]:
    """Compile a place into a function. Plain names avoid jmespath, which costs 40 us per poll."""
    if not _PLAIN.fullmatch(place):
        return cast("Callable[[Any], Any]", jmespath.compile(place).search)
    names = tuple(place.split("."))

    def walk(document: Any) -> Any:
        """Look up names by JMESPath's rule for identifiers: only an object has members."""
        for name in names:
            if not isinstance(document, dict):
                return None
            document = document.get(name)
        return document

    return walk
