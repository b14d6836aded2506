"""Waiting for a watch to end, across the daemon's holding of an answer and its restarts."""

import time

from notifier.cli.client import ApiConnection, ApiProblem, ApiReply, Unreachable
from notifier.cli.output import escape, print_note
from notifier.cli.progress import Progress
from notifier.client.model import Watch

HOLD_S = 30.0  # one asking; the daemon holds an answer for 60 s at most
WATCHED_HOLD_S = 2.0  # the same where somebody looks on, and wants to see it move
PAUSE_S = 0.5  # between two askings, where the daemon does not hold its answer
RESTART_S = 30.0  # how long a daemon that was there may be away; it loses nothing meanwhile
SHORTEST_HOLD_S = 0.05  # the contract's shortest duration


class Waiter:
    """Asks for watches until they have ended or the deadline (of the monotonic clock) has passed."""

    def __init__(self, api: ApiConnection, deadline: float, progress: Progress) -> None:
        self._api = api
        self._deadline = deadline
        self._progress = progress
        self._began_at = time.monotonic()
        self._hold_s = WATCHED_HOLD_S if progress.is_shown else HOLD_S
        self._was_there = False
        self._gone_since: float | None = None

    def ended(self, watch_id: str) -> ApiReply:
        """The watch once it has ended, or as it stands at the deadline."""
        while True:
            asked_at = time.monotonic()
            answer = self._asked(watch_id, asked_at)
            known = None if answer is None else answer.read(Watch)
            now = time.monotonic()
            if answer is not None and known is not None and (not known.is_live or now >= self._deadline):
                self._progress.clear()
                return answer
            if known is not None:
                self._progress.show(_line(known, now - self._began_at))
            if now - asked_at < PAUSE_S:
                time.sleep(max(0.0, min(PAUSE_S, self._deadline - now)))

    def _asked(self, watch_id: str, now: float) -> ApiReply | None:
        """The watch, its answer held as long as may be; None while the daemon is away for a moment."""
        # The first answer is not held: it tells whether the daemon is there at all, and knows the watch.
        hold_s = min(self._hold_s, self._deadline - now) if self._was_there else 0.0
        query = {"wait": f"{hold_s * 1_000:.0f}ms"} if hold_s >= SHORTEST_HOLD_S else None
        timeout_s = max(hold_s, 0.0) + 15
        try:
            answer = self._api.request("GET", f"/v1/watches/{watch_id}", query=query, timeout_s=timeout_s)
        except (Unreachable, ApiProblem) as trouble:
            self._bear(trouble)
            return None
        self._was_there, self._gone_since = True, None
        return answer

    def _bear(self, trouble: Unreachable | ApiProblem) -> None:
        """Return if that may pass in a moment, else raise it."""
        now = time.monotonic()
        is_lasting = isinstance(trouble, ApiProblem) and trouble.status != 503
        if is_lasting or not self._was_there or now >= self._deadline:
            raise trouble
        if self._gone_since is None:
            self._gone_since = now
            gone = (
                "went away" if isinstance(trouble, Unreachable) else f"is not ready: {escape(trouble.cause)}"
            )
            self._progress.clear()
            print_note(f"the daemon {gone}; trying on for {RESTART_S:.0f} s")
        if now >= self._gone_since + RESTART_S:
            raise trouble


def _line(watch: Watch, waited_s: float) -> str:
    minutes, seconds = divmod(int(waited_s), 60)
    so_far = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    note = watch.trouble or watch.upstream_status or "not asked for yet"
    return f"{so_far}  {watch.id}  {note}"
