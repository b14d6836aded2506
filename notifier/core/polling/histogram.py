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

BUCKET_COUNT = 128  # a row of 256 bytes; docs/decisions/0007
BUCKET_RATIO = 1.125  # a quantile is wrong by an eighth at most
FIRST_EDGE_MS = 250  # shorter tasks are not told apart; no record of why; changing it needs a measurement
EDGES_MS = tuple(
    round(FIRST_EDGE_MS * BUCKET_RATIO**n) for n in range(BUCKET_COUNT)
)  # upper ones, the last about nine days
UNIT_WEIGHT = 64  # the weight of one duration: it outlives six halvings
MAX_WEIGHT = 128 * UNIT_WEIGHT

_PACKED = struct.Struct(f"<{BUCKET_COUNT}H")
PACKED_BYTES = _PACKED.size


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """How much weight lies in each bucket; bucket n ends at ``EDGES[n]`` and begins after the one before."""

    weights: tuple[int, ...] = (0,) * BUCKET_COUNT

    @property
    def total(self) -> int:
        """All the weight, never above ``MAX_WEIGHT``."""
        return sum(self.weights)

    def quantile_ms(self, share: float) -> int:
        """Return the duration that ``share`` of all weight is not above; 0 of an empty sketch."""
        sums = list(accumulate(self.weights))
        rank = share * sums[-1]
        if rank <= 0:
            return 0
        bucket = bisect_left(sums, rank)
        low = EDGES_MS[bucket - 1] if bucket else 0
        weight = self.weights[bucket]
        return low + round((EDGES_MS[bucket] - low) * (rank - sums[bucket] + weight) / weight)


def add_duration(histogram: DurationHistogram, duration_ms: int) -> DurationHistogram:
    """Return the sketch with one more duration. What is beyond the edges counts as the last bucket."""
    weights = list(histogram.weights)
    weights[min(bisect_left(EDGES_MS, duration_ms), BUCKET_COUNT - 1)] += UNIT_WEIGHT
    if sum(weights) > MAX_WEIGHT:
        weights = [weight // 2 for weight in weights]
    return DurationHistogram(tuple(weights))


def pack(histogram: DurationHistogram) -> bytes:
    """Write it as ``PACKED_BYTES`` bytes."""
    return _PACKED.pack(*histogram.weights)


def unpack(data: bytes) -> DurationHistogram:
    """Read what ``pack`` wrote; raises ValueError for anything of another size."""
    if len(data) != PACKED_BYTES:
        raise ValueError(f"a sketch has {PACKED_BYTES} bytes, not {len(data)}")
    return DurationHistogram(_PACKED.unpack(data))
