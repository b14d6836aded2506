"""Describe the routes in OpenAPI 3.1. Texts come from the routes, schemas from ``schemas.py``."""

import functools
import inspect
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct
from starlette.responses import Response

from notifier.api.request import JSON, ApiRequest, JsonExample, Route, TextResponse
from notifier.core.formats.traceparent import TRACEPARENT
from notifier.server.problems import KINDS, MEDIA_TYPE, ProblemBody
from notifier.server.sse import LAST_EVENT_ID

PUBLIC_NAMES: Mapping[str, str] = MappingProxyType({"TimelineKind": "Kind", "FieldError": "FaultBody"})
"""Component names that differ from the class: they are public and stay when a class is renamed."""

_REF = "#/components/schemas/{name}"
_OF_ALL = ("unauthorized", "forbidden_origin", "wrong_host", "validation_failed", "internal")
PARAMETERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "state": {"description": "only those in this state", "schema": {"type": "string"}},
        "provider": {"description": "only those of this provider", "schema": {"type": "string"}},
        "task_id": {"description": "only those of this task", "schema": {"type": "string"}},
        "watch_id": {"description": "only those of this watch", "schema": {"type": "string"}},
        "url": {"description": "only those to this callback URL", "schema": {"type": "string"}},
        "limit": {
            "description": "the maximum number of rows",
            "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
        },
        "cursor": {"description": "next_cursor of the previous page", "schema": {"type": "string"}},
        "watches": {"description": "show watches in this state, or all", "schema": {"type": "string"}},
        "deliveries": {"description": "show deliveries in this state, or all", "schema": {"type": "string"}},
        "task": {"description": "a task id, or the id of a watch or delivery", "schema": {"type": "string"}},
        "code": {"description": "the code that POST /v1/login returned", "schema": {"type": "string"}},
        "wait": {
            "description": 'hold the response until the watch has ended, at most "60s"',
            "schema": {"type": "string"},
        },
    }
)

HEADERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        LAST_EVENT_ID: {
            "description": "id of the last event received; the stream continues after it or starts anew",
            "schema": {"type": "string"},
        },
        TRACEPARENT: {
            "description": "W3C Trace Context: polls and callbacks of these tasks belong to this trace",
            "schema": {"type": "string"},
        },
    }
)


async def show_description(call: ApiRequest) -> Response:
    """Return the OpenAPI description of all routes of the application."""
    return Response(describe(call.services.settings().version, call.routes), media_type=JSON)


@functools.cache
def describe(version: str, routes: tuple[Route, ...]) -> bytes:
    """Describe the routes in OpenAPI 3.1, encoded as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe_operation(route)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "notifier", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _collect_schemas(routes),
        },
    }
    return msgspec.json.encode(document)


def _describe_operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": _describe_parameters(route),
        "responses": {
            **{str(status): _describe_response(response) for status, response in route.responses.items()},
            **_describe_problems((*_OF_ALL, *route.problems)),
        },
    }
    if route.request is not None:
        operation["requestBody"] = {
            "required": not route.is_request_optional,
            "content": {JSON: _describe_content(route.request)},
        }
    return operation


def _describe_parameters(route: Route) -> list[dict[str, Any]]:
    in_path: list[str] = re.findall(r"{(\w+)}", route.path)
    return [
        *({"name": name, "in": "query", **PARAMETERS[name]} for name in route.query),
        *({"name": name, "in": "header", **HEADERS[name]} for name in route.headers),
        *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path),
    ]


def _describe_response(response: JsonExample | TextResponse) -> dict[str, Any]:
    if isinstance(response, JsonExample):
        return {
            "description": inspect.getdoc(response.schema) or "",
            "content": {JSON: _describe_content(response)},
        }
    content: dict[str, Any] = {"schema": {"type": "string"}, "example": response.example}
    if response.media_type == JSON:
        content = {"schema": {"type": "object"}}
        if response.example is not None:
            content["example"] = msgspec.json.decode(response.example)
    return {"description": response.description, "content": {response.media_type: content}}


def _describe_content(body: JsonExample) -> dict[str, Any]:
    example = msgspec.json.decode(msgspec.json.encode(body.example, enc_hook=dict))
    return {"schema": _make_reference(body.schema), "example": example}


def _describe_problems(codes: Sequence[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(f"{code}: {KINDS[code].title}")
    content = {MEDIA_TYPE: {"schema": _make_reference(ProblemBody)}}
    return {
        str(status): {"description": "; ".join(titles), "content": content}
        for status, titles in sorted(by_status.items())
    }


def _make_reference(schema: type[Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=schema.__name__)}


def _collect_schemas(routes: Sequence[Route]) -> dict[str, Any]:
    bodies = [body for route in routes for body in (route.request, *route.responses.values())]
    used = {body.schema for body in bodies if isinstance(body, JsonExample)} | {ProblemBody}
    schemas = msgspec.json.schema_components(
        sorted(used, key=lambda each: each.__name__), schema_hook=_make_schema, ref_template=_REF
    )[1]
    text = msgspec.json.encode(schemas)
    for name, public in PUBLIC_NAMES.items():
        for before, after in ((f'"{name}"', f'"{public}"'), (f'schemas/{name}"', f'schemas/{public}"')):
            text = text.replace(before.encode(), after.encode())
    return cast("dict[str, Any]", msgspec.json.decode(text))


def _make_schema(kind: type) -> dict[str, Any]:
    if kind is Raw:
        return {"description": "any JSON, unchanged"}
    raise NotImplementedError(kind)
