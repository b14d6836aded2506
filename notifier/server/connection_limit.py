"""Keep descriptors free: a crowd of connections must not use those of new clients and of the database."""

import asyncio

from notifier.server.graceful_stop import StoppingProtocol

RESERVED_DESCRIPTORS = 64  # database, log, sockets of systemd, lookups of names: about 30 are in use
MIN_CONNECTIONS = 16  # below this no client could work; then the pools of outgoing connections fail first


class LimitedProtocol(StoppingProtocol):
    """The protocol of the daemon. Beyond ``max_connections`` each new connection ends another one.

    An idle one is ended first, which its client opens again at need. Otherwise it is the one without a sign
    of life for the longest time: a response that is held, or a slow request.
    """

    max_connections = 1_000_000  # no limit; ``limit_connections`` sets one

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._active_at = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Start to wait for a request, and make room for it."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._end_another()

    def data_received(self, data: bytes) -> None:
        """Process more bytes of a request."""
        self._active_at = self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Process the next request."""
        self._active_at = self.loop.time()
        super().on_response_complete()

    def _end_another(self) -> None:
        others = [
            each
            for each in self.connections
            if each is not self and isinstance(each, LimitedProtocol) and not each.transport.is_closing()
        ]
        if others:
            oldest = min(others, key=lambda each: (not each._is_idle(), each._active_at))
            oldest.transport.abort()

    def _is_idle(self) -> bool:
        return not self._has_begun() and self._running() is None


def limit_connections(descriptors: int, outgoing: int) -> type[LimitedProtocol]:
    """Return the protocol for a process with so many descriptors and outgoing connections."""
    free = max(MIN_CONNECTIONS, descriptors - outgoing - RESERVED_DESCRIPTORS)
    return type("DaemonProtocol", (LimitedProtocol,), {"max_connections": free})
