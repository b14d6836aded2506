"""Read the JSON of others as every common reader would, and repair what could not be passed on.

Quick for JSON that is in order. Whatever else is clear is read too: another Unicode encoding, a byte order
mark, bytes that are no UTF-8, half a surrogate pair, NaN, equal keys, numbers of any size, any depth.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from notifier.core.formats.json_pruning import MAX_DEPTH, MAX_VALUES, read_pruned
from notifier.core.formats.json_text import InvalidJson

_FEW_BYTES = 64 * 1024  # what is shorter cannot hold MAX_VALUES values

_LONE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
# What is in order before a defect, then the defect. Bounded, because one match holds the interpreter.
_TO_LONE_HALF = re.compile(
    rb"((?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F]).{4}|\\u[dD][89abAB]..\\u[dD][c-fC-F]..){0,20000}+)"
    rb"(\\u[dD][89a-fA-F]..)?",
    re.DOTALL,
)
_TO_NOT_A_NUMBER = re.compile(
    rb'((?:[^"NI\-]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|-(?!Infinity)){0,20000}+)(NaN|-?Infinity)?', re.DOTALL
)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_UP_TO_STRINGS = re.compile(rb'(?:[^"]*+"(?:[^"\\]++|\\.)*+"){1,20000}+|[^"]++', re.DOTALL)
_RUN = re.compile(rb"\[+|\]+")
_REPLACEMENT = "\ufffd".encode()
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_AS_LISTS = bytes.maketrans(b"{}", b"[]")


class Repair(StrEnum):
    """What was wrong with the bytes, and is repaired in the text that is passed on."""

    BYTE_ORDER_MARK = "byte_order_mark"
    ENCODING = "encoding"
    BAD_BYTES = "bad_bytes"
    HALF_PAIRS = "half_pairs"
    NOT_A_NUMBER = "not_a_number"


@dataclass(frozen=True, slots=True)
class JsonReading:
    """JSON of others: what it says, and the bytes to pass on.

    ``raw`` is valid JSON in UTF-8; None if it is nested too deep for common readers.
    """

    raw: bytes | None
    document: Any
    repairs: tuple[Repair, ...] = ()


def read_json(raw: bytes, clean: Callable[[bytes], bytes]) -> JsonReading:
    """Read JSON; ``clean`` takes out of it what must not be passed on.

    Raise InvalidJson for what is no JSON even so, RejectedJson for more values than are read.
    """
    cleaned = clean(raw)
    if has_few_values(cleaned):
        try:
            return JsonReading(cleaned, msgspec.json.decode(cleaned))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return _read_leniently(raw, clean)


def has_few_values(raw: bytes) -> bool:
    """Return whether a document of these bytes is small in memory, whatever it says."""
    if len(raw) <= _FEW_BYTES:
        return True
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{") < MAX_VALUES


def is_too_deep(raw: bytes) -> bool:
    """Return whether valid JSON is nested deeper than common readers allow."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _keep_brackets(raw)
    levels = 0
    while len(shorter := brackets.replace(b"[]", b"")) <= len(brackets) * 7 // 8 and shorter:
        brackets, levels = shorter, levels + 1  # the innermost level is gone, quicker than by the loop below
    depth = 0
    for run in _RUN.finditer(brackets):
        depth += len(run[0]) if run[0].startswith(b"[") else -len(run[0])
        if depth + levels > MAX_DEPTH:
            return True
    return False


def _keep_brackets(raw: bytes) -> bytes:
    """Return the brackets outside of strings, all as those of lists."""
    brackets = bytearray()
    for match in _UP_TO_STRINGS.finditer(raw):
        brackets += _STRING.sub(b"", match[0]).translate(_AS_LISTS, _NO_BRACKETS)
    return bytes(brackets)


def _read_leniently(raw: bytes, clean: Callable[[bytes], bytes]) -> JsonReading:
    text, repairs = _to_utf8(raw)
    text = clean(text)
    try:
        is_passable = _is_valid(text)
        if not is_passable:
            text, more = _repair_syntax(text)
            repairs += more
            is_passable = _is_valid(text)
    except RecursionError:
        return JsonReading(None, read_pruned(text.decode()), repairs)
    if not is_passable:
        raise InvalidJson("not JSON")
    return JsonReading(text, read_pruned(text.decode()), repairs)


def _to_utf8(raw: bytes) -> tuple[bytes, tuple[Repair, ...]]:
    encoding = json.detect_encoding(raw)
    repairs: tuple[Repair, ...] = ()
    if encoding == "utf-8-sig":
        repairs = (Repair.BYTE_ORDER_MARK,)
    elif encoding != "utf-8":
        repairs = (Repair.ENCODING,)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text, repairs = raw.decode(encoding, "replace"), (*repairs, Repair.BAD_BYTES)
    return text.lstrip("\ufeff").encode(), repairs


def _is_valid(text: bytes) -> bool:
    """Check the syntax without building a document."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _repair_syntax(text: bytes) -> tuple[bytes, tuple[Repair, ...]]:
    repairs: tuple[Repair, ...] = ()
    if _LONE_ESCAPE.search(text):
        whole = _replace_defects(_TO_LONE_HALF, text, _REPLACEMENT)
        repairs += (Repair.HALF_PAIRS,) if whole != text else ()
        text = whole
    if b"NaN" in text or b"Infinity" in text:
        finite = _replace_defects(_TO_NOT_A_NUMBER, text, b"null")
        repairs += (Repair.NOT_A_NUMBER,) if finite != text else ()
        text = finite
    return text, repairs


def _replace_defects(pattern: re.Pattern[bytes], text: bytes, replacement: bytes) -> bytes:
    """Replace each defect. The result grows in place, because a list of its pieces takes much memory."""
    whole = bytearray()
    for match in pattern.finditer(text):
        whole += match[1]
        if match[2]:
            whole += replacement
    return bytes(whole)
