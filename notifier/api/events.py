"""Handle ``GET /v1/events``."""

from functools import partial

from starlette.responses import Response

from notifier.api.request import ApiRequest
from notifier.server.sse import LAST_EVENT_ID, SseResponse


async def stream_events(call: ApiRequest) -> Response:
    """Stream changes of watches and deliveries from after ``Last-Event-ID`` on, else from now on."""
    values = call.header(LAST_EVENT_ID.encode())
    last_id = values[0].decode("latin-1") if values else None
    return SseResponse(partial(call.services.feed.subscribe, last_id), call.gone)
