"""Check that the head of a request can be read in one way only, and find the length of its body.

Two parsers may read bare line feeds, folded lines or two framings differently. Such a head is refused,
because request smuggling works with them (RFC 9112, 11.2).
"""

import re

import httptools

MAX_HEAD_BYTES = 16 * 1024
"""CONTRACT P5: bounded. No record of why 16 KiB; changing it needs a measurement."""

_HEAD = re.compile(rb"[!-~]+ [!-~]+ HTTP/1\.[01](?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*)*")
_FIELD = re.compile(rb"\r\n([^:]+):[ \t]*([^\r]*)")
# In a head that is not complete yet: a line feed without a return before it, a return without a feed after
# it, a folded line, a control character.
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r(?!\n)(?!\Z)|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization"))
_LENGTH = re.compile(rb"[0-9]{1,20}[ \t]*")  # httptools refuses a length of more than 64 bits


class BadRequestHead(httptools.HttpParserError):
    """The bytes received are no valid head of a request. The message says why."""


def check_head(head: bytes) -> int | None:
    """Return the length of the body, None for a chunked one. Raise BadRequestHead.

    ``head`` is without the empty line at its end.
    """
    if not _HEAD.fullmatch(head):
        raise BadRequestHead("the head of a request is not plain lines of HTTP/1.1 or HTTP/1.0")
    single = [field for name, value in _FIELD.findall(head) if (field := (name.lower(), value))[0] in _ONCE]
    values = dict(single)
    if len(values) < len(single):
        raise BadRequestHead("a header that may stand once stands twice")
    if b"host" not in values and not head.partition(b"\r\n")[0].endswith(b"1.0"):
        raise BadRequestHead("no host")
    return _find_body_length(values.get(b"content-length"), values.get(b"transfer-encoding"))


def _find_body_length(length: bytes | None, coding: bytes | None) -> int | None:
    if coding is not None:
        if length is not None or coding.rstrip(b" \t").lower() != b"chunked":
            raise BadRequestHead("a body has a length or comes in chunks, and nothing else")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise BadRequestHead("content-length is not one number")
    return int(length)


def check_partial_head(received: bytes) -> None:
    """Raise BadRequestHead if no valid head can begin with these bytes."""
    if len(received) > MAX_HEAD_BYTES:
        raise BadRequestHead("the head of a request is too long")
    if _AMBIGUOUS.search(received):
        raise BadRequestHead("the head of a request has bare or folded lines or control characters")
