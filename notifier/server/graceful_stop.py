"""The end of serving: who has connected is heard, though the daemon stops.

uvicorn closes a connection on which no request has been read. Its client has been let in and is about to ask,
or has asked already and the bytes are on their way; where systemd holds the socket, it would have been served
by the next process had it come a moment later.
"""

import asyncio

from notifier.server.protocol import DeadlineProtocol

LAST_WORD_S = 1.0


class StoppingProtocol(DeadlineProtocol):
    """What the daemon serves with."""

    last_word_s = LAST_WORD_S

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._parting: asyncio.TimerHandle | None = None

    def shutdown(self) -> None:
        """End once what is under way is answered; for a request that is still to come there is a moment."""
        latest: object | None = self.cycle
        is_idle = latest is not None and not self._has_begun()
        if is_idle or self._running() is not None:
            super().shutdown()
        elif self._parting is None:
            self._parting = self.loop.call_later(self.last_word_s, super().shutdown)

    def on_headers_complete(self) -> None:
        """A request that made it is the last one of its connection."""
        super().on_headers_complete()
        if self._parting is not None:
            self.cycle.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        super().connection_lost(exc)
        if self._parting is not None:
            self._parting.cancel()
