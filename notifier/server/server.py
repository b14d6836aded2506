"""uvicorn, embedded: no signals of its own, no idle ticks, a stop that is bounded."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn


class EmbeddedServer(uvicorn.Server):
    """Serves an ASGI ``app`` on one bound socket until ``stop``. ``options`` are uvicorn's own."""

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
        _send_at_once(bound)
        self.is_up = asyncio.Event()
        self._bound = bound
        self._is_over = asyncio.Event()

    async def run_until_stopped(self) -> None:
        """Serve; returns when ``stop`` was called and what was under way is answered or cut off."""
        await self.serve(sockets=[self._bound])

    def stop(self) -> None:
        """Accept nothing more."""
        self.should_exit = True
        self._is_over.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, and say so."""
        await super().startup(sockets=sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        """Wait. The original wakes ten times a second for headers that we do not send."""
        await self._is_over.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever embeds it."""
        yield


def _send_at_once(bound: socket.socket) -> None:
    """Have what it accepts send each piece as it comes (Linux hands the option down).

    asyncio sees to that itself only where a socket was made for TCP by number; else an answer in two pieces
    comes 40 ms late, when the client's kernel has acknowledged the first.
    """
    if bound.family in (socket.AF_INET, socket.AF_INET6):
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
