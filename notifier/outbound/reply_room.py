"""Wait for the memory of a reply, outside of the deadline of its exchange."""

import asyncio
from dataclasses import dataclass

from notifier.ports import MemoryHold


@dataclass(frozen=True, slots=True)
class ReplyRoom:
    """The memory of one reply, and the deadline of its exchange."""

    memory: MemoryHold
    deadline: asyncio.Timeout

    async def reserve(self, size: int) -> None:
        """Reserve ``size`` bytes in all before more is read.

        A wait for them moves the deadline, because the peer is not slow: our other replies are large.
        """
        if self.memory.try_grow(size):
            return
        due_at, loop = self.deadline.when(), asyncio.get_running_loop()
        started_at = loop.time()
        self.deadline.reschedule(None)
        await self.memory.grow(size)
        if due_at is not None:
            self.deadline.reschedule(due_at + loop.time() - started_at)
