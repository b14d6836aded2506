"""Remove a key from the bytes of JSON before they are decoded, however the key is escaped."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from notifier.core.formats.json_text import MIN_SECRET_CHARS, encode, mask_of, redact_plain

_WINDOW = 256 * 1024  # one search holds the interpreter, and so the event loop, for about a millisecond
_SHORT_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_OUTSIDE_STRINGS = frozenset("{}[]:,+-.0123456789eEtrufalsnNIity \t\r\n")
"""Signs that JSON has outside of strings, NaN and Infinity included."""
# A string or a number. Possessive, and matching an unclosed string to its end, so that the time stays linear.
_LITERAL = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|-?[0-9][0-9.eE+-]*+', re.DOTALL)
_IN_ESCAPE = re.compile(rb"\\u[0-9a-fA-F]{0,3}\Z")


@dataclass(frozen=True, slots=True)
class _Needle:
    """A secret, and how it may be written in JSON.

    ``has_short_escapes``: a backslash without ``u`` may write a sign of it. ``is_only_in_strings``: no match
    can be a number or another part of JSON that is no string. ``longest`` is the longest way to write it.
    """

    secret: str
    plain: bytes
    pattern: re.Pattern[bytes]
    has_short_escapes: bool
    is_only_in_strings: bool
    longest: int


def redact_json(raw: bytes, secret: str) -> bytes:
    """Replace ``secret`` by ``***`` in the strings and keys of JSON; all else keeps its bytes.

    A number that holds it becomes the string ``"***"``. A secret shorter than ``MIN_SECRET_CHARS`` stays. The
    result of JSON is JSON again.
    """
    if len(secret) < MIN_SECRET_CHARS:
        return raw
    needle = _make_needle(secret)
    escape = b"\\" if needle.has_short_escapes else b"\\u"
    if needle.plain not in raw and escape not in raw:
        return raw
    if next(_candidates(raw, needle), None) is None:
        return raw
    return _redact_bytes(raw, needle) if needle.is_only_in_strings else _redact_literals(raw, needle)


@functools.lru_cache(maxsize=64)
def _make_needle(secret: str) -> _Needle:
    return _Needle(
        secret=secret,
        plain=secret.encode("utf-8", "surrogatepass"),
        pattern=re.compile(b"".join(map(_sign_pattern, secret))),
        has_short_escapes=any(sign in _SHORT_ESCAPES for sign in secret),
        is_only_in_strings=not _OUTSIDE_STRINGS.issuperset(secret),
        longest=12 * len(secret),  # a surrogate pair, both halves as \uXXXX
    )


def _sign_pattern(sign: str) -> bytes:
    """Return the pattern of one character: as it is, as ``\\uXXXX`` in any case, and by its short escape."""
    units = sign.encode("utf-16-be", "surrogatepass")
    halves = (units[start : start + 2].hex() for start in range(0, len(units), 2))
    forms = ["".join(rf"\\u{_any_case(half)}" for half in halves)]
    if sign not in '"\\' and sign >= " ":
        forms.append(re.escape(sign))
    if sign in _SHORT_ESCAPES:
        forms.append(rf"\\{re.escape(_SHORT_ESCAPES[sign])}")
    return f"(?:{'|'.join(forms)})".encode("utf-8", "surrogatepass")


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _candidates(raw: bytes, needle: _Needle) -> Iterator[re.Match[bytes]]:
    """Yield what looks like the secret, overlaps included."""
    for start in range(0, len(raw), _WINDOW):
        end, position = start + _WINDOW, start
        while (match := needle.pattern.search(raw, position, end + needle.longest)) and match.start() < end:
            yield match
            position = match.start() + 1


def _redact_bytes(raw: bytes, needle: _Needle) -> bytes:
    """Replace each candidate that begins where a character of a string begins, and not inside an escape."""
    mask, redacted, copied = mask_of(needle.secret).encode(), bytearray(), 0
    aligned = 0  # the last place that is known to be no inside of an escape
    for match in _candidates(raw, needle):
        start, end = match.span()
        if start < copied:  # it overlaps the one before
            continue
        escape = _escape_around(raw, aligned, start)
        if escape is not None:
            aligned = escape
            continue
        redacted += raw[copied:start] + mask
        copied = aligned = end
    redacted += raw[copied:]
    return bytes(redacted)


def _escape_around(raw: bytes, aligned: int, start: int) -> int | None:
    """Return where the escape begins that ``start`` is inside of; None if it is in none."""
    before = raw[aligned:start]
    if _count_backslashes(before) % 2:
        return start - 1
    match = _IN_ESCAPE.search(before, max(0, len(before) - 5))
    if match is None or _count_backslashes(before[: match.start()]) % 2:
        return None
    return aligned + match.start()


def _count_backslashes(before: bytes) -> int:
    return len(before) - len(before.rstrip(b"\\"))


def _redact_literals(raw: bytes, needle: _Needle) -> bytes:
    """Go from string to string and number to number: this secret looks like other parts of JSON too."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:  # no JSON yet; it comes again when its bytes are repaired
        return raw
    return _LITERAL.sub(lambda match: _redact_literal(match[0], needle), text).encode()


def _redact_literal(literal: str, needle: _Needle) -> str:
    if needle.pattern.search(literal.encode()) is None:
        return literal
    if literal[0] != '"':
        return f'"{mask_of(needle.secret)}"' if needle.secret in literal else literal
    try:
        value = str(json.loads(literal, strict=False))
    except ValueError:  # the text was no JSON
        value = literal[1:-1]
    return encode(redact_plain(value, needle.secret)) if needle.secret in value else literal
