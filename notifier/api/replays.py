"""Handle ``POST /v1/deliveries/replay``."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.bulk_filters import (
    DRY_RUN,
    make_limit_problem,
    read_dry_run,
    read_members,
    read_span,
    read_state,
    require_filter,
)
from notifier.api.bulk_schemas import Matched
from notifier.api.json_fields import FieldErrors, read_text
from notifier.api.representations import json_response
from notifier.api.request import ApiRequest
from notifier.core.formats.urls import check_callback_url
from notifier.core.model import DeliveryState
from notifier.store.values import BulkLimitReached, ReplayQuery

_FILTERS = ("since", "until", "state", "url")
FIELDS = (*_FILTERS, DRY_RUN)
_ENDED = (DeliveryState.DELIVERED, DeliveryState.DEAD)
_REFUSED: Mapping[str, str] = {
    DeliveryState.PENDING: "pending deliveries are sent anyway; resume their endpoint to send them now"
}


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Which deliveries to send again. ``is_dry``: only count them."""

    query: ReplayQuery
    is_dry: bool


async def replay(call: ApiRequest) -> Response:
    """Start to send matching deliveries again at a low rate, or count them."""
    services = call.services
    request = read_replay(call.body)
    now = services.clock.now()
    matched = await services.store.start_replay(request.query, now=now, dry_run=request.is_dry)
    if isinstance(matched, BulkLimitReached):
        raise make_limit_problem("too_many_replays", "replays", matched)
    if matched and not request.is_dry:
        services.wake.replay_now()
    return json_response(Matched(matched=matched), 202)


def read_replay(body: bytes) -> ReplayRequest:
    """Parse the body of a replay. Raise ProblemError."""
    errors = FieldErrors()
    members = read_members(body, FIELDS, errors)
    span = read_span(members, errors)
    query = ReplayQuery(
        since=span.since,
        until=span.until,
        state=read_state(members, _ENDED, errors, _REFUSED),
        url=read_text(members, "url", errors, check_callback_url) if "url" in members else None,
    )
    is_dry = read_dry_run(members, errors)
    require_filter(members, _FILTERS, "deliveries", errors)
    errors.check()
    return ReplayRequest(query, is_dry)
