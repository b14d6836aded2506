"""Stream server-sent events (WHATWG HTML, section 9.2) as a response."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

EVENT_STREAM = "text/event-stream"
LAST_EVENT_ID = "last-event-id"


class Subscriber(Protocol):
    """One client's place in a stream of events."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield bytes to send, until the stream ends."""
        ...

    def end(self) -> None:
        """End the stream."""
        ...


class SseResponse(Response):
    """A response that ends when its client disconnects or reads too slowly, or when the server ends it.

    ``subscribe`` opens the stream, and may raise ProblemError. ``gone`` returns when the client disconnected.
    """

    def __init__(
        self,
        subscribe: Callable[[], AbstractContextManager[Subscriber]],
        gone: Callable[[], Awaitable[None]],
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"content-type": EVENT_STREAM})
        self._subscribe = subscribe
        self._gone = gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; of a HEAD request the head alone."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
        else:
            with self._subscribe() as subscriber:
                await send(start)
                await self._stream(subscriber, send)
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, subscriber: Subscriber, send: Send) -> None:
        disconnect = asyncio.ensure_future(self._gone())
        disconnect.add_done_callback(lambda _: subscriber.end())
        try:
            async for piece in subscriber.pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            disconnect.cancel()
            await asyncio.gather(disconnect, return_exceptions=True)
