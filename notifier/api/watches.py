"""Handle requests about watches."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs
from starlette.responses import Response

from notifier.api.query import parse_watch_query, read_wait, split_page
from notifier.api.registration import find_callbacks_pointer, read_batch, read_registration, read_resume
from notifier.api.representations import entry_body, json_response, watch_body, watch_detail_body
from notifier.api.request import ApiRequest
from notifier.api.schemas import BatchAnswer, BatchResult, MomentBody, TimelineBody, WatchBody, WatchPage
from notifier.api.services import ApiSettings, Services
from notifier.core.formats.traceparent import TRACEPARENT, parse_traceparent
from notifier.core.ids import WATCH, is_id
from notifier.core.model import MAX_CALLBACKS, NewWatch, Watch, WatchState
from notifier.core.timeline import build_timeline
from notifier.server.bodies import MAX_BODY_BYTES, make_size_problem
from notifier.server.problems import FieldError, ProblemError, problem_to_body
from notifier.store.values import (
    MAX_ROUNDS,
    CallbackLimitReached,
    ChangeRefused,
    WatchAdded,
    WatchDetail,
    WatchLimitReached,
    WatchQuery,
    is_page_full,
)

YIELD_EVERY = 16  # entries of a batch, then other tasks run (CONTRACT P5). No record of why 16

_STATE_TEXTS = {
    WatchState.WATCHING: "is being watched",
    WatchState.COMPLETED: "has completed",
    WatchState.FAILED: "has failed",
    WatchState.CANCELLED: "was cancelled",
    WatchState.EXPIRED: "has expired",
    WatchState.LOST: "is lost",
    WatchState.STOPPED: "was stopped",
}

_OUTPUTS_ELSEWHERE = "outputs left out: this response is too large; GET /v1/watches/{id} returns them"

Outcome = WatchAdded | WatchLimitReached | CallbackLimitReached


async def register(call: ApiRequest) -> Response:
    """Register a task."""
    settings = call.services.settings()
    new = read_registration(call.body, settings, call.services.clock.now())
    outcome = (await _add_watches(call, [new]))[0]
    if not isinstance(outcome, WatchAdded):
        raise _make_limit_problem(outcome, call.body)
    body = _added_to_body(outcome, call.services)
    return json_response(body, 201 if outcome.is_new else 200, {"Location": f"/v1/watches/{body.id}"})


async def register_batch(call: ApiRequest) -> Response:
    """Register many tasks. Each entry succeeds or fails alone."""
    texts = await asyncio.to_thread(read_batch, call.body)  # 4 MiB of brackets take a second of CPU
    entries = await _parse_entries(texts, call.services)
    added = iter(await _add_watches(call, [entry for entry in entries if isinstance(entry, NewWatch)]))
    outcomes = [entry if isinstance(entry, ProblemError) else next(added) for entry in entries]
    results = [_to_result(*each, call.services) for each in zip(outcomes, texts, strict=True)]
    return json_response(BatchAnswer(results=results))


async def show_watch(call: ApiRequest) -> Response:
    """Return one watch. With ``wait`` hold the response until the watch has ended."""
    watch_id = _read_id(call)
    wait_ms = read_wait(call.query)
    detail = await _load_detail(call.services, watch_id)
    if wait_ms and detail.watch.state is WatchState.WATCHING:
        detail = await _wait_for_end(call, watch_id, wait_ms)
    return json_response(watch_detail_body(detail, call.services.find_condition(detail.watch)))


async def load_watch_body(call: ApiRequest) -> WatchBody:
    """Load one watch, for its page."""
    detail = await _load_detail(call.services, _read_id(call))
    return watch_detail_body(detail, call.services.find_condition(detail.watch))


async def show_timeline(call: ApiRequest) -> Response:
    """Return what happened to one watch, in order."""
    return json_response(TimelineBody(timeline=await load_timeline(call)))


async def load_timeline(call: ApiRequest) -> list[MomentBody]:
    """Load the timeline of one watch, for the API and for its page."""
    history = await call.services.store.history(_read_id(call))
    if history is None:
        raise _make_unknown_problem()
    condition = call.services.find_condition(history.watch)
    return [entry_body(entry) for entry in build_timeline(history, condition)]


async def list_watches(call: ApiRequest) -> Response:
    """Return a page of watches, newest first."""
    query = parse_watch_query(call.query)
    one_more = WatchQuery(query.state, query.provider, query.task_id, query.before, query.limit + 1)
    rows = await call.services.store.watches(one_more)
    page, cursor = split_page(rows, query.limit, call.query, is_full=is_page_full(rows))
    return json_response(
        WatchPage(watches=[_to_body(watch, call.services) for watch in page], next_cursor=cursor)
    )


async def list_recent_watches(services: Services, query: WatchQuery) -> list[WatchBody]:
    """Return the newest watches, for the page."""
    return [_to_body(watch, services) for watch in await services.store.watches(query)]


async def poll_watch(call: ApiRequest) -> Response:
    """Poll a watch now."""
    now = call.services.clock.now()
    watch_id = _read_id(call)
    changed = await call.services.store.poll_now(watch_id, now=now)
    watch = await _require_changed(
        call.services,
        watch_id,
        changed,
        "only a live watch is polled; expired, lost and stopped ones can be resumed",
    )
    call.services.wake.poll_at(now)
    return json_response(_to_body(watch, call.services), 202)


async def resume_watch(call: ApiRequest) -> Response:
    """Resume an expired, lost or stopped watch."""
    services, watch_id = call.services, _read_id(call)
    expire_after_ms = read_resume(call.body)
    settings = services.settings()
    provider = settings.providers.get((await _load_detail(services, watch_id)).watch.provider)
    if provider is None:
        raise ProblemError("conflict", "its provider is not configured any more")
    now = services.clock.now()
    expires_at = now + (provider.expire_after_ms if expire_after_ms is None else expire_after_ms)
    changed = await services.store.resume_watch(
        watch_id, now=now, expires_at=expires_at, max_live=settings.max_watches
    )
    if isinstance(changed, WatchLimitReached):
        raise _make_watch_limit_problem(changed)
    watch = await _require_changed(services, watch_id, changed, "it cannot be resumed")
    services.wake.poll_at(now)
    return json_response(_to_body(watch, services))


async def stop_watch(call: ApiRequest) -> Response:
    """Stop a watch: it ends without a callback."""
    services, watch_id = call.services, _read_id(call)
    changed = await services.store.stop_watch(watch_id, now=services.clock.now())
    watch = await _require_changed(services, watch_id, changed, "it cannot be stopped")
    services.waiters.wake(watch_id)
    return json_response(_to_body(watch, services))


async def _parse_entries(texts: Sequence[bytes], services: Services) -> list[NewWatch | ProblemError]:
    """Parse entries, and let other tasks run in between."""
    settings, now = services.settings(), services.clock.now()
    entries: list[NewWatch | ProblemError] = []
    for text in texts:
        if len(entries) % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        entries.append(_parse_entry(text, settings, now))
    return entries


def _parse_entry(text: bytes, settings: ApiSettings, now: int) -> NewWatch | ProblemError:
    """Parse one entry. The limit of a single registration applies to it too."""
    if len(text) > MAX_BODY_BYTES:
        return make_size_problem(MAX_BODY_BYTES)
    try:
        return read_registration(text, settings, now)
    except ProblemError as problem:
        return problem


async def _add_watches(call: ApiRequest, new: Sequence[NewWatch]) -> list[Outcome]:
    """Store registrations with the trace of the request, then wake the poller and the deliverer."""
    if not new:
        return []
    services, settings = call.services, call.services.settings()
    trace = parse_traceparent(call.header(TRACEPARENT.encode()))
    if trace is not None:
        new = [replace(each, traceparent=trace) for each in new]
    give_up_at = services.clock.now() + settings.give_up_after_ms
    outcomes = await services.store.add_watches(new, give_up_at=give_up_at, max_live=settings.max_watches)
    watches = [outcome.watch for outcome in outcomes if isinstance(outcome, WatchAdded)]
    due = [watch.due_at for watch in watches if watch.due_at is not None]
    if due:
        services.wake.poll_at(min(due))
    if len(due) < len(watches):  # an ended watch with a new callback has a new delivery
        services.wake.deliver_now()
    return outcomes


def _make_limit_problem(outcome: WatchLimitReached | CallbackLimitReached, text: bytes) -> ProblemError:
    """Return the problem of a registration beyond a limit; ``text`` is its JSON."""
    if isinstance(outcome, WatchLimitReached):
        return _make_watch_limit_problem(outcome)
    detail = f"the watch would have {outcome.count} callbacks; the limit is {MAX_CALLBACKS}"
    return ProblemError(
        "too_many_callbacks", detail, errors=[FieldError(find_callbacks_pointer(text), detail)]
    )


def _make_watch_limit_problem(refused: WatchLimitReached) -> ProblemError:
    return ProblemError(
        "too_many_watches", f"{refused.live} watches are live; server.max_watches allows no more"
    )


def _to_result(outcome: Outcome | ProblemError, text: bytes, services: Services) -> BatchResult:
    match outcome:
        case WatchAdded(is_new=is_new):
            return BatchResult(status=201 if is_new else 200, watch=_added_to_body(outcome, services))
        case WatchLimitReached() | CallbackLimitReached():
            return _to_result(_make_limit_problem(outcome, text), text, services)
        case ProblemError():
            return BatchResult(status=outcome.status, problem=problem_to_body(outcome))


def _added_to_body(added: WatchAdded, services: Services) -> WatchBody:
    body = _to_body(added.watch, services)
    return structs.replace(body, payload_note=_OUTPUTS_ELSEWHERE) if added.is_cut else body


async def _wait_for_end(call: ApiRequest, watch_id: str, wait_ms: int) -> WatchDetail:
    """Return the watch once it may have ended, the time is over, or the client has disconnected.

    Register the waiter before reading: an end between a read and the registration would be missed.
    """
    waiting = asyncio.ensure_future(call.services.waiters.wait(watch_id, wait_ms / 1_000))
    leaving = asyncio.ensure_future(call.gone())
    try:
        await asyncio.sleep(0)  # registers the waiter
        detail = await _load_detail(call.services, watch_id)
        if detail.watch.state is not WatchState.WATCHING:
            return detail
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        leaving.cancel()
        await asyncio.gather(waiting, leaving, return_exceptions=True)
    return await _load_detail(call.services, watch_id)


async def _load_detail(services: Services, watch_id: str) -> WatchDetail:
    detail = await services.store.watch(watch_id)
    if detail is None:
        raise _make_unknown_problem()
    return detail


async def _require_changed(
    services: Services, watch_id: str, changed: Watch | ChangeRefused, advice: str
) -> Watch:
    match changed:
        case ChangeRefused.UNKNOWN_ID:
            raise _make_unknown_problem()
        case ChangeRefused.CONFLICT:
            state = (await _load_detail(services, watch_id)).watch.state
            raise ProblemError("conflict", f"{watch_id} {_STATE_TEXTS[state]}; {advice}")
        case ChangeRefused.TOO_MANY_ROUNDS:
            text = f"{watch_id} has had {MAX_ROUNDS} rounds, which is the limit; fetch the task yourself"
            raise ProblemError("conflict", text)
        case Watch():
            return changed


def _read_id(call: ApiRequest) -> str:
    watch_id = call.path["id"]
    if not is_id(watch_id, WATCH):
        raise _make_unknown_problem()
    return watch_id


def _make_unknown_problem() -> ProblemError:
    return ProblemError("not_found", "no watch has this id; old ended watches are deleted")


def _to_body(watch: Watch, services: Services) -> WatchBody:
    return watch_body(watch, services.find_condition(watch))
