"""Results as pictures: fetched by the daemon when somebody clicks, so that the page loads from itself alone.

Whoever shows the picture learns no more than that somebody looked: no key, cookie or referrer goes out. A URL
cannot be named, but only the number of one that the provider gave; it is connected to where callbacks may
go and nowhere else, redirects are not followed, and size, time and how many at once have limits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType

from starlette.responses import Response

from notifier.api.request import ApiRequest
from notifier.api.services import Services
from notifier.core.formats.urls import InvalidUrl, check_callback_url
from notifier.core.ids import WATCH, is_id
from notifier.core.images import KINDS, ImageRejected, check_image
from notifier.ports import HttpClient
from notifier.server.problems import ProblemError

MOST_BYTES = 8 * 1024 * 1024
AT_ONCE = 2
MOST_WANTED = 10
PATIENCE_S = 20.0
TIMEOUT_MS = 15_000
PICTURE = "image/png"  # for the description; the answer has the picture's own type
HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
)


class ImageProxy:
    """Fetches pictures, few at once. ``wire`` returns the client of this moment: a reload may change it.

    That client is of its own: what hangs here holds no connection that a poll or a callback would need.
    """

    def __init__(self, wire: Callable[[], HttpClient]) -> None:
        self._wire = wire
        self._places = asyncio.Semaphore(AT_ONCE)
        self._wanted = 0

    async def get(self, url: str) -> tuple[str, bytes]:
        """Return the media type and the bytes of the picture at ``url``; raises Problem."""
        try:
            canonical = check_callback_url(url)
        except InvalidUrl as wrong:
            raise ProblemError(
                "no_picture", f"this result is no link that can be fetched: {wrong}"
            ) from wrong
        async with self._place():
            exchange = await self._wire().get(canonical, {"accept": ", ".join(KINDS)}, timeout_ms=TIMEOUT_MS)
        found = check_image(exchange, most_bytes=MOST_BYTES)
        if isinstance(found, ImageRejected):
            raise ProblemError("no_picture", found.text)
        return found.kind, found.body

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._wanted >= MOST_WANTED:
            raise ProblemError("busy", f"{MOST_WANTED} pictures are wanted already")
        self._wanted += 1
        try:
            await self._enter()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._wanted -= 1

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._places.acquire()
        except TimeoutError as late:
            raise ProblemError("busy", "other pictures take their time") from late


async def show_output(call: ApiRequest) -> Response:
    """One result of a watch, if it is a picture. They are counted from 0."""
    url = await _output(call.services, call.path["id"], call.path["number"])
    kind, body = await call.services.pictures.get(url)
    name = f"output-{call.path['number']}.{KINDS[kind]}"
    headers = {**HEADERS, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(body, headers=headers, media_type=kind)


async def _output(services: Services, watch_id: str, number: str) -> str:
    detail = await services.store.watch(watch_id) if is_id(watch_id, WATCH) else None
    if detail is None:
        raise ProblemError(
            "not_found", "there is no watch of this id; ended ones are forgotten after a while"
        )
    outputs = detail.watch.outputs
    if not (number.isascii() and number.isdigit() and len(number) < 5 and int(number) < len(outputs)):
        raise ProblemError(
            "not_found",
            f"there is no such output; this watch has {len(outputs)}, and they are counted from 0",
        )
    return outputs[int(number)]
