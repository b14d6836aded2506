"""Ascending ids, so that ids sort in insertion order.

This holds for one run of the daemon. If the clock was set back, the next run may start below. Only a page
cursor whose row was deleted is searched by its id, and may then continue a few rows off.
"""

import random

from notifier.core.ids import ENTROPY_BITS, new_id

_STEP_BITS = 32  # no record of why; it must stay far below ENTROPY_BITS, or the steps overflow


class IdSequence:
    """A generator of ids. If the clock did not advance, it increments the previous id."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._at = 0
        self._entropy = 0

    def __call__(self, prefix: str, at: int) -> str:
        """Return a new id with this prefix."""
        if at > self._at:
            self._at = at
            self._entropy = self._rng.getrandbits(ENTROPY_BITS - 1)  # the upper half is room for increments
        else:
            self._entropy += 1 + self._rng.getrandbits(_STEP_BITS)
        return new_id(prefix, self._at, self._entropy)
