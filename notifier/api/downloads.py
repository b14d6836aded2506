"""Bound how many payloads are sent at once, because each may be large."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from notifier.server.middleware import ClientDisconnected
from notifier.server.problems import ProblemError

MAX_DOWNLOADS = 2
"""Payloads in memory at once (CONTRACT P5); each has up to ``max_body``, which is 16 MiB by default."""

DOWNLOAD_LIMIT_S = 60.0
"""For a client that reads slowly. Trade-off: 16 MiB in it are 2 Mbit/s, and others wait for their place."""


class PayloadDownloads:
    """The payloads that are read and sent at present."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def start(self) -> Iterator[None]:
        """Count a download within the ``with`` block. Raise ProblemError beyond the limit."""
        if self._count >= MAX_DOWNLOADS:
            raise ProblemError("busy", f"{MAX_DOWNLOADS} payloads are being sent, which is the limit")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


class PayloadResponse(Response):
    """A response that ends its download when it was sent, or could not be."""

    def __init__(self, payload: bytes, download: ExitStack) -> None:
        super().__init__(payload, media_type="application/json")
        self._download = download

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._download:
            try:
                async with asyncio.timeout(DOWNLOAD_LIMIT_S):
                    await super().__call__(scope, receive, send)
            except TimeoutError as error:
                raise ClientDisconnected from error
