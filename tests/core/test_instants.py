import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.times import (
    MAX_DURATION_MS,
    InvalidDuration,
    format_instant,
    parse_duration,
    parse_instant,
    parse_stamp,
    parse_utc_offset,
)
from tests.core.texts import any_text

FIRST = -62_135_596_800_000  # year 1
LAST = 253_402_300_799_999  # the last millisecond of 9999
NOON = 1_795_435_200_000


def test_an_instant_is_written_with_milliseconds_and_z() -> None:
    assert format_instant(NOON) == "2026-11-23T12:00:00.000Z"
    assert format_instant(NOON + 7) == "2026-11-23T12:00:00.007Z"
    assert format_instant(-1) == "1969-12-31T23:59:59.999Z"


@given(st.integers(FIRST, LAST))
def test_what_is_written_is_read_back(at: int) -> None:
    assert parse_instant(format_instant(at)) == at


@given(st.datetimes(timezones=st.timezones()))
def test_a_stamp_with_any_offset_means_the_same_instant(moment: datetime) -> None:
    offset = moment.utcoffset() or timedelta(0)
    if offset % timedelta(
        minutes=1
    ):  # local mean times of long ago have seconds, which RFC 3339 cannot write
        return
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    try:
        moment.astimezone(UTC)
    except OverflowError:
        assert parse_instant(moment.isoformat()) is None
    else:
        assert parse_instant(moment.isoformat()) == since // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2023-11-07T05:31:56Z", "2023-11-07T05:31:56.000Z"),
        ("2023-11-07t05:31:56z", "2023-11-07T05:31:56.000Z"),
        ("2023-11-07 05:31:56Z", "2023-11-07T05:31:56.000Z"),
        ("2023-11-07T05:31:56", "2023-11-07T05:31:56.000Z"),
        ("2023-11-07T05:31:56.1Z", "2023-11-07T05:31:56.100Z"),
        ("2023-11-07T05:31:56.123456789123456789Z", "2023-11-07T05:31:56.123Z"),
        ("2023-11-07T05:31:56.9999", "2023-11-07T05:31:56.999Z"),
        ("2023-11-07T05:31:56+02:00", "2023-11-07T03:31:56.000Z"),
        ("2023-11-07T05:31:56.5-0530", "2023-11-07T11:01:56.500Z"),
        ("2023-11-07T05:31:56-00:00", "2023-11-07T05:31:56.000Z"),
        ("1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_stamps_of_providers_are_read(text: str, written: str) -> None:
    at = parse_instant(text)
    assert at is not None
    assert format_instant(at) == written


@pytest.mark.parametrize(
    "value",
    [
        None, 1_700_000_000, 1.5, True, b"2023-11-07T05:31:56Z", [], {},
        "", "now", "2023-11-07", "05:31:56", "1699335116", "2023-11-07T05:31Z", "2023-11-07T05:31:56.Z",
        "2023-11-07T05:31:56,5Z", "2023-11-07T05:31:56 Z", " 2023-11-07T05:31:56Z", "2023-11-07T05:31:56Z\n",
        "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-11-07T24:00:00Z",
        "2023-11-07T05:60:00Z", "2023-11-07T05:31:61Z", "2023-11-07T05:31:56+24:00",
        "2023-11-07T05:31:56+02:60",
        "2023-11-07T05:31:56+2", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T23:59:60Z", "٢٠٢٣-11-07T05:31:56Z", "-2023-11-07T05:31:56Z", "12023-11-07T05:31:56Z",
        "2023-W45-2T05:31:56Z", "Tue, 07 Nov 2023 05:31:56 GMT",
    ],
)  # fmt: skip
def test_whatever_else_is_no_instant(value: object) -> None:
    assert parse_instant(value) is None


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1_700_000_000, "2023-11-14T22:13:20.000Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
        (1_700_000_000_250, "2023-11-14T22:13:20.250Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
        (99_999_999_999, "5138-11-16T09:46:39.000Z"),
        (100_000_000_000, "1973-03-03T09:46:40.000Z"),
        (LAST, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_number_below_1e11_counts_seconds_else_milliseconds(number: float, written: str) -> None:
    at = parse_stamp(number)
    assert at is not None
    assert format_instant(at) == written


@pytest.mark.parametrize(
    "value",
    [None, 1e300, -1e300, 10**400, math.nan, math.inf, True, False, b"1", [], {}, "1700000000", "now"],
)
def test_whatever_else_is_no_stamp(value: object) -> None:
    assert parse_stamp(value) is None


@pytest.mark.parametrize(
    ("offset", "ms"),
    [
        ("+08:00", 8 * 3_600_000),
        ("-0530", -19_800_000),
        ("Z", 0),
        ("z", 0),
        ("+00:00", 0),
        ("+23:59", 86_340_000),
    ],
)
def test_text_without_an_offset_is_of_the_offset_that_is_configured(offset: str, ms: int) -> None:
    """One that has an offset keeps it."""
    assert parse_utc_offset(offset) == ms
    plain = parse_instant("2023-11-07T05:31:56")
    assert plain is not None
    assert parse_instant("2023-11-07T05:31:56", ms) == plain - ms
    assert parse_instant("2023-11-07T05:31:56Z", ms) == plain
    assert parse_instant("2023-11-07T05:31:56+00:00", ms) == plain
    assert parse_stamp("2023-11-07T05:31:56", ms) == plain - ms


@pytest.mark.parametrize("text", ["", "8", "+8", "+24:00", "+08:60", "UTC", "Asia/Shanghai", "+08:00 "])
def test_whatever_else_is_no_offset(text: str) -> None:
    assert parse_utc_offset(text) is None


@given(st.integers() | st.floats())
def test_reading_a_number_never_raises_and_yields_what_can_be_written(number: float) -> None:
    at = parse_stamp(number)
    assert at is None or format_instant(at)


@given(any_text | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d)?"))
def test_reading_a_stamp_never_raises_and_yields_what_can_be_written(text: str) -> None:
    at = parse_instant(text)
    assert at is None or format_instant(at)


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("50ms", 50), ("250ms", 250), ("2.5s", 2_500), ("0.1s", 100), ("1m", 60_000), ("10m", 600_000),
        ("5m30s", 330_000), ("1h30m", 5_400_000), ("72h", 259_200_000), ("7d", 604_800_000),
        ("1.5d", 129_600_000),
        ("1d2h3m4s5ms", 93_784_005), ("0h90s", 90_000), ("0.05s", 50), ("3650d", MAX_DURATION_MS),
        (1, 1_000), (30, 30_000), (2.5, 2_500), (0.05, 50), (0.1, 100), (1.005, 1_005),
        (86_400.0, 86_400_000),
        (1e3, 1_000_000), (0.0515, 52), (1.0015, 1_002), ("1.0004s", 1_000), ("1.0006s", 1_001),
    ],
)  # fmt: skip
def test_a_duration_is_read_exactly(value: object, ms: int) -> None:
    assert parse_duration(value) == ms


@pytest.mark.parametrize(
    "value",
    [
        "", "0", "0s", "49ms", "0.0499999999s", "0.04999s", "-5s", "+5s", "5", "2.5", "5 s", " 5s",
        "5s ", "5S",
        "5sec", "5m5m", "5s5m", "ms", ".5s", "5.s", "1e3s", "1,5s", "٥s", "inf", "nan", "1w",
        "1h 30m", "PT5S",
        "3651d", "9" * 30 + "s", "9" * 5_000 + "s", "0." + "1" * 50 + "s",
        0, 0.0, 0.049, -1, -0.5, 10**400, 1e300, float("nan"), float("inf"), float("-inf"),
        True, False, None, [], {}, b"5s",
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_words(value: object) -> None:
    with pytest.raises(InvalidDuration) as refused:
        parse_duration(value)
    assert 10 < len(str(refused.value)) < 250


@pytest.mark.parametrize("value", ["0", "0s", "0ms", 0, 0.0, "0h0m"])
def test_zero_is_taken_only_where_it_means_off(value: object) -> None:
    assert parse_duration(value, allow_zero=True) == 0


@pytest.mark.parametrize("value", ["1ms", 0.01, -1, "", False, "0 s"])
def test_zero_allowed_allows_nothing_else(value: object) -> None:
    with pytest.raises(InvalidDuration):
        parse_duration(value, allow_zero=True)


@given(st.integers(50, MAX_DURATION_MS))
def test_every_millisecond_survives_as_text_and_as_a_decimal_of_seconds(ms: int) -> None:
    assert parse_duration(f"{ms}ms") == ms
    assert parse_duration(f"{ms // 1_000}.{ms % 1_000:03}s") == ms


@given(st.floats(0.05, MAX_DURATION_MS / 1_000))
def test_a_number_of_seconds_is_rounded_once_from_its_decimal_form(seconds: float) -> None:
    assert parse_duration(seconds) == round(Fraction(repr(seconds)) * 1_000)


@given(any_text | st.floats() | st.integers() | st.none() | st.booleans())
def test_reading_a_duration_raises_nothing_but_bad_duration(value: object) -> None:
    try:
        ms = parse_duration(value)
    except InvalidDuration:
        return
    assert 50 <= ms <= MAX_DURATION_MS
