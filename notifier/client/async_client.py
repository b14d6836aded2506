"""Offer the client for asyncio programs."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from notifier.client import calls
from notifier.client.discovery import find_daemon
from notifier.client.model import Callback, Watch
from notifier.errors import NotifierError

T = TypeVar("T")


class AsyncNotifier:
    """``Notifier`` for asyncio: the same calls, rules and errors, awaited. Tasks may share one object."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        from notifier.client.async_transport import AsyncApiConnection  # noqa: PLC0415 - httpx takes 0.1 s

        self._api = AsyncApiConnection(*find_daemon(url, token))

    async def watch(
        self,
        api_path: str | None = None,
        task_id: str | None = None,
        *,
        callback: str | Callback | Sequence[str | Callback],
        reply: Mapping[str, Any] | None = None,
        provider: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expire_after: calls.Duration | None = None,
    ) -> Watch:
        """Register a task, see ``Notifier.watch``. It is idempotent: call it again after any error."""
        return await self._run(
            calls.register(api_path, task_id, reply, callback, provider, metadata, expire_after)
        )

    async def wait(self, watch_id: str, max_wait: calls.Duration | None = None) -> Watch:
        """Wait until a watch has ended, see ``Notifier.wait``."""
        return await self._run(calls.wait(watch_id, max_wait, time.monotonic))

    async def get(self, watch_id: str) -> Watch:
        """Return a watch, see ``Notifier.get``."""
        return await self._run(calls.get(watch_id))

    async def stop(self, watch_id: str) -> Watch:
        """End a watch, see ``Notifier.stop``."""
        return await self._run(calls.stop(watch_id))

    async def list(
        self,
        *,
        state: str | None = None,
        provider: str | None = None,
        task_id: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Watch]:
        """Yield watches for ``async for``, see ``Notifier.list``."""
        query = {"state": state, "provider": provider, "task_id": task_id}
        cursor: str | None = None
        while limit is None or limit > 0:
            page = await self._run(calls.page(query, limit, cursor))
            for watch in page.watches:
                yield watch
            limit = None if limit is None else limit - len(page.watches)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _run(self, steps: calls.Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    reply = await self._perform(step)
                except NotifierError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _perform(self, step: calls.RequestStep | calls.PauseStep) -> object:
        if isinstance(step, calls.PauseStep):
            await asyncio.sleep(step.seconds)
            return None
        return await self._api.request(
            step.method, step.path, body=step.body, query=step.query, timeout_s=step.timeout_s
        )
