"""Parse and format instants and durations. In code both are integers of milliseconds (``core/model.py``)."""

import re
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from math import isfinite

MIN_DURATION_MS = 50  # CONTRACT: a duration is at least 50 ms
MAX_DURATION_MS = 3_650 * 86_400_000  # ten years: such an instant can still be formatted

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - every datetime in this file is UTC and naive
_MILLISECOND = timedelta(milliseconds=1)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_UTC_OFFSET = re.compile(r"[Zz]|([+-])(\d\d):?(\d\d)", re.ASCII)
_FIRST_MILLISECONDS = 1e11  # so many seconds are the year 5138; so many milliseconds are 1973
_FIRST_INSTANT_MS = -62_135_596_800_000  # year 1
_LAST_INSTANT_MS = 253_402_300_799_999  # the last millisecond of 9999
_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in _UNITS_MS), re.ASCII)
_MAX_INSTANT_CHARS = 100  # a longer text would waste the cache
_MAX_DURATION_CHARS = 40  # a longer text is no duration, and exact arithmetic on it is slow
_HINT = 'write "250ms", "2.5s", "10m", "1h30m", "72h", "7d" or a number of seconds'


class InvalidDuration(ValueError):
    """A text that is no duration, or one out of range. The message says which and what to write."""


def format_instant(at: int) -> str:
    """Format an instant as RFC 3339 in UTC with milliseconds: ``2026-11-23T12:00:00.000Z``."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds") + "Z"


def parse_instant(text: object, offset_ms: int = 0) -> int | None:
    """Parse RFC 3339 text; None for anything else. Without an offset it is ``offset_ms`` ahead of UTC.

    A fraction may be long (100 characters in all). Digits below a millisecond are cut off.
    """
    is_short = isinstance(text, str) and len(text) <= _MAX_INSTANT_CHARS
    return _parse_cached(text, offset_ms) if is_short else None


def parse_stamp(value: object, offset_ms: int = 0) -> int | None:
    """Parse an instant of a provider: text as for ``parse_instant``, or a number since 1970; else None.

    A number below ``_FIRST_MILLISECONDS`` counts seconds, else milliseconds.
    """
    if isinstance(value, str):
        return parse_instant(value, offset_ms)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    at = value * 1_000 if abs(value) < _FIRST_MILLISECONDS else value
    return int(at) if _FIRST_INSTANT_MS <= at <= _LAST_INSTANT_MS else None


def parse_utc_offset(text: str) -> int | None:
    """Parse ``+08:00``, ``-0530`` or ``Z`` as milliseconds ahead of UTC; None for anything else."""
    match = _UTC_OFFSET.fullmatch(text)
    offset = None if match is None else _parse_offset(*match.groups())
    return None if offset is None else offset // _MILLISECOND


@lru_cache(maxsize=1_024)  # each poll of a task has the same created_at
def _parse_cached(text: str, offset_ms: int) -> int | None:
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    is_leap = second == 60  # RFC 3339 allows 60; it is the first second of the next minute
    is_local = sign is None and text[-1] not in "Zz"
    offset = offset_ms * _MILLISECOND if is_local else _parse_offset(sign, offset_hours, offset_minutes)
    if offset is None:
        return None
    try:
        written = datetime(year, month, day, hour, minute, second - is_leap)  # noqa: DTZ001
        instant = written - offset + timedelta(seconds=is_leap)
    except (ValueError, OverflowError):
        return None
    return (instant - _EPOCH) // _MILLISECOND + int(((fraction or "") + "000")[:3])


def _parse_offset(sign: str | None, hours: str | None, minutes: str | None) -> timedelta | None:
    if hours is None or minutes is None:
        return timedelta(0)
    if int(hours) > 23 or int(minutes) > 59:
        return None
    size = timedelta(hours=int(hours), minutes=int(minutes))
    return -size if sign == "-" else size


def parse_duration(value: object, *, allow_zero: bool = False) -> int:
    """Parse ``"1h30m"`` or a number of seconds into milliseconds. Raise InvalidDuration.

    Arithmetic is exact, and the result is rounded to the millisecond. With ``allow_zero`` the texts ``"0"``
    and ``"0s"`` and the number 0 are 0, for settings where 0 means unknown or off.
    """
    exact_ms = _parse_exact_ms(value)
    if exact_ms == 0 and allow_zero:
        return 0
    if exact_ms < MIN_DURATION_MS:
        raise InvalidDuration(f"a duration is at least {MIN_DURATION_MS}ms")
    if exact_ms > MAX_DURATION_MS:
        raise InvalidDuration(f"a duration is at most {MAX_DURATION_MS // 86_400_000}d")
    return round(exact_ms)


def _parse_exact_ms(value: object) -> Fraction:
    if isinstance(value, str):
        return _parse_exact_text_ms(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidDuration(f"not a duration; {_HINT}")
    if isinstance(value, float) and not isfinite(value):
        raise InvalidDuration(f"not a finite number of seconds; {_HINT}")
    return Fraction(repr(value) if isinstance(value, float) else value) * 1_000


def _parse_exact_text_ms(text: str) -> Fraction:
    if text == "0":
        return Fraction(0)
    match = _DURATION.fullmatch(text) if 0 < len(text) <= _MAX_DURATION_CHARS else None
    if match is None:
        raise InvalidDuration(f"not a duration: {text[:_MAX_DURATION_CHARS]!r}; {_HINT}")
    amounts = zip(match.groups(), _UNITS_MS.values(), strict=True)
    return sum((Fraction(amount) * unit_ms for amount, unit_ms in amounts if amount), Fraction(0))
