"""Figures for a person: how well the tasks that ended last were watched, and counts that have an end."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

FIXED_INTERVAL_MS = 2_500
"""The fixed interval that polls are compared with: what a loop of one's own asks at, and our shortest."""

MAX_COUNTED = 10_000
"""No more rows are counted one by one, however many there are."""


@dataclass(frozen=True, slots=True)
class FinishedTask:
    """A watch that has ended in its first round, other than by its user.

    ``ended_at`` is when we noticed; ``finished_at`` when it was over by the provider's word, None if unsaid.
    """

    registered_at: int
    ended_at: int
    finished_at: int | None
    polls: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """How values lie: how many, the one in the middle, the one that nine of ten are not above.

    ``bars`` counts them by the edges they were asked for with: up to each, and last what is above all.
    """

    count: int
    p50: int
    p90: int
    bars: tuple[int, ...]


def count_bars(values: Sequence[int], edges: Sequence[int]) -> Distribution | None:
    """Return how ``values`` lie between rising ``edges``; None where there are none."""
    if not values:
        return None
    bars = [0] * (len(edges) + 1)
    for value in values:
        bars[bisect_left(edges, value)] += 1
    ordered = sorted(values)
    return Distribution(len(ordered), _pick_quantile(ordered, 50), _pick_quantile(ordered, 90), tuple(bars))


def measure_notice_ms(end: FinishedTask) -> int | None:
    """Return how long a task had been over, and registered, when we noticed; None where nobody can say.

    The provider's clock and ours may differ by more than the delay; what would be below nothing is nothing.
    """
    if end.finished_at is None:
        return None
    return max(0, end.ended_at - max(end.finished_at, end.registered_at))


def count_fixed_polls(end: FinishedTask) -> int:
    """Return how many polls a loop would have made that polls every ``FIXED_INTERVAL_MS`` until the end.

    It asks first one interval after the registration. Of an end that the provider gave no time for, it would
    have known no sooner than we did.
    """
    over_at = end.ended_at if end.finished_at is None else end.finished_at
    waited = max(0, over_at - end.registered_at)
    return max(1, -(-waited // FIXED_INTERVAL_MS))


def compute_saved_share(ends: Sequence[FinishedTask]) -> float | None:
    """Return which share of such a loop's polls was not made; below 0 if more were. None without ends."""
    fixed = sum(map(count_fixed_polls, ends))
    return None if fixed == 0 else 1 - sum(end.polls for end in ends) / fixed


def _pick_quantile(ordered: Sequence[int], percent: int) -> int:
    """The smallest value that so many percent are not above."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def format_count(count: int) -> str:
    """Say a count that ends at ``MAX_COUNTED``."""
    return str(count) if count < MAX_COUNTED else f"at least {count}"
