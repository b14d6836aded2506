"""Return the payload of a watch: the provider's last reply, which may be too large for callbacks."""

from contextlib import ExitStack

from starlette.responses import Response

from notifier.api.downloads import PayloadResponse
from notifier.api.request import ApiRequest
from notifier.core.ids import WATCH, is_id
from notifier.server.problems import ProblemError


async def show_payload(call: ApiRequest) -> Response:
    """Return the payload as it was sent by the provider, but for its key."""
    watch_id = call.path["id"]
    with ExitStack() as stack:
        stack.enter_context(call.services.downloads.start())
        payload = await call.services.store.payload(watch_id) if is_id(watch_id, WATCH) else None
        if payload is None:
            raise ProblemError(
                "not_found",
                "no watch that has ended with a reply has this id",
            )
        return PayloadResponse(payload, stack.pop_all())
