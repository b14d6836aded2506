"""Parse the ``Retry-After`` header in the forms that servers send, within the limits of the caller."""

import email.utils
import math
import re
from datetime import UTC, datetime, timedelta

from notifier.core.formats.times import InvalidDuration, parse_duration, parse_stamp

MIN_RETRY_AFTER_MS = 1_000  # CONTRACT, The callback: from 1 s
MAX_POLL_RETRY_AFTER_MS = 3_600_000  # CONTRACT, The callback: for polls up to 1 h
MAX_ATTEMPT_RETRY_AFTER_MS = 86_400_000  # CONTRACT, The callback: up to 24 h

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_INSTANT = re.compile(r"[0-9]{10,13}")  # seconds or milliseconds since 1970
# A number that is an instant within a day is meant as one: as seconds it would be 31 years or more.
_MAX_INSTANT_DISTANCE_MS = 86_400_000
# It also cuts the day off a date, which says nothing.
_BETWEEN_VALUES = re.compile(r",\s*(?=[A-Z][a-z]{2,8},|[^A-Za-z\s])")
_MAX_VALUES = 8  # a header of two lines has two; each more costs the time of reading a date
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_retry_after(value: str | None, *, now: int, cap_ms: int, date: str | None = None) -> int | None:
    """Return how long to wait, from 1 s to ``cap_ms``; None without a valid header.

    RFC 9110: seconds, or an HTTP date. Also fractions, ``30s`` and an instant in seconds since 1970. Of
    several values, as two header lines are joined by a comma, the longest counts. ``date`` is the Date of the
    same reply: an instant is counted from it, because the peer's clock may be wrong. A past time is 1 s.
    """
    if value is None:
        return None
    sent_at = _parse_date(date) if date else None
    reference = now if sent_at is None else sent_at
    parts = _BETWEEN_VALUES.split(value, _MAX_VALUES - 1)
    waits = [_parse_wait(part.strip(), cap_ms, reference) for part in parts]
    valid = [wait for wait in waits if wait is not None]
    return min(max(MIN_RETRY_AFTER_MS, *valid), cap_ms) if valid else None


def _parse_wait(text: str, cap_ms: int, reference: int) -> int | None:
    if _INSTANT.fullmatch(text):
        at = parse_stamp(int(text))
        if at is not None and abs(at - reference) <= _MAX_INSTANT_DISTANCE_MS:
            return at - reference
    if _NUMBER.fullmatch(text):
        return _parse_seconds(text, cap_ms)
    try:
        return parse_duration(text, allow_zero=True)
    except InvalidDuration:
        at = _parse_date(text)
        return None if at is None else at - reference


def _parse_seconds(text: str, cap_ms: int) -> int:
    seconds = float(text)  # a float, because int() refuses very long numbers; infinity is above every limit
    if seconds * 1_000 >= cap_ms:
        return cap_ms
    return 0 if seconds <= 0 else math.ceil(seconds * 1_000)


def _parse_date(text: str) -> int | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)  # asctime has no zone and means UTC
        return (aware - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
