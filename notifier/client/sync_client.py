"""Offer the client for threads and scripts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from notifier.client import calls
from notifier.client.discovery import find_daemon
from notifier.client.model import Callback, Watch
from notifier.client.transport import ApiConnection
from notifier.errors import NotifierError

T = TypeVar("T")


class Notifier:
    """The API of a daemon for Python programs.

    ``url`` is ``http://host:port`` or ``unix:/path``. Without it ``NOTIFIER_URL`` and ``NOTIFIER_TOKEN``
    apply, then ``http://127.0.0.1:8484``. The object keeps no connection open, so there is nothing to close,
    and threads may share it. Raise ValueError for an address or token that cannot be used.

    Every call raises ``Unreachable`` where no daemon responds, and a kind of ``ApiProblem`` where the daemon
    refuses. Both are ``NotifierError``, with ``code``, ``cause`` and ``fix``. After a broken connection a
    call is repeated for two seconds, because every request is idempotent.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._api = ApiConnection(*find_daemon(url, token))

    def watch(
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
        """Register a task and the URLs to call when it ends. The returned watch is on disk.

        ``api_path`` is the path of the submission, ``task_id`` the id in the reply of the provider. Instead
        of both, ``reply`` may be the whole reply: the daemon knows where it has the ids. The callback
        returns ``metadata``. ``expire_after`` limits the time of polling; the default is a setting
        of the daemon.

        The registration is idempotent: the same provider, path and id return the same watch, with a new URL
        added. Call it again after ``Unreachable`` or ``Unavailable``.
        """
        return self._run(calls.register(api_path, task_id, reply, callback, provider, metadata, expire_after))

    def wait(self, watch_id: str, max_wait: calls.Duration | None = None) -> Watch:
        """Wait until a watch has ended and return it. Raise ``StillWatching`` after ``max_wait``.

        A restart of the daemon may take up to 30 s.
        """
        return self._run(calls.wait(watch_id, max_wait, time.monotonic))

    def get(self, watch_id: str) -> Watch:
        """Return the present state of a watch. Raise ``NotFound``."""
        return self._run(calls.get(watch_id))

    def stop(self, watch_id: str) -> Watch:
        """End a watch without a callback. Raise ``Conflict`` if it has ended before."""
        return self._run(calls.stop(watch_id))

    def list(
        self,
        *,
        state: str | None = None,
        provider: str | None = None,
        task_id: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Watch]:
        """Yield the watches, newest first, at most ``limit``. Pages are requested as needed."""
        query = {"state": state, "provider": provider, "task_id": task_id}
        cursor: str | None = None
        while limit is None or limit > 0:
            page = self._run(calls.page(query, limit, cursor))
            yield from page.watches
            limit = None if limit is None else limit - len(page.watches)
            cursor = page.next_cursor
            if cursor is None:
                return

    def _run(self, steps: calls.Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    reply = self._perform(step)
                except NotifierError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def _perform(self, step: calls.RequestStep | calls.PauseStep) -> object:
        if isinstance(step, calls.PauseStep):
            time.sleep(step.seconds)
            return None
        return self._api.request(
            step.method, step.path, body=step.body, query=step.query, timeout_s=step.timeout_s
        )
