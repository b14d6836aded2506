"""Whether the head of a request can be read in one way only, and how long the body is that it tells of.

What two parsers may read in two ways (bare line feeds, folded lines, several framings) is refused: that is
how requests are smuggled (RFC 9112, 11.2).
"""

import re

import httptools

HEAD_BYTES = 16 * 1024

_HEAD = re.compile(rb"[!-~]+ [!-~]+ HTTP/1\.[01](?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*)*")
_FIELD = re.compile(rb"\r\n([^:]+):[ \t]*([^\r]*)")
# In a head that is not all there yet: a line feed with no return before it, a return with no feed after it,
# a folded line, a control character.
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r(?!\n)(?!\Z)|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization"))
_LENGTH = re.compile(rb"[0-9]{1,20}[ \t]*")  # whether 64 bits hold it, the parser says


class BadRequestHead(httptools.HttpParserError):
    """What came in is no proper request; the message says why."""


def check_head(head: bytes) -> int | None:
    """Return how long the body is, None when it comes in chunks; raises BadRequest.

    ``head`` stands without the empty line at its end.
    """
    if not _HEAD.fullmatch(head):
        raise BadRequestHead("the head of a request is not plain lines of HTTP/1.1 or HTTP/1.0")
    single = [field for name, value in _FIELD.findall(head) if (field := (name.lower(), value))[0] in _ONCE]
    values = dict(single)
    if len(values) < len(single):
        raise BadRequestHead("a header that may stand once stands twice")
    if b"host" not in values and not head.partition(b"\r\n")[0].endswith(b"1.0"):
        raise BadRequestHead("no host")
    length, coding = values.get(b"content-length"), values.get(b"transfer-encoding")
    if coding is not None:
        if length is not None or coding.rstrip(b" \t").lower() != b"chunked":
            raise BadRequestHead("a body has a length or comes in chunks, and nothing else")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise BadRequestHead("content-length is not one number")
    return int(length)


def check_begun(received: bytes) -> None:
    """Raise BadRequest for the beginning of a head that can become no good one."""
    if len(received) > HEAD_BYTES:
        raise BadRequestHead("the head of a request is too long")
    if _AMBIGUOUS.search(received):
        raise BadRequestHead("the head of a request has bare or folded lines or control characters")
