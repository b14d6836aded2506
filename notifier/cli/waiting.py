"""Waiting for a watch to end, across the daemon's holding of an answer and its restarts."""

import time

from notifier.cli.client import Answer, Api, ApiProblem, Unreachable
from notifier.cli.output import safe, say
from notifier.cli.views import Watch

HOLD_S = 30.0  # one asking; the daemon holds an answer for 60 s at most
PAUSE_S = 0.5  # between two askings, where the daemon does not hold its answer
RESTART_S = 30.0  # how long a daemon that was there may be away; it loses nothing meanwhile
SHORTEST_HOLD_S = 0.05  # the contract's shortest duration


class Waiter:
    """Asks for watches until they have ended or the deadline (of the monotonic clock) has passed."""

    def __init__(self, api: Api, deadline: float) -> None:
        self._api = api
        self._deadline = deadline
        self._was_there = False
        self._gone_since: float | None = None

    def ended(self, watch_id: str) -> Answer:
        """The watch once it has ended, or as it stands at the deadline."""
        while True:
            asked_at = time.monotonic()
            answer = self._asked(watch_id, asked_at)
            if answer is not None and not answer.read(Watch).is_live:
                return answer
            now = time.monotonic()
            if answer is not None and now >= self._deadline:
                return answer
            if now - asked_at < PAUSE_S:
                time.sleep(max(0.0, min(PAUSE_S, self._deadline - now)))

    def _asked(self, watch_id: str, now: float) -> Answer | None:
        """The watch, its answer held as long as may be; None while the daemon is away for a moment."""
        # The first answer is not held: it tells whether the daemon is there at all, and knows the watch.
        hold_s = min(HOLD_S, self._deadline - now) if self._was_there else 0.0
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
            gone = "went away" if isinstance(trouble, Unreachable) else f"is not ready: {safe(trouble.cause)}"
            say(f"the daemon {gone}; trying on for {RESTART_S:.0f} s")
        if now >= self._gone_since + RESTART_S:
            raise trouble
