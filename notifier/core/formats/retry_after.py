"""Parse the ``Retry-After`` header: seconds or an HTTP date, within the limits of the caller."""

import email.utils
import math
import re
from datetime import UTC, datetime, timedelta

MIN_RETRY_AFTER_MS = 1_000  # CONTRACT, The callback: from 1 s
MAX_POLL_RETRY_AFTER_MS = 3_600_000  # CONTRACT, The callback: for polls up to 1 h
MAX_ATTEMPT_RETRY_AFTER_MS = 86_400_000  # CONTRACT, The callback: up to 24 h

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_retry_after(value: str | None, *, now: int, cap_ms: int) -> int | None:
    """Return how long to wait, from 1 s to ``cap_ms``; None without a valid header.

    A past, zero or negative time counts as 1 s. Fractions are accepted, although the standard has none.
    """
    if value is None:
        return None
    text = value.strip()
    wait_ms = _parse_seconds(text, cap_ms) if _NUMBER.fullmatch(text) else _parse_date(text, now)
    return None if wait_ms is None else min(max(wait_ms, MIN_RETRY_AFTER_MS), cap_ms)


def _parse_seconds(text: str, cap_ms: int) -> int:
    seconds = float(text)  # a float, because int() refuses very long numbers; infinity is above every limit
    if seconds * 1_000 >= cap_ms:
        return cap_ms
    return 0 if seconds <= 0 else math.ceil(seconds * 1_000)


def _parse_date(text: str, now: int) -> int | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)  # asctime has no zone and means UTC
        return (aware - _EPOCH) // timedelta(milliseconds=1) - now
    except (ValueError, OverflowError):
        return None
