"""Unpack a body that came with a ``Content-Encoding``, although none was requested, into bounded memory."""

import re
import zlib

MAX_LAYERS = 2  # one of the server and one of a proxy before it
MAX_INFLATION = 1_032  # zlib's documentation: the most that deflate makes of one byte
MAX_MEMBERS = 16  # a gzip file may be several in a row; zlib copies the rest of the input for each

_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_START = b"\x1f\x8b"
_GZIP_FORMAT, _ZLIB_FORMAT, _RAW_FORMAT = 31, 15, -15  # the ``wbits`` of zlib
_NO_ENCODING = re.compile(r"|identity|none|utf-?8", re.ASCII)


class InvalidEncoding(ValueError):
    """The body is packed and ends early, or is damaged."""


def foreign_encodings(header: str) -> list[str]:
    """Return the encodings that a header names, without those that mean none."""
    names = (name.strip().lower() for name in header.split(","))
    return [name for name in names if not _NO_ENCODING.fullmatch(name)]


def unpack_body(body: bytes, header: str, limit: int) -> tuple[bytes, bool]:
    """Return the body unpacked up to ``limit`` bytes, and whether there is more.

    Raise InvalidEncoding for a packed body that is damaged. A body that does not begin like what the header
    says comes back as it is: proxies unpack bodies and leave the header. So does one of an unknown encoding.
    """
    is_cut = False
    for name in foreign_encodings(header)[: -MAX_LAYERS - 1 : -1]:
        wbits = _format_of(body, name)
        if wbits is not None:
            body, is_cut = _inflate(body, wbits, limit)
    return body, is_cut


def _format_of(body: bytes, name: str) -> int | None:
    if name in _GZIP:
        return _GZIP_FORMAT if body.startswith(_GZIP_START) else None
    if name != "deflate" or not body:
        return None
    # RFC 9110 8.4.1.2: deflate is the zlib format; some servers send it without the two bytes of zlib.
    has_zlib_start = body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
    if has_zlib_start:
        return _ZLIB_FORMAT
    return _RAW_FORMAT if _is_raw_deflate(body) else None


def _is_raw_deflate(body: bytes) -> bool:
    try:
        zlib.decompressobj(_RAW_FORMAT).decompress(body[:1_024], 1)
    except zlib.error:
        return False
    return body.lstrip()[:1] not in (b"{", b"[", b"<")


def _inflate(body: bytes, wbits: int, limit: int) -> tuple[bytes, bool]:
    unpacked = bytearray()
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(wbits)
        try:
            unpacked += member.decompress(body, limit + 1 - len(unpacked))
        except zlib.error as error:
            raise InvalidEncoding(str(error)) from None
        if len(unpacked) > limit:
            return bytes(unpacked[:limit]), True
        if not member.eof:
            raise InvalidEncoding("ends early")
        body = member.unused_data
        if wbits != _GZIP_FORMAT or not body.startswith(_GZIP_START):
            break
    return bytes(unpacked), False
