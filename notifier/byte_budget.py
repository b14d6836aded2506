"""Bound how many bytes are in memory at once, over everybody who holds some.

Replies of providers share one budget, from their first bytes until their outcome is stored.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

UNCOUNTED_BYTES = 64 * 1024
"""What a holder has beyond its budget. Most replies have less, so that they never wait for a large one."""


class ByteBudget:
    """How many bytes may be held. A holder that needs more than is free waits.

    One holder at a time may exceed the limit, in the order of waiting. So every holder goes on in the end:
    one that needs more than the whole limit, and one of several that each wait for what the others hold.
    """

    def __init__(self, limit: int) -> None:
        self.held = 0
        self.peak = 0
        self._limit = limit
        self._waiting: deque[tuple[ByteHold, int, asyncio.Future[None]]] = deque()
        self._exceeding: ByteHold | None = None

    def hold(self) -> "ByteHold":
        """Return a hold of nothing yet. Leaving its ``with`` block frees what it has."""
        return ByteHold(self)

    def _try_grow(self, hold: "ByteHold", size: int) -> bool:
        needed = size - hold.size
        if needed > self._limit - self.held and self._exceeding is not hold:
            return False
        self._take(hold, size)
        return True

    def _take(self, hold: "ByteHold", size: int) -> None:
        self.held += size - hold.size
        self.peak = max(self.peak, self.held)
        hold.size = size

    async def _wait(self, hold: "ByteHold", size: int) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((hold, size, future))
        self._wake()
        try:
            await future
        finally:
            if not future.done() or future.cancelled():
                self._waiting = deque(each for each in self._waiting if each[2] is not future)

    def _free(self, hold: "ByteHold") -> None:
        self.held -= hold.size
        hold.size = 0
        if self._exceeding is hold:
            self._exceeding = None
        self._wake()

    def _wake(self) -> None:
        """Let go on who fits, and the first of the others if nobody exceeds the limit."""
        waiting, self._waiting = self._waiting, deque()
        for hold, size, future in waiting:
            if future.done():
                continue
            if self._exceeding is None and size - hold.size > self._limit - self.held:
                self._exceeding = hold
            if self._try_grow(hold, size):
                future.set_result(None)
            else:
                self._waiting.append((hold, size, future))


class ByteHold:
    """What one holder has of a budget, in bytes."""

    def __init__(self, budget: ByteBudget) -> None:
        self.size = 0
        self._budget = budget

    def try_grow(self, size: int) -> bool:
        """Hold ``size`` bytes in all, if that needs no waiting. The first ones are not counted."""
        return size <= max(self.size, UNCOUNTED_BYTES) or self._budget._try_grow(self, size)

    async def grow(self, size: int) -> None:
        """Hold ``size`` bytes in all; wait until they are free."""
        if not self.try_grow(size):
            await self._budget._wait(self, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._budget._free(self)
