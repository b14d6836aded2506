"""Handle ``POST /v1/watches/stop`` and ``POST /v1/watches/resume``: change all watches that match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from notifier.api.bulk_schemas import WatchesMatched
from notifier.api.json_fields import FieldErrors, describe_unknown, read_expire_after, read_text
from notifier.api.representations import json_response
from notifier.api.request import ApiRequest
from notifier.api.services import ApiSettings
from notifier.core.formats.task_urls import check_api_path
from notifier.core.model import WatchState
from notifier.core.states import WATCH_TABLE, WatchAction
from notifier.server.problems import ProblemError
from notifier.store.values import BulkLimitReached, WatchChange, WatchLimitReached

_STOP_FILTERS = ("since", "until", "provider", "api_path")
_RESUME_FILTERS = ("since", "until", "state", "provider", "api_path")
STOP_FIELDS = (*_STOP_FILTERS, DRY_RUN)
RESUME_FIELDS = (*_RESUME_FILTERS, "expire_after", DRY_RUN)
_RESUMABLE = tuple(state for state, action in WATCH_TABLE if action is WatchAction.RESUME)
_REFUSED: Mapping[str, str] = {
    WatchState.WATCHING: "live watches are polled anyway",
    **dict.fromkeys(
        (WatchState.COMPLETED, WatchState.FAILED, WatchState.CANCELLED),
        "the provider ended these tasks, so that nothing is left to poll",
    ),
}


@dataclass(frozen=True, slots=True)
class WatchChangeRequest:
    """Which watches to stop or resume. ``is_dry``: only count them."""

    change: WatchChange
    is_dry: bool


async def stop_watches(call: ApiRequest) -> Response:
    """Start to stop all live watches that match, or count them."""
    return await _start(call, read_stop(call.body))


async def resume_watches(call: ApiRequest) -> Response:
    """Start to resume all expired, lost or stopped watches that match, or count them."""
    request = read_resume_of_many(call.body)
    _require_configured(request.change, call.services.settings())
    return await _start(call, request)


def read_stop(body: bytes) -> WatchChangeRequest:
    """Parse the body of a stop of many watches. Raise ProblemError."""
    errors = FieldErrors()
    return _read(WatchAction.STOP, read_members(body, STOP_FIELDS, errors), _STOP_FILTERS, errors)


def read_resume_of_many(body: bytes) -> WatchChangeRequest:
    """Parse the body of a resume of many watches. Raise ProblemError."""
    errors = FieldErrors()
    return _read(WatchAction.RESUME, read_members(body, RESUME_FIELDS, errors), _RESUME_FILTERS, errors)


def _read(
    action: WatchAction, members: Mapping[str, Any], filters: Sequence[str], errors: FieldErrors
) -> WatchChangeRequest:
    span = read_span(members, errors)
    is_resume = action is WatchAction.RESUME
    change = WatchChange(
        action=action,
        since=span.since,
        until=span.until,
        state=read_state(members, _RESUMABLE, errors, _REFUSED) if is_resume else None,
        provider=read_text(members, "provider", errors) if "provider" in members else None,
        api_path=read_text(members, "api_path", errors, check_api_path) if "api_path" in members else None,
        expire_after_ms=read_expire_after(members, errors) if is_resume else None,
    )
    is_dry = read_dry_run(members, errors)
    require_filter(members, filters, "watches", errors)
    errors.check()
    return WatchChangeRequest(change, is_dry)


def _require_configured(change: WatchChange, settings: ApiSettings) -> None:
    """Refuse the name of a provider that cannot be polled, because it is usually a wrong one."""
    errors = FieldErrors()
    if change.provider is not None and change.provider not in settings.providers:
        errors.add("/provider", describe_unknown(change.provider, "provider", settings.providers))
    errors.check()


async def _start(call: ApiRequest, request: WatchChangeRequest) -> Response:
    services, settings = call.services, call.services.settings()
    matched = await services.store.start_watch_change(
        request.change,
        now=services.clock.now(),
        expire_after_ms={name: each.expire_after_ms for name, each in settings.providers.items()},
        max_live=settings.max_watches,
        dry_run=request.is_dry,
    )
    if isinstance(matched, BulkLimitReached):
        raise make_limit_problem("too_many_changes", "stops and resumes", matched)
    if isinstance(matched, WatchLimitReached):
        detail = f"{matched.live} watches are live; server.max_watches has no room for all that match"
        raise ProblemError("too_many_watches", detail)
    if matched and not request.is_dry:
        services.wake.change_watches_now()
    return json_response(WatchesMatched(matched=matched), 202)
