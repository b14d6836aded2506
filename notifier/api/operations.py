"""What is said of each call: the words of the description that ``openapi.py`` writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from notifier.api import schemas
from notifier.api.examples import (
    ATTEMPT,
    DELIVERY,
    ENDPOINT,
    EVENTS,
    LEARNED,
    MOMENTS,
    NOON,
    PLOTS,
    REFUSED,
    REGISTRATION,
    STREAM,
    WATCH,
)
from notifier.api.outputs import MEDIA_TYPE as IMAGE
from notifier.api.plots import PlotsBody
from notifier.api.status import TEXT_FORMAT
from notifier.core.formats.traceparent import TRACEPARENT
from notifier.core.model import DeliveryState, WatchState
from notifier.server.sse import EVENT_STREAM, LAST_EVENT_ID
from notifier.web.render import HTML

JSON = "application/json"
_BODY = (
    "bad_json",
    "request_timeout",
    "payload_too_large",
    "unsupported_media_type",
    "busy",
)
_READ = ("store_unavailable",)
_WRITE = ("store_unavailable", "disk_full")


@dataclass(frozen=True, slots=True)
class TextResponse:
    """An answer whose shape is not ours: its media type, what is in it, and an example."""

    media_type: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What is said of one call. ``answers`` are shape and example by status; ``problems`` are codes.

    ``problems`` and ``headers`` stand beside those that every call has.
    """

    summary: str
    answers: Mapping[int, tuple[type[Struct] | None, Any]]
    problems: Sequence[str] = ()
    request: tuple[type[Struct], Any] | None = None
    is_request_optional: bool = False
    headers: Sequence[str] = ()


_PAGE_OF_WATCHES = {"watches": [dict(WATCH)], "next_cursor": None}
_PAGE_OF_DELIVERIES = {"deliveries": [dict(DELIVERY)], "next_cursor": None}

OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        ("POST", "/v1/watches"): Operation(
            "Have a task watched. A known task is the same watch again, and gains the callback if it is new.",
            {201: (schemas.WatchBody, WATCH), 200: (schemas.WatchBody, WATCH)},
            (*_BODY, *_WRITE, "too_many_callbacks", "too_many_watches"),
            request=(schemas.Registration, REGISTRATION),
            headers=(TRACEPARENT,),
        ),
        ("POST", "/v1/watches/batch"): Operation(
            "Have up to 1000 tasks watched. Each entry stands alone; results come in the entries' order.",
            {
                200: (
                    schemas.BatchAnswer,
                    {"results": [{"status": 201, "watch": WATCH}, {"status": 422, "problem": REFUSED}]},
                )
            },
            (*_BODY, *_WRITE),
            request=(schemas.Batch, {"watches": [REGISTRATION]}),
            headers=(TRACEPARENT,),
        ),
        ("GET", "/v1/watches"): Operation(
            "List watches, newest first.", {200: (schemas.WatchPage, _PAGE_OF_WATCHES)}, _READ
        ),
        ("GET", "/v1/watches/{id}"): Operation(
            "One watch with its payload and deliveries; wait holds the answer until it has ended.",
            {200: (schemas.WatchBody, {**WATCH, "deliveries": [DELIVERY]})},
            ("not_found", *_READ),
        ),
        ("GET", "/v1/watches/{id}/timeline"): Operation(
            "What happened to one watch, oldest first: polls (the last 50), decisions, deliveries, attempts.",
            {200: (schemas.TimelineBody, {"timeline": [dict(moment) for moment in MOMENTS]})},
            ("not_found", *_READ),
        ),
        ("GET", "/v1/watches/{id}/outputs/{number}"): Operation(
            "One result, counted from 0, through the daemon, if it is a picture of at most 8 MiB (PNG, JPEG, "
            "WebP, GIF, AVIF). Fetched without key or cookie, and only from where callbacks may go.",
            {200: (None, TextResponse(IMAGE, "The picture, as its own type", ""))},
            ("not_found", "no_picture", "busy", *_READ),
        ),
        ("DELETE", "/v1/watches/{id}"): Operation(
            "End a watch. After this answer no callback of it is created.",
            {200: (schemas.WatchBody, {**WATCH, "state": "stopped", "next_poll_at": None, "ended_at": NOON})},
            ("not_found", "conflict", *_WRITE),
        ),
        ("POST", "/v1/watches/{id}/poll"): Operation(
            "Poll now.", {202: (schemas.WatchBody, WATCH)}, ("not_found", "conflict", *_WRITE)
        ),
        ("POST", "/v1/watches/{id}/resume"): Operation(
            "Go on with an expired, lost or stopped watch.",
            {200: (schemas.WatchBody, WATCH)},
            ("not_found", "conflict", *_BODY, *_WRITE, "too_many_watches"),
            request=(schemas.Resume, {"expire_after": "2h"}),
            is_request_optional=True,
        ),
        ("GET", "/v1/deliveries"): Operation(
            "List deliveries, newest first.",
            {200: (schemas.DeliveryPage, _PAGE_OF_DELIVERIES)},
            _READ,
        ),
        ("GET", "/v1/deliveries/{id}"): Operation(
            "One delivery with its attempts.",
            {200: (schemas.DeliveryBody, {**DELIVERY, "attempts": [ATTEMPT]})},
            ("not_found", *_READ),
        ),
        ("GET", "/v1/deliveries/{id}/body"): Operation(
            "The bytes that every attempt of a delivery sends as its body, without a signature.",
            {
                200: (
                    None,
                    TextResponse(JSON, "The event", '{"id": "evt_…", "type": "task.completed", "…": "…"}'),
                )
            },
            ("not_found", *_READ),
        ),
        ("POST", "/v1/deliveries/{id}/redeliver"): Operation(
            "Send a delivery again: the same webhook-id and bytes.",
            {
                202: (
                    schemas.DeliveryBody,
                    {**DELIVERY, "state": "pending", "next_attempt_at": NOON, "ended_at": None},
                )
            },
            ("not_found", *_WRITE),
        ),
        ("POST", "/v1/deliveries/replay"): Operation(
            "Send again what matches: the same webhook-ids and bytes, at 10 a second.",
            {202: (schemas.Matched, {"matched": 42})},
            (*_BODY, *_WRITE, "too_many_replays"),
            request=(schemas.Replay, {"since": NOON, "state": "dead", "dry_run": True}),
        ),
        ("GET", "/v1/endpoints"): Operation(
            "List endpoints (callback URLs without their query) and how each stands, newest first.",
            {200: (schemas.EndpointPage, {"endpoints": [ENDPOINT], "next_cursor": None})},
            _READ,
        ),
        ("POST", "/v1/endpoints/{id}/pause"): Operation(
            "Send an endpoint nothing until it is resumed. What waits is kept.",
            {
                200: (
                    schemas.EndpointBody,
                    {
                        **ENDPOINT,
                        "state": "paused",
                        "gate": "paused by a user",
                        "since": None,
                        "next_probe_at": None,
                    },
                )
            },
            ("not_found", *_WRITE),
        ),
        ("POST", "/v1/endpoints/{id}/resume"): Operation(
            "Send an endpoint all that waits, whatever held it; it starts slowly.",
            {
                200: (
                    schemas.EndpointBody,
                    {
                        **ENDPOINT,
                        "state": "open",
                        "gate": "open, starting slowly",
                        "since": None,
                        "next_probe_at": None,
                    },
                )
            },
            ("not_found", *_WRITE),
        ),
        ("GET", "/v1/events"): Operation(
            "What changes, as server-sent events. Listen first and read the lists then: nothing is missed.",
            {200: (None, TextResponse(EVENT_STREAM, EVENTS, STREAM))},
            ("busy", "not_ready"),
            headers=(LAST_EVENT_ID,),
        ),
        ("GET", "/v1/status"): Operation(
            "Counts, the oldest waiting delivery, each provider's condition in words.",
            {
                200: (
                    schemas.StatusBody,
                    {
                        "version": "0.1.0",
                        "summary": "All is well: 1 task is being watched, no delivery waits.",
                        "trouble": None,
                        "watches": {**dict.fromkeys((state.value for state in WatchState), 0), "watching": 1},
                        "deliveries": dict.fromkeys((state.value for state in DeliveryState), 0),
                        "oldest_pending_at": None,
                        "expiring_results": 0,
                        "troubled_watches": 0,
                        "refused_deliveries": 0,
                        "providers": {"mulerouter": "ok"},
                        "learned": [LEARNED],
                    },
                )
            },
            _READ,
        ),
        ("GET", "/v1/plots"): Operation(
            "What the page plots: task durations, notice delay, polls a task and saved, callback latency.",
            {200: (PlotsBody, PLOTS)},
            _READ,
        ),
        ("POST", "/v1/reload"): Operation(
            "Read the configuration again. A bad one changes nothing.",
            {200: (schemas.Reloaded, {"status": "reloaded", "file": "/etc/notifier/config.toml"})},
            ("bad_configuration",),
        ),
        ("GET", "/healthz"): Operation("Alive. Needs no token.", {200: (schemas.Word, {"status": "ok"})}),
        ("GET", "/readyz"): Operation(
            "Able to store, and polling lately.", {200: (schemas.Word, {"status": "ready"})}, ("not_ready",)
        ),
        ("GET", "/metrics"): Operation(
            "What there is to measure, for Prometheus. The store is read every 5 s at most.",
            {
                200: (
                    None,
                    TextResponse(
                        TEXT_FORMAT, "Prometheus' text format", 'notifier_watches{state="lost"} 0.0\n'
                    ),
                )
            },
            _READ,
        ),
        ("GET", "/openapi.json"): Operation("This description.", {200: (None, None)}),
        ("GET", "/"): Operation(
            "The page for people; task leads to one by its id.",
            {
                200: (None, TextResponse(HTML, "The page", "<!doctype html>\n")),
                303: (
                    None,
                    TextResponse("text/plain", "To the page of the watch or delivery of this id", ""),
                ),
            },
            _READ,
        ),
        ("GET", "/watches/{id}"): Operation(
            "The page of one watch.",
            {200: (None, TextResponse(HTML, "The page", "<!doctype html>\n"))},
            ("not_found", *_READ),
        ),
        ("GET", "/deliveries/{id}"): Operation(
            "The page of one delivery.",
            {200: (None, TextResponse(HTML, "The page", "<!doctype html>\n"))},
            ("not_found", *_READ),
        ),
        ("GET", "/page/{name}"): Operation(
            "A file of the page.",
            {
                200: (
                    None,
                    TextResponse("text/javascript; charset=utf-8", "Script, style or icon", "export {};\n"),
                )
            },
            ("not_found",),
        ),
        ("POST", "/v1/login"): Operation(
            "Make a link that lets one browser in, once, within a minute. Where there are tokens, needs one.",
            {201: (schemas.LoginBody, {"path": "/login?code=5f0c…", "expires_at": NOON})},
        ),
        ("GET", "/login"): Operation(
            "Let in the browser that brings a code, and send it to the page. Needs no token.",
            {303: (None, TextResponse("text/plain", "To the page, with a cookie", ""))},
        ),
    }
)
