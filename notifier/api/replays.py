"""Handle ``POST /v1/deliveries/replay``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from notifier.api.json_fields import FieldErrors, describe_unknown, read_json, read_object, read_text
from notifier.api.representations import json_response
from notifier.api.request import ApiRequest
from notifier.api.schemas import Matched
from notifier.core.formats.times import parse_instant
from notifier.core.formats.urls import check_callback_url
from notifier.core.model import DeliveryState
from notifier.server.problems import ProblemError
from notifier.store.values import BulkLimitReached, ReplayQuery

FIELDS = ("since", "until", "state", "url", "dry_run")
_FILTERS = FIELDS[:-1]
_ENDED = (DeliveryState.DELIVERED, DeliveryState.DEAD)


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
        detail = f"{matched.under_way} replays are running or waiting; they run one after the other"
        raise ProblemError("too_many_replays", detail)
    if matched and not request.is_dry:
        services.wake.replay_now()
    return json_response(Matched(matched=matched), 202)


def read_replay(body: bytes) -> ReplayRequest:
    """Parse the body of a replay. Raise ProblemError."""
    errors = FieldErrors()
    members = read_object(read_json(body), "", FIELDS, errors) or {}
    query = ReplayQuery(
        since=_parse_instant(members, "since", errors),
        until=_parse_instant(members, "until", errors),
        state=_parse_state(members, errors),
        url=read_text(members, "url", errors, check_callback_url) if "url" in members else None,
    )
    is_dry = members.get("dry_run", False)
    if not isinstance(is_dry, bool):
        errors.add("/dry_run", "must be true or false")
    _check_combination(members, query, errors)
    errors.check()
    return ReplayRequest(query, is_dry)


def _check_combination(members: Mapping[str, Any], query: ReplayQuery, errors: FieldErrors) -> None:
    if query.since is not None and query.until is not None and query.since >= query.until:
        errors.add("/until", "must be later than since")
    if not errors.entries and not any(name in members for name in _FILTERS):
        everything = 'for all deliveries, {"since": "1970-01-01T00:00:00Z"}'
        errors.add(
            "",
            f"selects nothing; give {', '.join(_FILTERS)} or some of them; {everything}",
        )


def _parse_instant(members: Mapping[str, Any], name: str, errors: FieldErrors) -> int | None:
    if name not in members:
        return None
    at = parse_instant(members[name])
    if at is None:
        errors.add(f"/{name}", 'must be an instant such as "2026-11-23T12:00:00Z"')
    return at


def _parse_state(members: Mapping[str, Any], errors: FieldErrors) -> DeliveryState | None:
    if "state" not in members:
        return None
    word = members["state"]
    if word == DeliveryState.PENDING:
        errors.add("/state", "pending deliveries are sent anyway; resume their endpoint to send them now")
    elif not isinstance(word, str):
        errors.add("/state", "must be a string")
    elif word not in _ENDED:
        errors.add("/state", describe_unknown(word, "state", _ENDED))
    else:
        return DeliveryState(word)
    return None
