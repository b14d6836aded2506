"""Read JSON strictly, write it compactly, and pass it on unchanged.

Allowed numbers are integers from -2**63 to 2**64-1, and what fits a double. Nesting is limited to 64. JSON
that is only passed on (metadata, payloads) stays text (``split_members``), so that ``1.0``, ``1e2`` and
``0.10`` do not change.
"""

import codecs
import json
import re
from collections.abc import Iterable
from math import isinf
from typing import Any, Never

import msgspec

MAX_DEPTH = 64  # CONTRACT P5: bounded; no record of why; changing it needs a measurement
MIN_INT = -(2**63)  # CONTRACT, HTTP: numbers of up to 64 bits; signed
MAX_INT = 2**64 - 1  # CONTRACT, HTTP: numbers of up to 64 bits; unsigned
MIN_SECRET_CHARS = 4  # no provider issues such short keys, and replacing each "1" would destroy a reply

_MAX_INT_CHARS = len(str(MAX_INT))
_MAX_POINTER_CHARS = 200  # of one part; no record of why; changing it needs a measurement
_REPEATED = "this key stands twice in its object"
_TOO_DEEP = f"nested deeper than {MAX_DEPTH}"
_TOO_LARGE_INT = "an integer beyond 64 bits"
_TOO_LARGE_FLOAT = "a number beyond a double"
_NUL = "holds NUL (\\u0000)"
HALF_PAIR = "holds half a surrogate pair"
_LONE = re.compile("[\ud800-\udfff]")
_MAY_BE_BAD_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class InvalidJson(ValueError):
    """A text that is not JSON: its syntax or its encoding is wrong."""


class RejectedJson(ValueError):
    """JSON that is refused. ``pointer`` (RFC 6901) says where, ``detail`` why."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or '(the whole body)'}: {detail}")
        self.pointer = pointer
        self.detail = detail


def decode_strict(raw: bytes) -> Any:
    """Decode unambiguous JSON. Raise InvalidJson or RejectedJson, and nothing else.

    InvalidJson: not UTF-8, a byte order mark, wrong syntax, NaN, Infinity. RejectedJson: a duplicate key, NUL
    or a lone surrogate in a string or key, numbers out of range, nesting that is too deep.
    """
    text = _decode_text(raw)
    try:
        value = _parse(_STRICT, text)
        is_clean = not _MAY_BE_BAD_TEXT.search(raw) and not _is_too_deep(raw, value)
    except _Doubt:
        value, is_clean = None, False
    if not is_clean:
        _reject_first_error(text)
    return value


def split_members(text: bytes | str) -> dict[str, str]:
    """Split a JSON object into its members, each value as written. ``decode_strict`` must accept the text."""
    return {key: bytes(raw).decode() for key, raw in _RAW_MEMBERS.decode(text).items()}


def split_items(text: bytes | str) -> list[str]:
    """Split a JSON array into its items, each as written. ``decode_strict`` must accept the text."""
    return [bytes(raw).decode() for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]


def encode(value: object) -> str:
    """Write compact JSON that UTF-8 can encode. Raise ValueError for NaN and infinities."""
    text = _COMPACT.encode(value)
    return _COMPACT_ASCII.encode(value) if _LONE.search(text) else text


def scrub(text: str) -> str:
    """Replace lone surrogates by U+FFFD, because neither SQLite nor UTF-8 can store them."""
    return _LONE.sub("\ufffd", text)


def encode_scrubbed(text: str) -> bytes:
    """Return ``scrub(text)`` in UTF-8. Without lone surrogates it takes a tenth of the time."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return scrub(text).encode()


def mask_of(secret: str) -> str:
    """Return the text that replaces a secret: ``***``.

    Other signs replace those that the secret contains, because a mask and its neighbours must not complete
    the secret again.
    """
    return 3 * next((sign for sign in "*#-+_" if sign not in secret), "\ufffd")


def redact_plain(text: str, secret: str) -> str:
    """Replace ``secret`` by ``***`` in text that is not JSON. Shorter ones than ``MIN_SECRET_CHARS`` stay."""
    return text if len(secret) < MIN_SECRET_CHARS else text.replace(secret, mask_of(secret))


def _decode_text(raw: bytes) -> str:
    if not raw.strip():
        raise InvalidJson("not JSON: empty")
    if raw.startswith(codecs.BOM_UTF8):
        raise InvalidJson("not JSON: starts with a byte order mark")
    if b"\0" in raw:
        raise InvalidJson("not JSON: holds NUL bytes; JSON is UTF-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJson(f"not JSON: byte {error.start} is not UTF-8") from None


def _parse(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"not JSON: {error}") from None
    except RecursionError:
        raise RejectedJson("", _TOO_DEEP) from None


class _Doubt(Exception):
    """The fast decoder met something to refuse. The exact one finds what and where."""


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Doubt
    return members


def _parse_int(digits: str) -> int:
    if _check_int(digits):
        raise _Doubt
    return int(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        raise _Doubt
    return value


def _reject_constant(name: str) -> Never:
    raise InvalidJson(f"not JSON: {name}")


def _is_too_deep(raw: bytes, value: Any) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child for parent in level for child in _list_children(parent) if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _list_children(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


class _Members(list[tuple[str, Any]]):
    """An object as written, with duplicate keys."""


class _Number(str):
    """The error of a number, empty without one."""

    __slots__ = ()


def _reject_first_error(text: str) -> None:
    path: list[str | int] = []
    error = _find_error(_parse(_EXACT, text), path)
    if error:
        raise RejectedJson("".join(f"/{_escape_pointer(step)}" for step in path), error)


def _find_error(value: Any, path: list[str | int]) -> str:
    """Find the first error in reading order, and leave its path in ``path``."""
    match value:
        case _Number():
            return str(value)
        case str():
            return _check_text(value)
        case list() if len(path) >= MAX_DEPTH:
            return _TOO_DEEP
        case _Members():
            return _find_member_error(value, path)
        case list():
            return _find_item_error(value, path)
        case _:
            return ""


def _find_member_error(members: _Members, path: list[str | int]) -> str:
    seen: set[str] = set()
    for key, child in members:
        path.append(key)
        error = _REPEATED if key in seen else _check_text(key) or _find_error(child, path)
        if error:
            return error
        path.pop()
        seen.add(key)
    return ""


def _find_item_error(items: list[Any], path: list[str | int]) -> str:
    for index, child in enumerate(items):
        path.append(index)
        error = _find_error(child, path)
        if error:
            return error
        path.pop()
    return ""


def _check_text(text: str) -> str:
    if "\0" in text:
        return _NUL
    return HALF_PAIR if _LONE.search(text) else ""


def _check_int(digits: str) -> str:
    if len(digits) > _MAX_INT_CHARS or not MIN_INT <= int(digits) <= MAX_INT:
        return _TOO_LARGE_INT
    return ""


def _escape_pointer(step: str | int) -> str:
    part = scrub(str(step)).replace("\0", "\ufffd").replace("~", "~0").replace("/", "~1")
    return part if len(part) <= _MAX_POINTER_CHARS else part[:_MAX_POINTER_CHARS] + "…"


_STRICT = json.JSONDecoder(
    object_pairs_hook=_make_object,
    parse_int=_parse_int,
    parse_float=_parse_float,
    parse_constant=_reject_constant,
)
_EXACT = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_int=lambda digits: _Number(_check_int(digits)),
    parse_float=lambda digits: _Number(_TOO_LARGE_FLOAT if isinf(float(digits)) else ""),
    parse_constant=_reject_constant,
)
_RAW_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_COMPACT_ASCII = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
