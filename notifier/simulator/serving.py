"""Serve an ASGI application on a local port while a block runs."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from notifier.server.server import EmbeddedServer

App = Callable[[Any, Any, Any], Awaitable[None]]

_GRACE_S = 1  # no record of why; changing it needs a measurement


@contextlib.asynccontextmanager
async def serve(app: App, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve ``app`` and yield its base URL; port 0 is any free port. Raise OSError if it cannot be bound.

    At the end running requests get ``_GRACE_S``; then they are cut off.
    """
    bound = _bound(host, port)
    server = EmbeddedServer(
        app, bound, http="httptools", timeout_keep_alive=75, timeout_graceful_shutdown=_GRACE_S
    )
    serving = asyncio.create_task(server.run_until_stopped())
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
