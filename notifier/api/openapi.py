"""This API in OpenAPI 3.1: the words stand here, the schemas come from ``shapes.py``."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct

from notifier.api import shapes
from notifier.api.events import EVENT_STREAM, LAST_EVENT_ID
from notifier.api.examples import (
    ATTEMPT,
    DELIVERY,
    ENDPOINT,
    EVENTS,
    LEARNED,
    MOMENTS,
    NOON,
    REFUSED,
    REGISTRATION,
    STREAM,
    WATCH,
)
from notifier.api.pages import HTML
from notifier.api.problems import KINDS, MEDIA_TYPE
from notifier.api.system import TEXT_FORMAT
from notifier.core.model import DeliveryState, WatchState
from notifier.core.trace import TRACEPARENT

JSON = "application/json"
_REF = "#/components/schemas/{name}"
_GUARD = ("unauthorized", "forbidden_origin", "wrong_host")
_BODY = (
    "bad_json",
    "request_timeout",
    "payload_too_large",
    "unsupported_media_type",
    "validation_failed",
    "busy",
)
_WRITE = ("store_unavailable", "disk_full")


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is not JSON of ours: its media type, what is in it, and an example."""

    media_type: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What is said of one call. ``answers`` are shape and example by status; ``problems`` are codes.

    ``headers`` names those that it looks at beside the ones that every call has.
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
            {201: (shapes.WatchBody, WATCH), 200: (shapes.WatchBody, WATCH)},
            (*_BODY, *_WRITE, "too_many_callbacks", "too_many_watches"),
            request=(shapes.Registration, REGISTRATION),
            headers=(TRACEPARENT,),
        ),
        ("POST", "/v1/watches/batch"): Operation(
            "Have up to 1000 tasks watched. Each entry stands alone; results come in the entries' order.",
            {
                200: (
                    shapes.BatchAnswer,
                    {"results": [{"status": 201, "watch": WATCH}, {"status": 422, "problem": REFUSED}]},
                )
            },
            (*_BODY, *_WRITE),
            request=(shapes.Batch, {"watches": [REGISTRATION]}),
            headers=(TRACEPARENT,),
        ),
        ("GET", "/v1/watches"): Operation(
            "List watches, newest first.", {200: (shapes.WatchPage, _PAGE_OF_WATCHES)}, ("validation_failed",)
        ),
        ("GET", "/v1/watches/{id}"): Operation(
            "One watch with its payload and deliveries; wait holds the answer until it has ended.",
            {200: (shapes.WatchBody, {**WATCH, "deliveries": [DELIVERY]})},
            ("not_found", "validation_failed"),
        ),
        ("GET", "/v1/watches/{id}/timeline"): Operation(
            "What happened to one watch, oldest first: polls (the last 50), decisions, deliveries, attempts.",
            {200: (shapes.TimelineBody, {"timeline": [dict(moment) for moment in MOMENTS]})},
            ("not_found",),
        ),
        ("DELETE", "/v1/watches/{id}"): Operation(
            "End a watch. After this answer no callback of it is created.",
            {200: (shapes.WatchBody, {**WATCH, "state": "stopped", "next_poll_at": None, "ended_at": NOON})},
            ("not_found", "conflict", *_WRITE),
        ),
        ("POST", "/v1/watches/{id}/poll"): Operation(
            "Poll now.", {202: (shapes.WatchBody, WATCH)}, ("not_found", "conflict", *_WRITE)
        ),
        ("POST", "/v1/watches/{id}/resume"): Operation(
            "Go on with an expired, lost or stopped watch.",
            {200: (shapes.WatchBody, WATCH)},
            ("not_found", "conflict", *_BODY, *_WRITE),
            request=(shapes.Resume, {"expire_after": "2h"}),
            is_request_optional=True,
        ),
        ("GET", "/v1/deliveries"): Operation(
            "List deliveries, newest first.",
            {200: (shapes.DeliveryPage, _PAGE_OF_DELIVERIES)},
            ("validation_failed",),
        ),
        ("GET", "/v1/deliveries/{id}"): Operation(
            "One delivery with its attempts.",
            {200: (shapes.DeliveryBody, {**DELIVERY, "attempts": [ATTEMPT]})},
            ("not_found",),
        ),
        ("POST", "/v1/deliveries/{id}/redeliver"): Operation(
            "Send a delivery again: the same webhook-id and bytes.",
            {
                202: (
                    shapes.DeliveryBody,
                    {**DELIVERY, "state": "pending", "next_attempt_at": NOON, "ended_at": None},
                )
            },
            ("not_found", *_WRITE),
        ),
        ("POST", "/v1/deliveries/replay"): Operation(
            "Send again what matches: the same webhook-ids and bytes, at 10 a second.",
            {202: (shapes.Matched, {"matched": 42})},
            (*_BODY, *_WRITE, "too_many_replays"),
            request=(shapes.Replay, {"since": NOON, "state": "dead", "dry_run": True}),
        ),
        ("GET", "/v1/endpoints"): Operation(
            "List endpoints (callback URLs without their query) and how each stands, newest first.",
            {200: (shapes.EndpointPage, {"endpoints": [ENDPOINT], "next_cursor": None})},
            ("validation_failed",),
        ),
        ("POST", "/v1/endpoints/{id}/pause"): Operation(
            "Send an endpoint nothing until it is resumed. What waits is kept.",
            {
                200: (
                    shapes.EndpointBody,
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
                    shapes.EndpointBody,
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
            {200: (None, Text(EVENT_STREAM, EVENTS, STREAM))},
            ("busy", "not_ready"),
            headers=(LAST_EVENT_ID,),
        ),
        ("GET", "/v1/status"): Operation(
            "Counts, the oldest waiting delivery, each provider's condition in words.",
            {
                200: (
                    shapes.StatusBody,
                    {
                        "version": "0.1.0",
                        "summary": "All is well: 1 task is being watched, no delivery waits.",
                        "trouble": None,
                        "watches": {**dict.fromkeys((state.value for state in WatchState), 0), "watching": 1},
                        "deliveries": dict.fromkeys((state.value for state in DeliveryState), 0),
                        "oldest_pending_at": None,
                        "expiring_results": 0,
                        "providers": {"mulerouter": "ok"},
                        "learned": [LEARNED],
                    },
                )
            },
        ),
        ("POST", "/v1/reload"): Operation(
            "Read the configuration again. A bad one changes nothing.",
            {200: (shapes.Word, {"status": "reloaded"})},
            ("bad_configuration",),
        ),
        ("GET", "/healthz"): Operation("Alive. Needs no token.", {200: (shapes.Word, {"status": "ok"})}),
        ("GET", "/readyz"): Operation(
            "Able to store, and polling lately.", {200: (shapes.Word, {"status": "ready"})}, ("not_ready",)
        ),
        ("GET", "/metrics"): Operation(
            "What there is to measure, for Prometheus. The store is read every 5 s at most.",
            {
                200: (
                    None,
                    Text(TEXT_FORMAT, "Prometheus' text format", 'notifier_watches{state="lost"} 0.0\n'),
                )
            },
            ("store_unavailable",),
        ),
        ("GET", "/openapi.json"): Operation("This description.", {200: (None, None)}),
        ("GET", "/"): Operation(
            "The page for people.", {200: (None, Text(HTML, "The page", "<!doctype html>\n"))}
        ),
        ("GET", "/page/{name}"): Operation(
            "A file of the page.",
            {200: (None, Text("text/javascript; charset=utf-8", "Script, style or icon", "export {};\n"))},
            ("not_found",),
        ),
        ("POST", "/v1/login"): Operation(
            "Make a link that lets one browser in, once, within a minute. Where there are tokens, needs one.",
            {201: (shapes.LoginBody, {"path": "/login?code=5f0c…", "expires_at": NOON})},
        ),
        ("GET", "/login"): Operation(
            "Let in the browser that brings a code, and send it to the page. Needs no token.",
            {303: (None, Text("text/plain", "To the page, with a cookie", ""))},
            ("validation_failed",),
        ),
    }
)

PARAMETERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "state": {"description": "only those in this state", "schema": {"type": "string"}},
        "provider": {"description": "only those of this provider", "schema": {"type": "string"}},
        "task_id": {"description": "only those of this task", "schema": {"type": "string"}},
        "watch_id": {"description": "only those of this watch", "schema": {"type": "string"}},
        "url": {"description": "only those for this callback URL", "schema": {"type": "string"}},
        "limit": {
            "description": "how many at most",
            "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
        },
        "cursor": {"description": "the next_cursor of the page before", "schema": {"type": "string"}},
        "code": {"description": "what POST /v1/login gave out", "schema": {"type": "string"}},
        "wait": {
            "description": 'hold the answer until it has ended, at most "60s"',
            "schema": {"type": "string"},
        },
    }
)

HEADERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        LAST_EVENT_ID: {
            "description": "the id of the last event that was seen: go on after it, or begin with a reset",
            "schema": {"type": "string"},
        },
        TRACEPARENT: {
            "description": "W3C Trace Context: polls and callbacks of what is registered go on in this trace",
            "schema": {"type": "string"},
        },
    }
)


@functools.cache
def document(version: str, calls: tuple[tuple[str, str, tuple[str, ...]], ...]) -> bytes:
    """The whole description, encoded. ``calls`` are method, path and names of the query parameters."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, names in calls:
        paths.setdefault(path, {})[method.lower()] = _operation(OPERATIONS[method, path], path, names)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "notifier", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }
    return msgspec.json.encode(whole)


def _operation(operation: Operation, path: str, names: Sequence[str]) -> dict[str, Any]:
    parameters = [{"name": name, "in": "query", **PARAMETERS[name]} for name in names]
    parameters += [{"name": name, "in": "header", **HEADERS[name]} for name in operation.headers]
    in_path: list[str] = re.findall(r"{(\w+)}", path)
    parameters += [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path
    ]
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            **{str(status): _answer(*answer) for status, answer in operation.answers.items()},
            **_problems((*_GUARD, *operation.problems, "internal")),
        },
    }
    if operation.request is not None:
        shape, example = operation.request
        described["requestBody"] = {
            "required": not operation.is_request_optional,
            "content": {JSON: {"schema": _ref(shape), "example": _plain(example)}},
        }
    return described


def _answer(shape: type[Struct] | None, example: Any) -> dict[str, Any]:
    if isinstance(example, Text):
        content = {"schema": {"type": "string"}, "example": example.example}
        return {"description": example.description, "content": {example.media_type: content}}
    if shape is None:
        return {"description": "OpenAPI 3.1", "content": {JSON: {"schema": {"type": "object"}}}}
    described = shape.__doc__ or ""
    return {"description": described, "content": {JSON: {"schema": _ref(shape), "example": _plain(example)}}}


def _problems(codes: Sequence[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(f"{code}: {KINDS[code].title}")
    content = {MEDIA_TYPE: {"schema": _ref(shapes.ProblemBody)}}
    return {
        str(status): {"description": "; ".join(said), "content": content}
        for status, said in sorted(by_status.items())
    }


def _ref(shape: type[Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}


def _plain(example: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(example, enc_hook=dict))


def _schemas() -> dict[str, Any]:
    shown = {answer[0] for each in OPERATIONS.values() for answer in each.answers.values()}
    asked = {each.request[0] for each in OPERATIONS.values() if each.request is not None}
    kinds = sorted({*shown, *asked, shapes.ProblemBody} - {None}, key=str)
    return msgspec.json.schema_components(kinds, schema_hook=_schema_of, ref_template=_REF)[1]


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is Raw:
        return {"description": "any JSON, unchanged"}
    raise NotImplementedError(kind)
