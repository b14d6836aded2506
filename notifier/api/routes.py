"""Every call there is, as one list."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api import (
    deliveries,
    endpoints,
    events,
    plots,
    replays,
    watches,
)
from notifier.api import (
    outputs as pictures,
)
from notifier.api import (
    status as system,
)
from notifier.api.openapi import document
from notifier.api.request import ApiRequest, Handler
from notifier.server.bodies import BATCH_BYTES, BODY_BYTES
from notifier.web import views

PAGE = ("limit", "cursor")


@dataclass(frozen=True, slots=True)
class Route:
    """One call. ``query`` names its parameters; without ``takes_body`` a body must be empty or ``{}``."""

    method: str
    path: str
    handler: Handler
    query: Sequence[str] = ()
    takes_body: bool = False
    body_limit: int = BODY_BYTES


async def openapi(call: ApiRequest) -> Response:
    """This API's description."""
    calls = tuple((route.method, route.path, tuple(route.query)) for route in ROUTES)
    return Response(document(call.services.settings().version, calls), media_type="application/json")


ROUTES: Sequence[Route] = (
    Route("POST", "/v1/watches", watches.register, takes_body=True),
    Route("POST", "/v1/watches/batch", watches.register_batch, takes_body=True, body_limit=BATCH_BYTES),
    Route("GET", "/v1/watches", watches.list_watches, ("state", "provider", "task_id", *PAGE)),
    Route("GET", "/v1/watches/{id}", watches.show_watch, ("wait",)),
    Route("GET", "/v1/watches/{id}/timeline", watches.show_timeline),
    Route("GET", "/v1/watches/{id}/outputs/{number}", pictures.show_output),
    Route("DELETE", "/v1/watches/{id}", watches.stop_watch),
    Route("POST", "/v1/watches/{id}/poll", watches.poll_watch),
    Route("POST", "/v1/watches/{id}/resume", watches.resume_watch, takes_body=True),
    Route("GET", "/v1/deliveries", deliveries.list_deliveries, ("state", "watch_id", "url", *PAGE)),
    Route("POST", "/v1/deliveries/replay", replays.replay, takes_body=True),  # before {id}, which is any word
    Route("GET", "/v1/deliveries/{id}", deliveries.show_delivery),
    Route("GET", "/v1/deliveries/{id}/body", deliveries.show_delivery_bytes),
    Route("POST", "/v1/deliveries/{id}/redeliver", deliveries.redeliver),
    Route("GET", "/v1/endpoints", endpoints.list_endpoints, PAGE),
    Route("POST", "/v1/endpoints/{id}/pause", endpoints.pause_endpoint),
    Route("POST", "/v1/endpoints/{id}/resume", endpoints.resume_endpoint),
    Route("GET", "/v1/events", events.stream_events),
    Route("GET", "/v1/status", system.show_status),
    Route("GET", "/v1/plots", plots.show_plots),
    Route("POST", "/v1/reload", system.reload),
    Route("GET", "/healthz", system.show_health),
    Route("GET", "/readyz", system.show_readiness),
    Route("GET", "/metrics", system.show_metrics),
    Route("GET", "/openapi.json", openapi),
    Route("GET", "/", views.page, views.FILTERS),
    Route("GET", "/watches/{id}", views.watch),
    Route("GET", "/deliveries/{id}", views.delivery),
    Route("GET", "/page/{name}", views.file),
    Route("POST", "/v1/login", views.offer_login),
    Route("GET", "/login", views.login, ("code",)),
)
