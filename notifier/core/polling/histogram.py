"""Count durations of tasks in a fading histogram of fixed size, and read quantiles from it.

Each edge of a bucket is an eighth above the one before, so a quantile is wrong by an eighth at most. All
durations below a quarter of a second are in the first bucket. At ``MAX_WEIGHT`` all weights are halved. So
the histogram covers about the last hundred tasks, and follows a provider that becomes faster or slower.
"""

import struct
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

BUCKET_COUNT = 128  # a row of 256 bytes; docs/decisions/0007
BUCKET_RATIO = 1.125  # a quantile is wrong by an eighth at most
FIRST_EDGE_MS = 250  # shorter tasks are not distinguished; no record of why; changing it needs a measurement
EDGES_MS = tuple(
    round(FIRST_EDGE_MS * BUCKET_RATIO**n) for n in range(BUCKET_COUNT)
)  # upper ones, the last about nine days
UNIT_WEIGHT = 64  # the weight of one duration: it outlives six halvings
MAX_WEIGHT = 128 * UNIT_WEIGHT

_PACKED = struct.Struct(f"<{BUCKET_COUNT}H")
PACKED_BYTES = _PACKED.size


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """The weight of each bucket. Bucket n ends at ``EDGES_MS[n]`` and begins after the one before."""

    weights: tuple[int, ...] = (0,) * BUCKET_COUNT

    @property
    def total(self) -> int:
        """The sum of the weights, at most ``MAX_WEIGHT``."""
        return sum(self.weights)

    def quantile_ms(self, share: float) -> int:
        """Return the duration that ``share`` of the weight does not exceed; 0 for an empty histogram."""
        sums = list(accumulate(self.weights))
        rank = share * sums[-1]
        if rank <= 0:
            return 0
        bucket = bisect_left(sums, rank)
        low = EDGES_MS[bucket - 1] if bucket else 0
        weight = self.weights[bucket]
        return low + round((EDGES_MS[bucket] - low) * (rank - sums[bucket] + weight) / weight)


def add_duration(histogram: DurationHistogram, duration_ms: int) -> DurationHistogram:
    """Return the histogram with one more duration. Above the last edge it counts in the last bucket."""
    weights = list(histogram.weights)
    weights[min(bisect_left(EDGES_MS, duration_ms), BUCKET_COUNT - 1)] += UNIT_WEIGHT
    if sum(weights) > MAX_WEIGHT:
        weights = [weight // 2 for weight in weights]
    return DurationHistogram(tuple(weights))


def pack(histogram: DurationHistogram) -> bytes:
    """Pack the histogram into ``PACKED_BYTES`` bytes."""
    return _PACKED.pack(*histogram.weights)


def unpack(data: bytes) -> DurationHistogram:
    """Unpack the bytes of ``pack``. Raise ValueError for another size."""
    if len(data) != PACKED_BYTES:
        raise ValueError(f"a histogram has {PACKED_BYTES} bytes, not {len(data)}")
    return DurationHistogram(_PACKED.unpack(data))
