"""Fetch one result of a task as an image, within limits of size, time and number.

``api/outputs.py`` serves it, so that the page loads from its own origin only. The provider's host sees the
daemon: no key, cookie or referrer of the user goes out. The client connects only where callbacks may go and
follows no redirect.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from notifier.core.formats.urls import InvalidUrl, check_http_url
from notifier.core.images import KINDS, Image, ImageRejected, check_image
from notifier.ports import HttpClient

MAX_IMAGE_BYTES = 8 * 1024 * 1024
"""CONTRACT P5: every body has a limit. No record of why 8 MiB; changing it needs a measurement."""

MAX_FETCHES = 2
"""Fetches at once: they hold at most 2 x ``MAX_IMAGE_BYTES`` in memory (CONTRACT P5)."""

MAX_REQUESTS = 10
"""Requests that fetch or wait (CONTRACT P5). No record of why 10; changing it needs a measurement."""

QUEUE_TIMEOUT_S = 20.0
"""Longer than ``FETCH_TIMEOUT_MS``: a request waits at least for one fetch that runs into its timeout."""

FETCH_TIMEOUT_MS = 15_000
"""As long as the default of ``callbacks.timeout``. No record of why; changing it needs a measurement."""


@dataclass(frozen=True, slots=True)
class ImageProxyBusy:
    """Too many requests for images at once; ``text`` says which limit was reached."""

    text: str


class _Busy(Exception):
    """No place became free; ends in ``ImageProxyBusy``."""


class ImageProxy:
    """Fetch images, ``MAX_FETCHES`` at once.

    ``client`` returns the HTTP client of this moment, because a reload may replace it. That client serves
    nothing else, so that a slow image takes no connection from a poll or a callback.
    """

    def __init__(self, client: Callable[[], HttpClient]) -> None:
        self._client = client
        self._places = asyncio.Semaphore(MAX_FETCHES)
        self._requests = 0

    async def get(self, url: str) -> Image | ImageRejected | ImageProxyBusy:
        """Fetch the image at ``url``, or say why there is none to show."""
        try:
            canonical = check_http_url(url)
        except InvalidUrl as error:
            return ImageRejected(f"this output is not a URL that can be fetched: {error}")
        try:
            async with self._place():
                exchange = await self._client().get(
                    canonical, {"accept": ", ".join(KINDS)}, timeout_ms=FETCH_TIMEOUT_MS
                )
        except _Busy as error:
            return ImageProxyBusy(str(error))
        return check_image(exchange, max_bytes=MAX_IMAGE_BYTES)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._requests >= MAX_REQUESTS:
            raise _Busy(f"{MAX_REQUESTS} requests for images are waiting already")
        self._requests += 1
        try:
            await self._enter()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._requests -= 1

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(QUEUE_TIMEOUT_S):
                await self._places.acquire()
        except TimeoutError as error:
            raise _Busy("no fetch of an image finished in time") from error
