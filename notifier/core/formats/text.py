"""Trouble of an exchange in words, for a person."""

from typing import assert_never
from urllib.parse import urlsplit

from notifier.core.exchange import FailureKind

_ELLIPSIS = "…"


def one_line(text: str, limit: int) -> str:
    """Return ``text`` as one printable line of at most ``limit`` characters."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * limit])
    return cut(" ".join(printable.split()), limit)


def cut(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of ``text``; a cut one ends in ``…``."""
    return text if len(text) <= limit else text[: limit - 1] + _ELLIPSIS


def describe_failure(fault: FailureKind, detail: str) -> str:
    """Say why there was no answer: the kind always in the same words, then the particulars."""
    particulars = one_line(detail, 200)
    return f"{_of_kind(fault)}: {particulars}" if particulars else _of_kind(fault)


def _of_kind(fault: FailureKind) -> str:
    match fault:
        case FailureKind.DNS:
            return "name not resolved"
        case FailureKind.CONNECT:
            return "no connection"
        case FailureKind.TLS:
            return "TLS failed"
        case FailureKind.TIMEOUT:
            return "no answer in time"
        case FailureKind.RESET:
            return "connection closed before the answer was complete"
        case FailureKind.PROTOCOL:
            return "answer is no proper HTTP"
        case FailureKind.BLOCKED:
            return "address not allowed"
        case FailureKind.TOO_LARGE:
            return "answer too large"
        case _:
            assert_never(fault)


def describe_task_error(source: str, code: int | str | None, title: str | None, detail: str | None) -> str:
    """Say why a task did not complete, and who says so."""
    sentences = [each.strip() for each in (title, detail) if each and each.strip()]
    *before, last = sentences or [""]
    text = " ".join([*(each if each[-1] in ".!?:" else f"{each}." for each in before), last])
    said = ": ".join(each for each in ("" if code is None else str(code), text) if each)
    return f"{said} (says the {source})"


def describe_redirect(status: int, location: str) -> str:
    """Say where a 3xx points to, by host alone: paths and userinfo may hold secrets."""
    if not location.strip():
        return f"HTTP {status}"
    try:
        host = urlsplit(location.strip()).hostname
    except ValueError:
        return "redirect to an unreadable place not followed"
    return f"redirect to {one_line(host, 100) if host else 'the same host'} not followed"


def format_size(size: int) -> str:
    """Say how many bytes, in the largest unit that fits without a rest."""
    for unit, length in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % length == 0:
            return f"{size // length} {unit}"
    return f"{size} bytes"


def format_duration(time_ms: int) -> str:
    """Say a duration in seconds, to a tenth below a minute."""
    return f"{time_ms / 1_000:.1f} s" if -60_000 < time_ms < 60_000 else f"{time_ms // 1_000} s"
