"""Compute statistics of finished tasks for plots, and format bounded counts."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

FIXED_INTERVAL_MS = 2_500
"""The interval of the loop that polls are compared with: the default of ``polling.min_interval``."""

MAX_COUNTED = 10_000
"""Rows are counted one by one up to this number (CONTRACT P5: bounded)."""


@dataclass(frozen=True, slots=True)
class FinishedTask:
    """A watch that ended in its first round, and not by its user.

    ``ended_at`` is when notifier noticed the end. ``finished_at`` is the time of the provider, None without
    one.
    """

    registered_at: int
    ended_at: int
    finished_at: int | None
    polls: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of values: their number, their median and their 90 % quantile.

    ``bars`` counts the values up to each edge, and last those above all edges.
    """

    count: int
    p50: int
    p90: int
    bars: tuple[int, ...]


def count_bars(values: Sequence[int], edges: Sequence[int]) -> Distribution | None:
    """Count ``values`` between ascending ``edges``; None without values."""
    if not values:
        return None
    bars = [0] * (len(edges) + 1)
    for value in values:
        bars[bisect_left(edges, value)] += 1
    ordered = sorted(values)
    return Distribution(len(ordered), _pick_quantile(ordered, 50), _pick_quantile(ordered, 90), tuple(bars))


def measure_notice_ms(end: FinishedTask) -> int | None:
    """Return the time from the end of a task, or its registration if later, until notifier noticed.

    Return None without an end time of the provider. The clocks may differ by more than the delay, so a
    negative value counts as 0.
    """
    if end.finished_at is None:
        return None
    return max(0, end.ended_at - max(end.finished_at, end.registered_at))


def count_fixed_polls(end: FinishedTask) -> int:
    """Return how many polls a loop would have made that polls every ``FIXED_INTERVAL_MS`` until the end.

    Its first poll is one interval after the registration. Without an end time of the provider, the loop would
    not have noticed the end before notifier did.
    """
    over_at = end.ended_at if end.finished_at is None else end.finished_at
    waited = max(0, over_at - end.registered_at)
    return max(1, -(-waited // FIXED_INTERVAL_MS))


def compute_saved_share(ends: Sequence[FinishedTask]) -> float | None:
    """Return the share of such a loop's polls that was saved; negative if more were made."""
    fixed = sum(map(count_fixed_polls, ends))
    return None if fixed == 0 else 1 - sum(end.polls for end in ends) / fixed


def _pick_quantile(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest value that so many percent of the values do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def format_count(count: int) -> str:
    """Format a count that is bounded by ``MAX_COUNTED``."""
    return str(count) if count < MAX_COUNTED else f"at least {count}"
