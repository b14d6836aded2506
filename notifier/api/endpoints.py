"""The calls on endpoints: how each stands, pause, resume."""

from starlette.responses import Response

from notifier.api.query import next_cursor, page_query
from notifier.api.representations import endpoint_body, json_response
from notifier.api.request import ApiRequest
from notifier.api.schemas import EndpointBody, EndpointPage
from notifier.api.services import Services
from notifier.core.ids import ENDPOINT, is_id
from notifier.server.problems import ProblemError
from notifier.store.values import ChangeRefused, EndpointDetail


async def list_endpoints(call: ApiRequest) -> Response:
    """Some endpoints, newest first."""
    before, limit = page_query(call.query, ENDPOINT)
    found = await call.services.store.endpoints(before=before, limit=limit + 1)
    shown = found[:limit]
    cursor = next_cursor(shown[-1].id, call.query) if len(found) > len(shown) else None
    return json_response(EndpointPage(endpoints=[endpoint_body(each) for each in shown], next_cursor=cursor))


async def list_recent_endpoints(services: Services, limit: int) -> list[EndpointBody]:
    """Those that were named last, for the page."""
    return [endpoint_body(each) for each in await services.store.endpoints(before=None, limit=limit)]


async def pause_endpoint(call: ApiRequest) -> Response:
    """Send it nothing until it is resumed."""
    return _shown(await call.services.store.pause_endpoint(_id(call)))


async def resume_endpoint(call: ApiRequest) -> Response:
    """Send it what waits, whatever held it."""
    services = call.services
    changed = await services.store.resume_endpoint(_id(call), now=services.clock.now())
    services.wake.deliver_now()
    return _shown(changed)


def _shown(changed: EndpointDetail | ChangeRefused) -> Response:
    if isinstance(changed, ChangeRefused):
        raise _unknown()
    return json_response(endpoint_body(changed))


def _id(call: ApiRequest) -> str:
    endpoint_id = call.path["id"]
    if not is_id(endpoint_id, ENDPOINT):
        raise _unknown()
    return endpoint_id


def _unknown() -> ProblemError:
    return ProblemError("not_found", "there is no endpoint of this id; GET /v1/endpoints lists what there is")
