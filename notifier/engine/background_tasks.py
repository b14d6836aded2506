"""Own the background tasks.

Keep a reference to each, because the event loop keeps only a weak one, and wait for them at shutdown.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class BackgroundTasks:
    """Runs coroutines concurrently. An exception of one is logged and affects no other."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.crashes = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Start ``work``. Log its exception under ``name``."""
        task = asyncio.get_running_loop().create_task(self._run_logged(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, timeout_s: float) -> int:
        """Wait for all tasks, at most ``timeout_s`` seconds. Cancel the rest and return their number."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    async def _run_logged(self, work: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await work
        except Exception:
            # The row stays claimed until its lease ends. So there is no crash loop and no blocked queue.
            self.crashes += 1
            log.exception("work.crashed", work=name)
