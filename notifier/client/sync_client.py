"""The client for threads and scripts."""

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
    """The daemon, as a program calls it.

    ``url`` is ``http://host:port`` or ``unix:/path``; left out, ``NOTIFIER_URL`` and ``NOTIFIER_TOKEN``
    hold, else ``http://127.0.0.1:8484``. It keeps no connection open: there is nothing to close, and threads
    may share it.

    Every call raises ``Unreachable`` where no daemon answers and a kind of ``ApiProblem`` where it refuses;
    both are ``NotifierError``, with ``code``, ``cause`` and ``fix``. Where a connection breaks, a call is
    made again for two seconds, as no request does harm twice. ValueError: the address or the token cannot be
    used.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._api = ApiConnection(*find_daemon(url, token))

    def watch(
        self,
        api_path: str,
        task_id: str,
        *,
        callback: str | Callback | Sequence[str | Callback],
        provider: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expire_after: calls.Duration | None = None,
    ) -> Watch:
        """Have a task watched, and the callback URLs called when it ends; what is returned is on the disk.

        ``api_path`` is what the task was submitted to, ``task_id`` what the provider answered. ``metadata``
        comes back with the callback. ``expire_after`` is how long to poll, the daemon's setting if left out.

        Registering is idempotent: a task is known by provider, path and id, and its second registration
        returns the same watch (a new URL is added to it). So after ``Unreachable`` or ``Unavailable`` just
        call again.
        """
        return self._run(calls.register(api_path, task_id, callback, provider, metadata, expire_after))

    def wait(self, watch_id: str, max_wait: calls.Duration | None = None) -> Watch:
        """Wait until a watch has ended, and return it; raises ``StillWatching`` after ``max_wait``.

        A daemon that is away for less than half a minute, for a restart, is waited for.
        """
        return self._run(calls.wait(watch_id, max_wait, time.monotonic))

    def get(self, watch_id: str) -> Watch:
        """Return a watch as it stands; raises ``NotFound``."""
        return self._run(calls.get(watch_id))

    def stop(self, watch_id: str) -> Watch:
        """End a watch; it calls nobody after that. Raises ``Conflict`` if it has ended otherwise."""
        return self._run(calls.stop(watch_id))

    def list(
        self,
        *,
        state: str | None = None,
        provider: str | None = None,
        task_id: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Watch]:
        """Go through the watches, newest first, ``limit`` at most; they are asked for as they are taken."""
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
