"""What is shown as a picture: what says so, of few kinds, and begins so. All else comes back in words."""

import pytest

from notifier.core.exchange import FailureKind, HttpReply, NoReply
from notifier.core.images import KINDS, Image, ImageRejected, check_image

MOST = 8 * 1024 * 1024
BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/gif": b"GIF89a\1\0\1\0",
    "image/avif": b"\0\0\0\x20ftypavif\0\0\0\0",
}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def judged(body: bytes, kind: str | None, status: int = 200, **more: object) -> Image | ImageRejected:
    headers = {} if kind is None else {"content-type": kind}
    reply = HttpReply(status, {**headers, **more.pop("headers", {})}, body, **more)  # type: ignore[arg-type,dict-item]
    return check_image(reply, max_bytes=MOST)


def refused(found: Image | ImageRejected) -> str:
    assert isinstance(found, ImageRejected), found
    return found.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_what_says_so_and_begins_so(kind: str) -> None:
    assert judged(BEGINNINGS[kind], kind) == Image(kind, BEGINNINGS[kind])
    assert judged(BEGINNINGS[kind], f"{kind.upper()}; charset=x") == Image(kind, BEGINNINGS[kind])


def test_every_kind_is_tried() -> None:
    assert BEGINNINGS.keys() == KINDS.keys()


def test_a_common_misnomer_is_understood_and_put_right() -> None:
    assert judged(BEGINNINGS["image/jpeg"], "image/jpg") == Image("image/jpeg", BEGINNINGS["image/jpeg"])


@pytest.mark.threat(19)
@pytest.mark.parametrize("told", [*KINDS, "text/html", "image/svg+xml", "application/octet-stream", None])
@pytest.mark.parametrize("body", [SVG, HTML, b"", b"%PDF-1.7", b"GIF8", b"RIFF\x24\0\0\0WAVE", b"\0" * 64])
def test_nothing_else_is_one_whatever_it_says(told: str | None, body: bytes) -> None:
    """Neither what runs, nor what a browser might take for something that does."""
    refused(judged(body, told))


@pytest.mark.threat(19)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("told", [*KINDS, "text/html", "image/svg+xml", "video/mp4", None])
def test_a_picture_under_another_name_is_none(kind: str, told: str | None) -> None:
    """Both have to say the same."""
    if told != kind:
        refused(judged(BEGINNINGS[kind], told))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (judged(b"", None, 403), "the link answers HTTP 403; it may have expired"),
        (judged(BEGINNINGS["image/png"], "image/png", 206), "HTTP 206"),
        (judged(b"", None, 302, headers={"location": "http://10.0.0.1/?key=s3cret"}), "redirect to 10.0.0.1"),
        (judged(BEGINNINGS["image/png"], "image/png", is_cut=True), "larger than 8 MiB"),
        (judged(b"\0", "video/mp4"), "it is video/mp4, and only PNG"),
        (judged(b"\0", None), "it is of no type"),
        (judged(HTML, "image/png"), "says that it is image/png, and does not begin like one"),
        (check_image(NoReply(FailureKind.DNS, "x"), max_bytes=MOST), "name not resolved: x"),
        (check_image(NoReply(FailureKind.BLOCKED, "10.0.0.1"), max_bytes=MOST), "address not allowed"),
    ],
)
def test_why_there_is_none_is_said(found: Image | ImageRejected, said: str) -> None:
    assert said in refused(found)
    assert "s3cret" not in refused(found)


def test_what_the_other_side_says_of_itself_stays_one_short_line() -> None:
    text = refused(judged(b"", "x\n" * 200))
    assert "\n" not in text
    assert len(text) < 200
