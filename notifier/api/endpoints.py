"""Handle requests about endpoints: list, pause, resume, give up."""

from starlette.responses import Response

from notifier.api.bulk_schemas import Matched
from notifier.api.query import parse_page_query, split_page
from notifier.api.representations import endpoint_body, json_response
from notifier.api.request import ApiRequest
from notifier.api.schemas import EndpointBody, EndpointPage
from notifier.api.services import Services
from notifier.core.ids import ENDPOINT, is_id
from notifier.server.problems import ProblemError
from notifier.store.values import ChangeRefused, EndpointDetail


async def list_endpoints(call: ApiRequest) -> Response:
    """Return a page of endpoints, newest first."""
    before, limit = parse_page_query(call.query, ENDPOINT)
    rows = await call.services.store.endpoints(before=before, limit=limit + 1)
    page, cursor = split_page(rows, limit, call.query)
    return json_response(EndpointPage(endpoints=[endpoint_body(each) for each in page], next_cursor=cursor))


async def list_recent_endpoints(services: Services, limit: int) -> list[EndpointBody]:
    """Return the newest endpoints, for the page."""
    return [endpoint_body(each) for each in await services.store.endpoints(before=None, limit=limit)]


async def pause_endpoint(call: ApiRequest) -> Response:
    """Hold all deliveries to an endpoint until it is resumed."""
    return _respond(await call.services.store.pause_endpoint(_read_id(call)))


async def resume_endpoint(call: ApiRequest) -> Response:
    """Release the deliveries to an endpoint, whatever held them."""
    services = call.services
    changed = await services.store.resume_endpoint(_read_id(call), now=services.clock.now())
    services.wake.deliver_now()
    return _respond(changed)


async def give_up_endpoint(call: ApiRequest) -> Response:
    """Give up all deliveries that wait for an endpoint now; the deliverer continues in steps."""
    services = call.services
    matched = await services.store.give_up_endpoint(_read_id(call), now=services.clock.now())
    if isinstance(matched, ChangeRefused):
        raise _make_unknown_problem()
    services.wake.deliver_now()
    return json_response(Matched(matched=matched), 202)


def _respond(changed: EndpointDetail | ChangeRefused) -> Response:
    if isinstance(changed, ChangeRefused):
        raise _make_unknown_problem()
    return json_response(endpoint_body(changed))


def _read_id(call: ApiRequest) -> str:
    endpoint_id = call.path["id"]
    if not is_id(endpoint_id, ENDPOINT):
        raise _make_unknown_problem()
    return endpoint_id


def _make_unknown_problem() -> ProblemError:
    return ProblemError("not_found", "no endpoint has this id; GET /v1/endpoints lists all endpoints")
