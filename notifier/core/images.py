"""Decide whether an exchange returned an image that the page may show.

The reply must declare one of a few types that contain pixels only (no SVG, which can run scripts and load
files). Its bytes must start with the signature of that type, so that no browser takes it for another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from notifier.core.causes.failures import failure_to_cause, redirect_to_cause
from notifier.core.exchange import Exchange, HttpReply, NoReply
from notifier.core.formats.text import format_size, one_line

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "image/png": "png",
        "image/jpeg": "jpg",
        "image/webp": "webp",
        "image/gif": "gif",
        "image/avif": "avif",
    }
)
"""Media types that are shown, with the file extension of each."""

_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg"}
_KIND_NAMES = "PNG, JPEG, WebP, GIF and AVIF"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that may be shown: one of ``KINDS``, and its bytes."""

    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ImageRejected:
    """Why there is no image to show, in words."""

    text: str


def check_image(exchange: Exchange, *, max_bytes: int) -> Image | ImageRejected:
    """Check the exchange of a GET of a result. ``max_bytes`` is the limit that was read."""
    match exchange:
        case NoReply():
            return ImageRejected(failure_to_cause(exchange).text())
        case HttpReply(status=status) if 300 <= status <= 399:
            return ImageRejected(redirect_to_cause(status, exchange.headers.get("location", "")).text())
        case HttpReply(status=status) if status != 200:
            return ImageRejected(f"the link answers HTTP {status}; it may have expired")
        case HttpReply(is_cut=True):
            return ImageRejected(f"it is larger than {format_size(max_bytes)}; open the link itself")
        case HttpReply():
            return _judge_body(exchange)
        case _:
            assert_never(exchange)


def _judge_body(reply: HttpReply) -> Image | ImageRejected:
    content_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = _ALIASES.get(content_type, content_type)
    if kind not in KINDS:
        label = one_line(content_type, 60) or "of no type"
        return ImageRejected(f"it is {label}, and only {_KIND_NAMES} are shown; open the link itself")
    if _detect_kind(reply.body) != kind:
        return ImageRejected(f"it says that it is {kind}, and does not begin like one")
    return Image(kind, reply.body)


def _detect_kind(body: bytes) -> str | None:
    """Return the type by the signature of the bytes (WHATWG MIME Sniffing)."""
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    if body[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return None
