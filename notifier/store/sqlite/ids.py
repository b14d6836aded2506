"""New ids, each greater than the one before, so that ids sort as their rows were made.

This holds for one run of the daemon; after a clock was set back, the next run may begin below. Only a page
cursor whose row has been forgotten is found by it, and would then go on a little off.
"""

import random

from notifier.core.ids import ENTROPY_BITS, new_id

_STEP_BITS = 32  # no record of why; it must stay far below ENTROPY_BITS, or the steps overflow


class IdSequence:
    """Makes ids; within one millisecond, or on a clock that went back, it counts on from the last."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._at = 0
        self._entropy = 0

    def __call__(self, prefix: str, at: int) -> str:
        """Return an id of this kind."""
        if at > self._at:
            self._at = at
            self._entropy = self._rng.getrandbits(ENTROPY_BITS - 1)  # the other half is room to count on
        else:
            self._entropy += 1 + self._rng.getrandbits(_STEP_BITS)
        return new_id(prefix, self._at, self._entropy)
