"""Embed uvicorn: without signal handlers, without idle ticks, with a bounded stop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn


class EmbeddedServer(uvicorn.Server):
    """Serve an ASGI ``app`` on one bound socket until ``stop``. ``options`` are those of uvicorn."""

    def __init__(self, app: Any, bound: socket.socket, **options: Any) -> None:
        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            **options,
        )
        super().__init__(config)
        _disable_nagle(bound)
        self.is_up = asyncio.Event()
        self._bound = bound
        self._is_over = asyncio.Event()

    async def run_until_stopped(self) -> None:
        """Serve until ``stop`` is called and the requests under way are answered or cut off."""
        await self.serve(sockets=[self._bound])

    def stop(self) -> None:
        """Accept no more connections."""
        self.should_exit = True
        self._is_over.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then set ``is_up``."""
        await super().startup(sockets=sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        """Wait for ``stop``. uvicorn's loop wakes ten times a second for headers that we do not send."""
        await self._is_over.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers, because the daemon has its own."""
        yield


def _disable_nagle(bound: socket.socket) -> None:
    """Set TCP_NODELAY; on Linux accepted sockets inherit it.

    asyncio sets it only on sockets created with the protocol number of TCP, which one of systemd is not.
    Without it, a response in two pieces is 40 ms late: the second waits for the client's delayed ACK.
    """
    if bound.family in (socket.AF_INET, socket.AF_INET6):
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
