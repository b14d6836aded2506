"""The sketch of durations: of one size, near the truth, and forgetful."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.polling.histogram import (
    BUCKET_RATIO,
    EDGES_MS,
    MAX_WEIGHT,
    PACKED_BYTES,
    UNIT_WEIGHT,
    DurationHistogram,
    add_duration,
    pack,
    unpack,
)

WITHIN = st.integers(EDGES_MS[0] + 1, EDGES_MS[-1])
ANY = st.one_of(WITHIN, st.integers(0, 10**15))


def sketch_of(durations: list[int]) -> DurationHistogram:
    sketch = DurationHistogram()
    for duration in durations:
        sketch = add_duration(sketch, duration)
    return sketch


@given(st.lists(WITHIN, min_size=1, max_size=MAX_WEIGHT // UNIT_WEIGHT), st.floats(0.01, 1))
def test_a_quantile_is_wrong_by_one_bucket_at_most(durations: list[int], share: float) -> None:
    """An eighth, and a millisecond of rounding, around the value that the share of all are not above."""
    ordered = sorted(durations)
    true = ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]
    found = sketch_of(durations).quantile_ms(share)
    assert true / BUCKET_RATIO - 1 <= found <= true * BUCKET_RATIO + 1


@given(st.lists(ANY, max_size=400), st.floats(0, 1), st.floats(0, 1))
def test_a_greater_share_has_no_smaller_quantile(durations: list[int], one: float, other: float) -> None:
    sketch = sketch_of(durations)
    low, high = sorted((one, other))
    assert 0 <= sketch.quantile_ms(low) <= sketch.quantile_ms(high) <= EDGES_MS[-1]


@given(st.lists(ANY, max_size=400))
def test_it_stays_within_its_size_whatever_it_has_seen(durations: list[int]) -> None:
    sketch = sketch_of(durations)
    assert sketch.total <= MAX_WEIGHT
    assert len(pack(sketch)) == PACKED_BYTES == 256
    assert unpack(pack(sketch)) == sketch


@pytest.mark.parametrize("count", [1, 127, 128, 129, 1_000, 100_000])
def test_any_number_of_equal_durations_is_told_as_that_one(count: int) -> None:
    found = sketch_of([60_000] * count)
    assert (
        60_000 / BUCKET_RATIO <= found.quantile_ms(0.05) <= found.quantile_ms(0.95) <= 60_000 * BUCKET_RATIO
    )


@given(WITHIN, WITHIN)
def test_three_hundred_tasks_on_a_new_pace_outweigh_any_past(old: int, new: int) -> None:
    """The past is halved again and again, until even the outer quantiles follow."""
    sketch = sketch_of([old] * 1_000 + [new] * 300)
    for share in (0.06, 0.5, 0.94):
        assert new / BUCKET_RATIO - 1 <= sketch.quantile_ms(share) <= new * BUCKET_RATIO + 1


def test_ten_faster_tasks_move_the_first_quantile() -> None:
    """Faster tasks are waited for in vain, so that they are heeded sooner than slower ones."""
    sketch = sketch_of([300_000] * 1_000 + [10_000] * 10)
    assert sketch.quantile_ms(0.05) <= 10_000 * BUCKET_RATIO


def test_nothing_seen_is_told_as_nothing() -> None:
    assert DurationHistogram().quantile_ms(0.5) == 0


@pytest.mark.parametrize("data", [b"", b"\0" * 255, b"\0" * 257])
def test_bytes_of_another_size_are_no_sketch(data: bytes) -> None:
    with pytest.raises(ValueError, match="256"):
        unpack(data)
