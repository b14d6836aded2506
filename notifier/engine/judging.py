"""Judge replies of providers. None of them, however large, holds up the event loop or fills the memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from notifier.byte_budget import UNCOUNTED_BYTES, ByteBudget, ByteHold
from notifier.config.model import ProviderSettings
from notifier.core.exchange import Exchange, HttpReply
from notifier.core.formats.content_encoding import MAX_INFLATION, foreign_encodings
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.judge_reply import ReplyVerdict

V = TypeVar("V")

MAX_REPLY_BYTES = 48 << 20
"""Of all replies in memory: three of the default ``max_body``.

Trade-off: with as much again for the one that is judged, and the rest of the process, it is below 256 MiB.
"""

MAX_LOOP_BYTES = UNCOUNTED_BYTES
"""A reply of so many bytes is judged on the event loop: in the worst case 5 ms, and a thread costs 0.1 ms."""

LARGE_BYTES = 1 << 20
"""Beyond it a reply has a thread of its own kind, so that smaller ones do not wait for a second or more."""


class ReplyJudge:
    """Judge short replies at once, and long ones in two threads: one for large, one for middling replies.

    More threads would compete for the interpreter. A cancelled judgement that has not begun never begins; one
    that has begun ends in about a second, and its verdict is lost.
    """

    def __init__(
        self,
        budget: ByteBudget | None = None,
        *,
        middling: Executor | None = None,
        large: Executor | None = None,
    ) -> None:
        self._budget = budget or ByteBudget(MAX_REPLY_BYTES)
        self._middling = middling or ThreadPoolExecutor(1, "judge")
        self._large = large or ThreadPoolExecutor(1, "judge-large")

    def hold(self) -> ByteHold:
        """Return the memory of one reply, from its first bytes until its outcome is stored."""
        return self._budget.hold()

    async def judge(
        self, exchange: Exchange, memory: ByteHold, *, task_id: str, provider: ProviderSettings, now: int
    ) -> ReplyVerdict:
        """Return the verdict of a poll (see ``judge_poll``)."""
        judge = partial(
            judge_poll,
            exchange,
            task_id=task_id,
            description=provider.description,
            key=provider.api_key,
            now=now,
        )
        return await self.run(judge, exchange, memory, provider.description.max_body)

    async def run(self, judge: Callable[[], V], exchange: Exchange, memory: ByteHold, max_body: int) -> V:
        """Return what ``judge`` returns for an exchange. It runs where the size of the reply lets it."""
        size = _measure(exchange, max_body)
        if size <= MAX_LOOP_BYTES:
            return judge()
        await memory.grow(size)
        pool = self._large if size > LARGE_BYTES else self._middling
        return await asyncio.get_running_loop().run_in_executor(pool, judge)


def _measure(exchange: Exchange, max_body: int) -> int:
    """Return how many bytes are judged; of a compressed body, how many it can have at most."""
    if not isinstance(exchange, HttpReply):
        return 0
    size = len(exchange.body)
    is_packed = bool(foreign_encodings(exchange.headers.get("content-encoding", "")))
    return size + min(size * MAX_INFLATION, max_body) if is_packed else size
