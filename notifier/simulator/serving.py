"""An ASGI application on a port of this machine, for as long as a block runs."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn

App = Callable[[Any, Any, Any], Awaitable[None]]

_GRACE_S = 1


class _Server(uvicorn.Server):
    """uvicorn without signals and without ticks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self._is_over = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._is_over.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        await self._is_over.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serve(app: App, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve ``app`` and yield its base URL; port 0 is any free one. Raises OSError when it cannot be bound.

    At the end requests under way get a second, and whatever then still hangs is cut off.
    """
    bound = _bound(host, port)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    up = asyncio.create_task(server.is_up.wait())
    try:
        await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        yield _url(bound)
    finally:
        up.cancel()
        server.stop()
        await serving
        bound.close()


def _bound(host: str, port: int) -> socket.socket:
    family, _, _, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    return socket.create_server(name[:2], family=family, backlog=1024)


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family is socket.AF_INET6 else f"http://{host}:{port}"
