"""This API in OpenAPI 3.1: the words stand in ``operations.py``, the schemas come from ``shapes.py``."""

import functools
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from notifier.api.operations import JSON, OPERATIONS, Operation, TextResponse
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
        "url": {"description": "only those for this callback URL", "schema": {"type": "string"}},
        "limit": {
            "description": "how many at most",
            "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
        },
        "cursor": {"description": "the next_cursor of the page before", "schema": {"type": "string"}},
        "watches": {"description": "the watches in this state, or all", "schema": {"type": "string"}},
        "deliveries": {"description": "the deliveries in this state, or all", "schema": {"type": "string"}},
        "task": {"description": "a task id, or the id of a watch or delivery", "schema": {"type": "string"}},
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
            **_problems((*_OF_ALL, *operation.problems)),
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
    if isinstance(example, TextResponse):
        content = {"schema": {"type": "string"}, "example": example.example}
        if example.media_type == JSON:
            content = {"schema": {"type": "object"}, "example": msgspec.json.decode(example.example)}
        return {"description": example.description, "content": {example.media_type: content}}
    if shape is None:
        return {"description": "OpenAPI 3.1", "content": {JSON: {"schema": {"type": "object"}}}}
    described = shape.__doc__ or ""
    return {"description": described, "content": {JSON: {"schema": _ref(shape), "example": _plain(example)}}}


def _problems(codes: Sequence[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(f"{code}: {KINDS[code].title}")
    content = {MEDIA_TYPE: {"schema": _ref(ProblemBody)}}
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
    kinds = sorted({*shown, *asked, ProblemBody} - {None}, key=str)
    schemas = msgspec.json.schema_components(kinds, schema_hook=_schema_of, ref_template=_REF)[1]
    text = msgspec.json.encode(schemas)
    for name, public in PUBLIC_NAMES.items():
        for before, after in ((f'"{name}"', f'"{public}"'), (f'schemas/{name}"', f'schemas/{public}"')):
            text = text.replace(before.encode(), after.encode())
    return cast("dict[str, Any]", msgspec.json.decode(text))


def _schema_of(kind: type) -> dict[str, Any]:
    if kind is Raw:
        return {"description": "any JSON, unchanged"}
    raise NotImplementedError(kind)
