"""All operations of the JSON API: how each is dispatched, and its description in ``openapi.json``."""

from collections.abc import Sequence

from notifier.api import (
    bulk_schemas,
    deliveries,
    endpoints,
    events,
    examples,
    openapi,
    outputs,
    payloads,
    plots,
    replays,
    request_schemas,
    schemas,
    status,
    watch_changes,
    watches,
)
from notifier.api.request import JSON, JsonExample, Route, TextResponse
from notifier.api.status_schemas import StatusBody
from notifier.core.formats.traceparent import TRACEPARENT
from notifier.server.bodies import MAX_BATCH_BODY_BYTES
from notifier.server.sse import EVENT_STREAM, LAST_EVENT_ID

PAGE = ("limit", "cursor")

_BODY = ("bad_json", "request_timeout", "payload_too_large", "unsupported_media_type", "busy")
_READ = ("store_unavailable",)
_WRITE = ("store_unavailable", "disk_full")
_WATCH = JsonExample(schemas.WatchBody, examples.WATCH)

WATCH_ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/v1/watches",
        watches.register,
        "Register a task. A known task keeps its watch, and a callback with a new URL is added to it.",
        {201: _WATCH, 200: _WATCH},
        (*_BODY, *_WRITE, "too_many_callbacks", "too_many_watches"),
        request=JsonExample(request_schemas.Registration, examples.REGISTRATION),
        headers=(TRACEPARENT,),
    ),
    Route(
        "POST",
        "/v1/watches/batch",
        watches.register_batch,
        "Register up to 1000 tasks. Each entry succeeds or fails alone. Results are in their order.",
        {200: JsonExample(schemas.BatchAnswer, examples.BATCH_RESULTS)},
        (*_BODY, *_WRITE),
        request=JsonExample(request_schemas.Batch, {"watches": [examples.REGISTRATION]}),
        headers=(TRACEPARENT,),
        body_limit=MAX_BATCH_BODY_BYTES,
    ),
    Route(
        "GET",
        "/v1/watches",
        watches.list_watches,
        "List watches, newest first.",
        {200: JsonExample(schemas.WatchPage, examples.WATCHES)},
        _READ,
        query=("state", "provider", "task_id", *PAGE),
    ),
    Route(  # before {id}, which matches any word
        "POST",
        "/v1/watches/stop",
        watch_changes.stop_watches,
        "Stop all live watches that match, without callbacks, at 100 per second.",
        {202: JsonExample(bulk_schemas.WatchesMatched, {"matched": 42})},
        (*_BODY, *_WRITE, "too_many_changes"),
        request=JsonExample(bulk_schemas.StopMany, examples.STOP_MANY),
    ),
    Route(  # before {id}, which matches any word
        "POST",
        "/v1/watches/resume",
        watch_changes.resume_watches,
        "Resume all expired, lost or stopped watches that match, at 100 per second.",
        {202: JsonExample(bulk_schemas.WatchesMatched, {"matched": 42})},
        (*_BODY, *_WRITE, "too_many_changes", "too_many_watches"),
        request=JsonExample(bulk_schemas.ResumeMany, examples.RESUME_MANY),
    ),
    Route(
        "GET",
        "/v1/watches/{id}",
        watches.show_watch,
        "Return one watch with its payload and deliveries. wait holds the response until it has ended.",
        {200: JsonExample(schemas.WatchBody, examples.WATCH_WITH_DELIVERY)},
        ("not_found", *_READ),
        query=("wait",),
    ),
    Route(
        "GET",
        "/v1/watches/{id}/timeline",
        watches.show_timeline,
        "Return what happened to a watch, oldest first: the last 50 polls, decisions, deliveries, attempts.",
        {200: JsonExample(schemas.TimelineBody, {"timeline": examples.MOMENTS})},
        ("not_found", *_READ),
    ),
    Route(
        "GET",
        "/v1/watches/{id}/payload",
        payloads.show_payload,
        "Return the provider's last reply, also where it is too large for callbacks (callbacks.max_payload). "
        "A watch has none before its end, and none if it expired, was lost or was stopped.",
        {200: TextResponse(JSON, "The reply", '{"task_info": {"…": "…"}, "images": ["…"]}')},
        ("not_found", "busy", *_READ),
    ),
    Route(
        "GET",
        "/v1/watches/{id}/outputs/{number}",
        outputs.show_output,
        "Return one output, counted from 0, if it is an image of at most 8 MiB (PNG, JPEG, WebP, GIF, AVIF). "
        "The daemon fetches it without key or cookie, and only from addresses that callbacks may go to.",
        {200: TextResponse(outputs.MEDIA_TYPE, "The image, with its own media type", "")},
        ("not_found", "no_picture", "busy", *_READ),
    ),
    Route(
        "DELETE",
        "/v1/watches/{id}",
        watches.stop_watch,
        "Stop a watch. After this response no callback of it is created.",
        {200: JsonExample(schemas.WatchBody, examples.STOPPED_WATCH)},
        ("not_found", "conflict", *_WRITE),
    ),
    Route(
        "POST",
        "/v1/watches/{id}/poll",
        watches.poll_watch,
        "Poll a watch now.",
        {202: _WATCH},
        ("not_found", "conflict", *_WRITE),
    ),
    Route(
        "POST",
        "/v1/watches/{id}/resume",
        watches.resume_watch,
        "Resume an expired, lost or stopped watch.",
        {200: _WATCH},
        ("not_found", "conflict", *_BODY, *_WRITE, "too_many_watches"),
        request=JsonExample(request_schemas.Resume, {"expire_after": "2h"}),
        is_request_optional=True,
    ),
)

DELIVERY_ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/v1/deliveries",
        deliveries.list_deliveries,
        "List deliveries, newest first.",
        {200: JsonExample(schemas.DeliveryPage, examples.DELIVERIES)},
        _READ,
        query=("state", "watch_id", "url", *PAGE),
    ),
    Route(  # before {id}, which matches any word
        "POST",
        "/v1/deliveries/replay",
        replays.replay,
        "Send matching deliveries again, with the same webhook-ids and bytes, at 10 per second.",
        {202: JsonExample(bulk_schemas.Matched, {"matched": 42})},
        (*_BODY, *_WRITE, "too_many_replays"),
        request=JsonExample(bulk_schemas.Replay, examples.REPLAY),
    ),
    Route(
        "GET",
        "/v1/deliveries/{id}",
        deliveries.show_delivery,
        "Return one delivery with its attempts.",
        {200: JsonExample(schemas.DeliveryBody, examples.DELIVERY_WITH_ATTEMPT)},
        ("not_found", *_READ),
    ),
    Route(
        "GET",
        "/v1/deliveries/{id}/body",
        deliveries.show_delivery_bytes,
        "Return the bytes that each attempt of a delivery sends as its body, without a signature.",
        {200: TextResponse(JSON, "The event", '{"id": "evt_…", "type": "task.completed", "…": "…"}')},
        ("not_found", *_READ),
    ),
    Route(
        "POST",
        "/v1/deliveries/{id}/redeliver",
        deliveries.redeliver,
        "Send a delivery again, with the same webhook-id and bytes.",
        {202: JsonExample(schemas.DeliveryBody, examples.PENDING_DELIVERY)},
        ("not_found", *_WRITE),
    ),
    Route(
        "POST",
        "/v1/deliveries/{id}/give-up",
        deliveries.give_up_delivery,
        "Give up a pending delivery: it becomes dead, with the reason `given up by a user`.",
        {200: JsonExample(schemas.DeliveryBody, examples.DEAD_DELIVERY)},
        ("not_found", "conflict", *_WRITE),
    ),
    Route(
        "GET",
        "/v1/endpoints",
        endpoints.list_endpoints,
        "List endpoints (callback URLs without their query) with their gates, newest first.",
        {200: JsonExample(schemas.EndpointPage, examples.ENDPOINTS)},
        _READ,
        query=PAGE,
    ),
    Route(
        "POST",
        "/v1/endpoints/{id}/pause",
        endpoints.pause_endpoint,
        "Pause an endpoint: nothing is sent to it until it is resumed. Its deliveries are kept.",
        {200: JsonExample(schemas.EndpointBody, examples.PAUSED_ENDPOINT)},
        ("not_found", *_WRITE),
    ),
    Route(
        "POST",
        "/v1/endpoints/{id}/resume",
        endpoints.resume_endpoint,
        "Resume an endpoint: all its waiting deliveries are sent, slowly at first.",
        {200: JsonExample(schemas.EndpointBody, examples.RESUMED_ENDPOINT)},
        ("not_found", *_WRITE),
    ),
    Route(
        "POST",
        "/v1/endpoints/{id}/give-up",
        endpoints.give_up_endpoint,
        "Give up all deliveries that wait for an endpoint now. Later ones are sent as usual.",
        {202: JsonExample(bulk_schemas.Matched, {"matched": 42})},
        ("not_found", *_WRITE),
    ),
)

DAEMON_ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/v1/events",
        events.stream_events,
        "Stream changes as server-sent events. Subscribe first, then read the lists: no change is missed.",
        {200: TextResponse(EVENT_STREAM, examples.EVENTS, examples.STREAM)},
        ("busy", "not_ready"),
        headers=(LAST_EVENT_ID,),
    ),
    Route(
        "GET",
        "/v1/status",
        status.show_status,
        "Return counts, the oldest pending delivery, and the condition of each provider in words.",
        {200: JsonExample(StatusBody, examples.STATUS)},
        _READ,
    ),
    Route(
        "GET",
        "/v1/plots",
        plots.show_plots,
        "Return the data of the plots: task durations, notice delay, polls per task, callback latency.",
        {200: JsonExample(plots.PlotsBody, examples.PLOTS)},
        _READ,
    ),
    Route(
        "POST",
        "/v1/reload",
        status.reload,
        "Read the configuration again. A configuration with errors changes nothing.",
        {200: JsonExample(schemas.Reloaded, {"status": "reloaded", "file": "/etc/notifier/config.toml"})},
        ("bad_configuration",),
    ),
    Route(
        "GET",
        "/healthz",
        status.show_health,
        "Report that the process is alive. Needs no token.",
        {200: JsonExample(schemas.Word, {"status": "ok"})},
    ),
    Route(
        "GET",
        "/readyz",
        status.show_readiness,
        "Report whether the daemon can store and has polled recently.",
        {200: JsonExample(schemas.Word, {"status": "ready"})},
        ("not_ready",),
    ),
    Route(
        "GET",
        "/metrics",
        status.show_metrics,
        "Return metrics for Prometheus. The store is read at most once in 5 s.",
        {200: TextResponse(status.TEXT_FORMAT, "Metrics in Prometheus' text format", examples.METRICS)},
        _READ,
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi.show_description,
        "Return this description.",
        {200: TextResponse(JSON, "OpenAPI 3.1", None)},
    ),
)

API_ROUTES: Sequence[Route] = (*WATCH_ROUTES, *DELIVERY_ROUTES, *DAEMON_ROUTES)
