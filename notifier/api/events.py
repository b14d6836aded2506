"""The call that goes on: server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from notifier.api.event_feed import EventFeed
from notifier.api.request import ApiRequest

EVENT_STREAM = "text/event-stream"
LAST_EVENT_ID = "last-event-id"


async def stream_events(call: ApiRequest) -> Response:
    """What changes, as it changes. Listen first and read the lists then, and nothing is missed.

    ``watch`` and ``delivery`` bring the thing as lists have it and as it stands now: new, ended, in other
    trouble, resumed, stopped; made, attempted, delivered, dead. A watch that was only polled is told once a
    second at most. ``reset`` says to read the lists anew: the id that a client came back with is too old or
    of another run, or more has changed than is told singly.
    """
    given = call.header(LAST_EVENT_ID.encode())
    last_id = given[0].decode("latin-1") if given else None
    return SseResponse(call.services.feed, last_id, call.gone)


class SseResponse(Response):
    """An answer that ends when its client goes, reads too slowly, or the daemon stops."""

    def __init__(self, feed: EventFeed, last_id: str | None, gone: Callable[[], Awaitable[None]]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"content-type": EVENT_STREAM})
        self._feed = feed
        self._last_id = last_id
        self._gone = gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] != "HEAD":
            with self._feed.listening(self._last_id) as listener:
                leaving = asyncio.ensure_future(self._gone())
                leaving.add_done_callback(lambda _: listener.end())
                try:
                    await send(start)
                    async for piece in listener.pieces():
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                finally:
                    leaving.cancel()
                    await asyncio.gather(leaving, return_exceptions=True)
        else:
            await send(start)
        await send({"type": "http.response.body", "body": b""})
