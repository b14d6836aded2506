"""Parse the head of an HTTP/1 response, as leniently as curl does.

The status line and the blank line alone decide whether a callback is delivered. So odd header lines are read
or skipped, and only ``body_framing`` is strict: a poll needs a body whose end is certain.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_HEAD_LINES = 200  # decision 0012: bounds the CPU that one head takes
CHUNKED = -1
"""The framing of a body of chunks; others are a number of bytes, or None: until the connection closes."""

_BLANKS = b" \t\r"  # RFC 9110, 5.6.3; a carriage return before the line feed is part of the line end
HEAD_END = re.compile(rb"\n\r*\n")  # curl takes any number of carriage returns for none
_STATUS_LINE = re.compile(rb"HTTP/([0-9](?:\.[0-9])?) +([1-9][0-9]{2})(?![0-9])")
_AMBIGUOUS = re.compile(
    rb"\x00|\r(?!\n)"
    rb"|\A[^\n]*\n[ \t]"  # a folded line with nothing before it
    rb"|\n[^ \t\r\n:][^:\n]*(?=\n)"  # a line without a colon
    # a framing field with a blank before its colon, or folded
    rb"|\n(?:content-length|transfer-encoding)(?:[ \t]+:|:[^\n]*\n[ \t])",
    re.IGNORECASE,
)
"""What other programs refuse, or read in more than one way."""
_BODILESS = frozenset({101, 204, 304})  # RFC 9112, 6.3; after 101 no HTTP follows


class InvalidHead(ValueError):
    """A head, or the framing that it announces, is not HTTP. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A head: its bytes, the status, and the fields whose lines have a colon."""

    raw: bytes
    version: bytes
    status: int
    headers: Sequence[tuple[bytes, bytes]]

    @property
    def is_interim(self) -> bool:
        """Whether another head follows. 101 is final, because notifier asks for no upgrade."""
        return self.status < 200 and self.status != 101

    def values(self, name: bytes) -> list[bytes]:
        """Return the comma-separated values of all fields of a lower-case name, in lower case."""
        fields = [value for field, value in self.headers if field.lower() == name]
        return [value.strip(_BLANKS) for value in b",".join(fields).lower().split(b",")] if fields else []


def can_become_head(start: bytes | bytearray) -> bool:
    """Return whether a head can come of these first bytes."""
    return b"HTTP/".startswith(start[:5]) and start.count(b"\n") <= MAX_HEAD_LINES


def parse_head(raw: bytes) -> ResponseHead:
    """Parse a head up to its blank line. Raise InvalidHead if the status line is not one of HTTP/1."""
    status_line = _STATUS_LINE.match(raw)
    if status_line is None or not can_become_head(raw):
        raise InvalidHead("the head cannot be read")
    headers: list[tuple[bytes, bytes]] = []
    for line in raw.split(b"\n")[1:]:
        name, colon, value = line.partition(b":")
        if line[:1] in {b" ", b"\t"} and headers:  # a folded line: RFC 9112, 5.2
            headers[-1] = (headers[-1][0], headers[-1][1] + b" " + line.strip(_BLANKS))
        elif colon:
            headers.append((name.strip(_BLANKS), value.strip(_BLANKS)))
    return ResponseHead(raw, status_line[1], int(status_line[2]), headers)


def body_framing(head: ResponseHead) -> int | None:
    """Return how the body ends. Raise InvalidHead if that is not certain (RFC 9112, 6.3)."""
    lengths = set(head.values(b"content-length"))
    is_clear = head.version in {b"1.0", b"1.1"} and _is_length(lengths)
    if not is_clear or _AMBIGUOUS.search(head.raw):
        raise InvalidHead("the head cannot be read")
    if head.status in _BODILESS:
        return 0
    codings = [coding for coding in head.values(b"transfer-encoding") if coding != b"identity"]
    if codings not in ([], [b"chunked"]):
        raise InvalidHead("the body is not framed as HTTP says")
    if codings:
        return CHUNKED
    return int(lengths.pop()) if lengths else None


def keeps_alive(head: ResponseHead) -> bool:
    """Return whether the connection can be used again. Both framings at once end it (RFC 9112, 6.3)."""
    framings = {name.lower() for name, _ in head.headers} & {b"content-length", b"transfer-encoding"}
    return head.version == b"1.1" and b"close" not in head.values(b"connection") and len(framings) < 2


def _is_length(values: set[bytes]) -> bool:
    """Return whether these values are at most one length.

    18 digits are below 2^63, the limit of other programs.
    """
    return len(values) <= 1 and all(value.isdigit() and len(value) <= 18 for value in values)
