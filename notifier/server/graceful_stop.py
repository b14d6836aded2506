"""Stop serving without turning away clients that have connected.

uvicorn closes a connection on which no request has been read. Its client has been accepted and may have sent
a request already. Where systemd owns the socket, the next process would have served a client that connected a
moment later.
"""

import asyncio

from notifier.server.protocol import DeadlineProtocol

IDLE_GRACE_S = 1.0
"""How long a stop waits for the first request of a connection. No record of why a second."""


class StoppingProtocol(DeadlineProtocol):
    """The protocol of the daemon: ``DeadlineProtocol`` with a graceful stop."""

    idle_grace_s = IDLE_GRACE_S

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._closing: asyncio.TimerHandle | None = None

    def shutdown(self) -> None:
        """Close after the request under way; if none has come yet, wait ``idle_grace_s`` for one."""
        last_cycle: object | None = self.cycle
        is_idle = last_cycle is not None and not self._has_begun()
        if is_idle or self._running() is not None:
            super().shutdown()
        elif self._closing is None:
            self._closing = self.loop.call_later(self.idle_grace_s, super().shutdown)

    def on_headers_complete(self) -> None:
        """Start the request; during a stop it is the last one of its connection."""
        super().on_headers_complete()
        if self._closing is not None:
            self.cycle.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        super().connection_lost(exc)
        if self._closing is not None:
            self._closing.cancel()
