"""Handle requests about deliveries."""

from starlette.responses import Response

from notifier.api.query import parse_delivery_query, split_page
from notifier.api.representations import delivery_body, delivery_detail_body, json_response
from notifier.api.request import ApiRequest
from notifier.api.schemas import DeliveryBody, DeliveryPage
from notifier.api.services import Services
from notifier.core.ids import DELIVERY, is_id
from notifier.server.problems import ProblemError
from notifier.store.values import ChangeRefused, DeliveryQuery, is_page_full


async def list_deliveries(call: ApiRequest) -> Response:
    """Return a page of deliveries, newest first."""
    query = parse_delivery_query(call.query)
    one_more = DeliveryQuery(query.state, query.watch_id, query.url, query.before, query.limit + 1)
    rows = await call.services.store.deliveries(one_more)
    page, cursor = split_page(rows, query.limit, call.query, is_full=is_page_full(rows))
    return json_response(DeliveryPage(deliveries=[delivery_body(each) for each in page], next_cursor=cursor))


async def list_recent_deliveries(services: Services, query: DeliveryQuery) -> list[DeliveryBody]:
    """Return the newest deliveries, for the page."""
    return [delivery_body(each) for each in await services.store.deliveries(query)]


async def show_delivery(call: ApiRequest) -> Response:
    """Return one delivery with its attempts."""
    return json_response(await load_delivery_body(call))


async def load_delivery_body(call: ApiRequest) -> DeliveryBody:
    """Load one delivery with its attempts, for the API and for its page."""
    detail = await call.services.store.delivery(_read_id(call))
    if detail is None:
        raise _make_unknown_problem()
    return delivery_detail_body(detail)


async def show_delivery_bytes(call: ApiRequest) -> Response:
    """Return the bytes that each attempt sends. They are not signed: a signature holds for one instant."""
    message = await call.services.store.message(_read_id(call))
    if message is None:
        raise _make_unknown_problem()
    return Response(message, media_type="application/json")


async def redeliver(call: ApiRequest) -> Response:
    """Send a delivery again: with the same id and bytes, and a new ``give_up_at``."""
    services = call.services
    now = services.clock.now()
    give_up_at = now + services.settings().give_up_after_ms
    changed = await services.store.redeliver(_read_id(call), now=now, give_up_at=give_up_at)
    if isinstance(changed, ChangeRefused):
        raise _make_unknown_problem()
    services.wake.deliver_now()
    return json_response(delivery_body(changed), 202)


async def give_up_delivery(call: ApiRequest) -> Response:
    """Make a pending delivery dead; a dead one stays as it is."""
    services = call.services
    changed = await services.store.give_up_delivery(_read_id(call), now=services.clock.now())
    if changed is ChangeRefused.CONFLICT:
        raise ProblemError("conflict", "the delivery is delivered; only a pending one can be given up")
    if isinstance(changed, ChangeRefused):
        raise _make_unknown_problem()
    return json_response(delivery_body(changed))


def _read_id(call: ApiRequest) -> str:
    delivery_id = call.path["id"]
    if not is_id(delivery_id, DELIVERY):
        raise _make_unknown_problem()
    return delivery_id


def _make_unknown_problem() -> ProblemError:
    return ProblemError("not_found", "no delivery has this id; old deliveries are deleted")
