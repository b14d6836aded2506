"""``Retry-After`` in its two forms, and in all the forms it should not have."""

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.retry_after import (
    MAX_ATTEMPT_RETRY_AFTER_MS,
    MAX_POLL_RETRY_AFTER_MS,
    parse_retry_after,
)

NOW = 784_111_777_000  # 1994-11-06T08:49:37Z, the date of RFC 9110's examples


def wait(value: str | None, now: int = NOW, cap_ms: int = MAX_POLL_RETRY_AFTER_MS) -> int | None:
    return parse_retry_after(value, now=now, cap_ms=cap_ms)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120_000),
        (" 120 ", 120_000),
        ("+7", 7_000),
        ("1.5", 1_500),
        ("2.0001", 2_001),
        ("120, 120", 120_000),
        ("120,7 , 60", 120_000),
        ("30s", 30_000),
        ("2m", 120_000),
        ("0s", 1_000),
        ("1500ms", 1_500),
        ("soon, 7", 7_000),
        (", ".join(["7"] * 1_000), 7_000),
        ("0", 1_000),
        ("0.2", 1_000),
        ("-5", 1_000),
        ("3600", MAX_POLL_RETRY_AFTER_MS),
        ("3601", MAX_POLL_RETRY_AFTER_MS),
        ("1000000000", MAX_POLL_RETRY_AFTER_MS),
        ("1e9", MAX_POLL_RETRY_AFTER_MS),
        ("1e999999", MAX_POLL_RETRY_AFTER_MS),
        ("9" * 5_000, MAX_POLL_RETRY_AFTER_MS),
        ("-" + "9" * 5_000, 1_000),
    ],
)
def test_seconds_are_honoured_and_clamped(value: str, expected: int) -> None:
    assert wait(value) == expected


@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_each_of_the_three_date_forms_is_read_as_utc(value: str) -> None:
    assert wait(value, now=NOW - 90_000) == 90_000
    assert wait(value, now=NOW + 90_000) == 1_000, "a past date"
    assert wait(value, now=NOW - 10 * MAX_POLL_RETRY_AFTER_MS) == MAX_POLL_RETRY_AFTER_MS, "a far one"


@pytest.mark.parametrize("after_s", [-86_400, -90, 0, 90, 600])
@pytest.mark.parametrize("unit_ms", [1, 1_000])
def test_an_instant_since_1970_is_read_as_one(after_s: int, unit_ms: int) -> None:
    """As seconds it would be many years."""
    now = 1_795_435_200_000
    assert wait(str((now + after_s * 1_000) // unit_ms), now) == max(1_000, after_s * 1_000)
    assert wait(str(now // 1_000 + 86_401), now) == MAX_POLL_RETRY_AFTER_MS, "no instant that anybody means"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sun, 06 Nov 1994 08:48:37 GMT", 60_000),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1_000),
        ("nonsense", 1_000),
        (None, 1_000),
    ],
)
def test_a_date_counts_from_the_date_of_the_same_reply(date: str | None, expected: int) -> None:
    """Our clock and the peer's may differ by hours."""
    value = "Sun, 06 Nov 1994 08:49:37 GMT"
    later = NOW + 3 * MAX_POLL_RETRY_AFTER_MS
    assert parse_retry_after(value, now=later, cap_ms=MAX_POLL_RETRY_AFTER_MS, date=date) == expected
    assert parse_retry_after("7", now=later, cap_ms=MAX_POLL_RETRY_AFTER_MS, date=date) == 7_000


def test_of_two_dates_the_later_counts() -> None:
    dates = "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:51:37 GMT"
    assert wait(dates, now=NOW - 60_000) == 180_000


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "soon",
        "nan",
        "inf",
        "1_000",
        "0x10",
        "１２",
        "a, b",
        ",",
        "Sun, 99 Foo 1994",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +999999999999",
        "--1",
        "1e",
        ".",
    ],
)
def test_what_says_nothing_is_none(value: str | None) -> None:
    assert wait(value) is None


def test_an_attempt_may_be_put_off_for_a_day() -> None:
    assert wait("86400", cap_ms=MAX_ATTEMPT_RETRY_AFTER_MS) == 86_400_000
    assert wait("86401", cap_ms=MAX_ATTEMPT_RETRY_AFTER_MS) == 86_400_000


ODD = st.one_of(
    st.text(),
    st.text("0123456789+-.eE_, "),
    st.text("SunMoJaFeb ,:-+0123456789GMT"),
    st.from_regex(r"\A\w{3}, \d{1,3} (Jan|Feb|Foo) \d{1,12} \d{1,9}:\d\d:\d\d( [+-]\d{1,9}| GMT)?\Z"),
)


@pytest.mark.fault(51)
@given(ODD, st.integers(-(2**62), 2**62))
def test_whatever_it_holds_it_is_none_or_within_the_clamp(value: str, now: int) -> None:
    """Never an error, never beyond the bounds."""
    found = wait(value, now=now)
    assert found is None or 1_000 <= found <= MAX_POLL_RETRY_AFTER_MS


@given(st.integers(31_536_000, 7_258_118_400))
def test_a_date_is_waited_for_to_the_second(seconds: int) -> None:
    text = email.utils.formatdate(seconds, usegmt=True)
    assert wait(text, now=seconds * 1_000 - 60_000) == 60_000
