"""Wake API requests that wait for a watch to end.

Nothing is remembered: a caller registers first and reads the store afterwards.
"""

import asyncio


class WatchWaiters:
    """The requests that wait, by watch."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._is_closed = False

    def wake(self, watch_id: str) -> None:
        """Wake all requests that wait for this watch."""
        for future in self._waiting.pop(watch_id, ()):
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        """Wake all requests and let no other wait, because the daemon stops."""
        self._is_closed = True
        for watch_id in list(self._waiting):
            self.wake(watch_id)

    async def wait(self, watch_id: str, timeout_s: float) -> None:
        """Return when the watch may have ended, or after ``timeout_s`` seconds."""
        if self._is_closed:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(watch_id, set()).add(future)
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return
        finally:
            self._forget(watch_id, future)

    def _forget(self, watch_id: str, future: asyncio.Future[None]) -> None:
        others = self._waiting.get(watch_id)
        if others is not None:
            others.discard(future)
            if not others:
                del self._waiting[watch_id]
