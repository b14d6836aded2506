"""Trace context: what is a ``traceparent``, and what goes on from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.traceparent import SPAN_BITS, child_traceparent, parse_traceparent

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"


def read(*values: str) -> str | None:
    return parse_traceparent([value.encode("latin-1") for value in values])


def test_a_valid_one_is_taken_as_it_is() -> None:
    assert read(GIVEN) == GIVEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        TRACE,
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"01-{TRACE}-{PARENT}-01more",
        f"00-{TRACE}-{PARENT}-1",
        f" {GIVEN}",
        f"{GIVEN}\n",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
    ],
)
def test_one_that_is_not_valid_is_ignored(text: str) -> None:
    """Lower case, whole, no zeros, no version ff, nothing behind it in version 00 (section 3.2)."""
    assert read(text) is None


def test_none_and_two_are_no_trace() -> None:
    assert read() is None
    assert read(GIVEN, GIVEN) is None


def test_a_later_version_is_read_as_far_as_ours_goes() -> None:
    """It may go on after what we know; what we hand on is version 00."""
    assert read(f"cc-{TRACE}-{PARENT}-01-what-the-future-brings") == GIVEN


def test_flags_that_are_not_defined_are_not_handed_on() -> None:
    assert read(f"00-{TRACE}-{PARENT}-ff") == f"00-{TRACE}-{PARENT}-03"


@given(st.integers(min_value=0, max_value=(1 << SPAN_BITS) - 1))
def test_what_goes_on_is_valid_and_of_the_same_trace(entropy: int) -> None:
    """Chance alone makes the parent id, and zeros, which are none, never come out."""
    child = child_traceparent(GIVEN, entropy)
    assert read(child) == child
    assert child.startswith(f"00-{TRACE}-")
    assert child.endswith("-01")
    assert child[36:52] == f"{entropy or 1:016x}"
