"""Handle requests about the daemon: status, reload, health, readiness, metrics."""

from msgspec import UNSET
from starlette.responses import Response

from notifier.api.representations import cause_body, json_response
from notifier.api.request import ApiRequest
from notifier.api.schemas import CauseBody, Reloaded, Word
from notifier.api.services import Services
from notifier.api.status_schemas import LearnedBody, PathBody, StatusBody
from notifier.api.status_sentence import describe_status
from notifier.core.causes.cause import DAEMON, Condition, ProviderSubject
from notifier.core.formats.times import format_instant
from notifier.core.model import DeliveryState, WatchState
from notifier.core.polling.path_health import PathCondition
from notifier.server.problems import FieldError, ProblemError
from notifier.store.values import PathDurations, WatchQuery

FINE = "ok"
MAX_LEARNED_PATHS = 100  # CONTRACT P5: bounded. No record of why 100
MAX_FAILING_PATHS = 100  # CONTRACT P5: bounded; as many as are listed with learned durations
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


async def show_status(call: ApiRequest) -> Response:
    """Return the status of the daemon."""
    return json_response(await load_status(call.services))


async def load_status(services: Services) -> StatusBody:
    """Load the status, for the API and for the page."""
    settings = services.settings()
    counts = await services.store.counts(now=services.clock.now())
    learned = await services.store.learned(limit=MAX_LEARNED_PATHS)
    oldest = counts.oldest_pending_at
    trouble = services.is_ready()
    trouble_text = None if trouble is None else trouble.text()
    watches = {state.value: counts.watches.get(state, 0) for state in WatchState}
    deliveries = {state.value: counts.deliveries.get(state, 0) for state in DeliveryState}
    names = [*settings.providers, *await _find_removed_providers(services)]
    conditions = {name: services.condition_of(name, None) for name in names}
    held_back = {name: each for name, each in conditions.items() if each is not None}
    paths = services.failing_paths()
    sentence = describe_status(
        trouble=trouble_text,
        watches=watches,
        deliveries=deliveries,
        expiring=counts.expiring,
        held=sum(counts.shut.values()),
        troubled=counts.lasting,
        refused=counts.refused,
        providers={name: each.text() for name, each in held_back.items()},
        paths=sum(path.is_blocked for path in paths),
    )
    return StatusBody(
        version=settings.version,
        summary=sentence.text,
        ok=sentence.is_ok,
        trouble=trouble_text,
        cause=cause_body(trouble, DAEMON),
        watches=watches,
        deliveries=deliveries,
        oldest_pending_at=None if oldest is None else format_instant(oldest),
        expiring_results=counts.expiring,
        troubled_watches=counts.troubled,
        refused_deliveries=counts.refused,
        providers={name: FINE if each is None else each.text() for name, each in conditions.items()},
        provider_causes={name: _cause(name, each) for name, each in held_back.items()},
        paths=[_path_to_body(path) for path in paths[:MAX_FAILING_PATHS]],
        more_paths=max(0, len(paths) - MAX_FAILING_PATHS),
        learned=[_durations_to_body(one) for one in learned],
    )


def _cause(provider: str, condition: Condition) -> CauseBody:
    cause = condition.cause
    return CauseBody(code=cause.code, fix=cause.fix(ProviderSubject(provider)))


def _path_to_body(path: PathCondition) -> PathBody:
    since, probe_at = path.condition.since, path.next_probe_at
    return PathBody(
        provider=path.provider,
        api_path=path.api_path,
        condition=path.condition.text(),
        cause=_cause(path.provider, path.condition),
        since=None if since is None else format_instant(since),
        next_probe_at=None if probe_at is None else format_instant(probe_at),
        blocked=path.is_blocked,
    )


async def _find_removed_providers(services: Services) -> list[str]:
    """Return providers that are not configured, and that live watches name."""
    store, configured = services.store, services.settings().providers
    unknown = [name for name in await store.providers() if name not in configured]
    return [name for name in unknown if await store.watches(WatchQuery(WatchState.WATCHING, name, limit=1))]


def _durations_to_body(one: PathDurations) -> LearnedBody:
    durations = one.durations
    return LearnedBody(
        provider=one.provider,
        api_path=one.api_path,
        finishes=durations.finished_count,
        p5_s=durations.p5_ms / 1_000,
        p50_s=durations.p50_ms / 1_000,
        p90_s=durations.p90_ms / 1_000,
    )


async def reload(call: ApiRequest) -> Response:
    """Read the configuration again. A bad one changes nothing."""
    errors = await call.services.reload()
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        detail = f"{errors[0]}{more}; the old configuration stays"
        raise ProblemError("bad_configuration", detail, errors=[FieldError("", error) for error in errors])
    settings = call.services.settings()
    body = Reloaded(
        status="reloaded",
        file=UNSET if settings.source is None else settings.source,
        needs_restart=list(settings.needs_restart) or UNSET,
    )
    return json_response(body)


async def show_metrics(call: ApiRequest) -> Response:
    """Return all metrics, for Prometheus."""
    return Response(await call.services.metrics(), media_type=TEXT_FORMAT)


async def show_health(_: ApiRequest) -> Response:
    """Report that the process is alive."""
    return json_response(Word(status=FINE))


async def show_readiness(call: ApiRequest) -> Response:
    """Report whether the daemon can store, and has polled lately."""
    reason = call.services.is_ready()
    if reason is not None:
        raise ProblemError("not_ready", reason.text())
    return json_response(Word(status="ready"))
