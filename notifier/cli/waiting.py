"""Wait for a watch to end by long polling, also over a restart of the daemon."""

import time

from notifier.cli.client import ApiConnection, ApiProblem, ApiReply, Unreachable
from notifier.cli.output import escape, print_note
from notifier.cli.progress import Progress
from notifier.client.calls import (
    LONG_POLL_GRACE_S,
    LONG_POLL_S,
    MIN_LONG_POLL_S,
    RECONNECT_LIMIT_S,
    REPEAT_PAUSE_S,
)
from notifier.client.model import Watch

ATTENDED_LONG_POLL_S = 2.0  # on a terminal, so that the line of progress changes


class Waiter:
    """Requests watches until they have ended or the deadline (of the monotonic clock) has passed."""

    def __init__(self, api: ApiConnection, deadline: float, progress: Progress) -> None:
        self._api = api
        self._deadline = deadline
        self._progress = progress
        self._started_at = time.monotonic()
        self._long_poll_s = ATTENDED_LONG_POLL_S if progress.is_visible else LONG_POLL_S
        self._was_reached = False
        self._unreachable_since: float | None = None

    def wait_for_end(self, watch_id: str) -> ApiReply:
        """Return the watch after its end, or its state at the deadline."""
        while True:
            requested_at = time.monotonic()
            response = self._request(watch_id, requested_at)
            watch = None if response is None else response.read(Watch)
            now = time.monotonic()
            if response is not None and watch is not None and (not watch.is_live or now >= self._deadline):
                self._progress.clear()
                return response
            if watch is not None:
                self._progress.show(_format_progress(watch, now - self._started_at))
            if now - requested_at < REPEAT_PAUSE_S:
                time.sleep(max(0.0, min(REPEAT_PAUSE_S, self._deadline - now)))

    def _request(self, watch_id: str, now: float) -> ApiReply | None:
        """Request the watch with the longest wait possible. Return None while the daemon restarts."""
        # The first request does not wait: it shows whether the daemon runs and has the watch.
        long_poll_s = min(self._long_poll_s, self._deadline - now) if self._was_reached else 0.0
        query = {"wait": f"{long_poll_s * 1_000:.0f}ms"} if long_poll_s >= MIN_LONG_POLL_S else None
        timeout_s = max(long_poll_s, 0.0) + LONG_POLL_GRACE_S
        try:
            response = self._api.request("GET", f"/v1/watches/{watch_id}", query=query, timeout_s=timeout_s)
        except (Unreachable, ApiProblem) as error:
            self._raise_if_lasting(error)
            return None
        self._was_reached, self._unreachable_since = True, None
        return response

    def _raise_if_lasting(self, error: Unreachable | ApiProblem) -> None:
        """Raise the error, unless a restart of the daemon may explain it."""
        now = time.monotonic()
        is_lasting = isinstance(error, ApiProblem) and error.status != 503
        if is_lasting or not self._was_reached or now >= self._deadline:
            raise error
        if self._unreachable_since is None:
            self._unreachable_since = now
            is_gone = isinstance(error, Unreachable)
            state = "is unreachable" if is_gone else f"is not ready: {escape(error.cause)}"
            self._progress.clear()
            print_note(f"the daemon {state}; retrying for {RECONNECT_LIMIT_S:.0f} s")
        if now >= self._unreachable_since + RECONNECT_LIMIT_S:
            raise error


def _format_progress(watch: Watch, waited_s: float) -> str:
    minutes, seconds = divmod(int(waited_s), 60)
    so_far = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    note = watch.trouble or watch.upstream_status or "not polled yet"
    return f"{so_far}  {watch.id}  {note}"
