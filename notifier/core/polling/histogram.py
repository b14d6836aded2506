"""A sketch of durations: of fixed size, fading, good for quantiles.

It is a histogram over buckets whose edges grow by an eighth each, so that a quantile is wrong by an eighth
at most, whatever the scale; what is below a quarter of a second is all one. When it holds so much that old
tasks would drown new ones, all weights are halved: it tells of the last hundred tasks or so, and follows a
provider that becomes faster or slower.
"""

import struct
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

BUCKETS = 128
FACTOR = 1.125
SMALLEST_MS = 250
EDGES = tuple(round(SMALLEST_MS * FACTOR**n) for n in range(BUCKETS))  # upper ones, the last about nine days
ONE = 64  # the weight of one duration: it outlives six halvings
MOST = 128 * ONE

_PACKED = struct.Struct(f"<{BUCKETS}H")
SIZE = _PACKED.size


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """How much weight lies in each bucket; bucket n ends at ``EDGES[n]`` and begins after the one before."""

    weights: tuple[int, ...] = (0,) * BUCKETS

    @property
    def total(self) -> int:
        """All the weight, never above ``MOST``."""
        return sum(self.weights)

    def quantile_ms(self, share: float) -> int:
        """Return the duration that ``share`` of all weight is not above; 0 of an empty sketch."""
        sums = list(accumulate(self.weights))
        rank = share * sums[-1]
        if rank <= 0:
            return 0
        bucket = bisect_left(sums, rank)
        low = EDGES[bucket - 1] if bucket else 0
        weight = self.weights[bucket]
        return low + round((EDGES[bucket] - low) * (rank - sums[bucket] + weight) / weight)


def add_duration(sketch: DurationHistogram, duration_ms: int) -> DurationHistogram:
    """Return the sketch with one more duration. What is beyond the edges counts as the last bucket."""
    weights = list(sketch.weights)
    weights[min(bisect_left(EDGES, duration_ms), BUCKETS - 1)] += ONE
    if sum(weights) > MOST:
        weights = [weight // 2 for weight in weights]
    return DurationHistogram(tuple(weights))


def pack(sketch: DurationHistogram) -> bytes:
    """Write it as ``SIZE`` bytes."""
    return _PACKED.pack(*sketch.weights)


def unpack(data: bytes) -> DurationHistogram:
    """Read what ``pack`` wrote; raises ValueError for anything of another size."""
    if len(data) != SIZE:
        raise ValueError(f"a sketch has {SIZE} bytes, not {len(data)}")
    return DurationHistogram(_PACKED.unpack(data))
