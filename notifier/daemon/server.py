"""uvicorn, embedded: no signals of its own, no idle ticks, a stop that is bounded."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from notifier.api.protocol import DeadlineProtocol

GRACE_S = 5
KEEP_ALIVE_S = 75


class Server(uvicorn.Server):
    """Serves ``app`` on one bound socket until ``stop``."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http=DeadlineProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)
        self._bound = bound
        self._stopped = asyncio.Event()
        self.is_up = asyncio.Event()

    async def run_until_stopped(self) -> None:
        """Serve; returns when ``stop`` was called and the requests under way have been answered."""
        await self.serve(sockets=[self._bound])

    def stop(self) -> None:
        """Accept nothing more."""
        self.should_exit = True
        self._stopped.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, and say so."""
        await super().startup(sockets=sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        """Wait. The original wakes ten times a second for headers that we do not send."""
        await self._stopped.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the daemon."""
        yield
