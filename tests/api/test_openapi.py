"""The description is whole and true."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from notifier.api import shapes
from notifier.api.fields import Faults
from notifier.api.openapi import HEADERS, PARAMETERS
from notifier.api.operations import OPERATIONS
from notifier.api.parse import FIELDS, MAX_BATCH, read_batch, read_registration, read_resume
from notifier.api.query import DEFAULT_LIMIT, MAX_LIMIT
from notifier.api.receivers import FIELDS as CALLBACK_FIELDS
from notifier.api.replays import FIELDS as REPLAY_FIELDS
from notifier.api.replays import read_replay
from notifier.api.routes import ROUTES
from notifier.core.model import MAX_CALLBACKS
from tests.api.conftest import SETTINGS, Bench
from tests.fakes import NOON


async def document(bench: Bench) -> dict[str, Any]:
    answer = await bench.http.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    described: dict[str, Any] = answer.json()
    return described


async def test_every_route_is_described_and_nothing_else(bench: Bench) -> None:
    paths = (await document(bench))["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES} == set(OPERATIONS)


async def test_every_parameter_is_described(bench: Bench) -> None:
    paths = (await document(bench))["paths"]
    for route in ROUTES:
        parameters = paths[route.path][route.method.lower()]["parameters"]
        in_query = [each["name"] for each in parameters if each["in"] == "query"]
        in_path = [each["name"] for each in parameters if each["in"] == "path"]
        assert in_query == list(route.query)
        in_header = [each["name"] for each in parameters if each["in"] == "header"]
        assert in_header == list(OPERATIONS[route.method, route.path].headers)
        assert in_path == re.findall(r"{(\w+)}", route.path)
        assert ("requestBody" in paths[route.path][route.method.lower()]) == route.takes_body
    assert {name for route in ROUTES for name in route.query} == set(PARAMETERS)
    assert {name for each in OPERATIONS.values() for name in each.headers} == set(HEADERS)


async def test_every_reference_leads_somewhere(bench: Bench) -> None:
    described = await document(bench)
    targets = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(_references(described)) == targets


@pytest.mark.parametrize("call", OPERATIONS)
async def test_every_example_of_an_answer_has_its_shape(bench: Bench, call: tuple[str, str]) -> None:
    responses = (await document(bench))["paths"][call[1]][call[0].lower()]["responses"]
    for status, (shape, _) in OPERATIONS[call].answers.items():
        if shape is None:
            continue
        example = responses[str(status)]["content"]["application/json"]["example"]
        strict = msgspec.json.decode(json.dumps(example), type=shape)
        assert msgspec.json.decode(msgspec.json.encode(strict)) == example


async def test_every_example_of_a_request_is_taken(bench: Bench) -> None:
    paths = (await document(bench))["paths"]
    read = {
        "/v1/watches": lambda body: read_registration(body, SETTINGS, NOON),
        "/v1/watches/batch": lambda body: [
            read_registration(each, SETTINGS, NOON) for each in read_batch(body)
        ],
        "/v1/watches/{id}/resume": read_resume,
        "/v1/deliveries/replay": read_replay,
    }
    for path, reader in read.items():
        assert reader(json.dumps(_request_example(paths[path])).encode())
    assert {route.path for route in ROUTES if route.takes_body} == set(read)


def test_the_shapes_of_requests_are_those_that_are_read() -> None:
    assert [field.name for field in msgspec.structs.fields(shapes.Registration)] == list(FIELDS)
    assert [field.name for field in msgspec.structs.fields(shapes.Replay)] == list(REPLAY_FIELDS)
    assert [field.name for field in msgspec.structs.fields(shapes.CallbackRequest)] == list(CALLBACK_FIELDS)


async def test_the_bounds_are_those_that_hold(bench: Bench) -> None:
    schemas = (await document(bench))["components"]["schemas"]
    assert schemas["Registration"]["properties"]["callbacks"]["maxItems"] == MAX_CALLBACKS
    assert schemas["Batch"]["properties"]["watches"]["maxItems"] == MAX_BATCH
    limit = PARAMETERS["limit"]["schema"]
    assert (limit["maximum"], limit["default"]) == (MAX_LIMIT, DEFAULT_LIMIT)
    assert schemas["Registration"]["additionalProperties"] is False


async def test_real_answers_have_the_described_shapes(bench: Bench) -> None:
    watch_id = (await bench.register())["id"]
    await bench.end(watch_id)
    for path, shape in (
        (f"/v1/watches/{watch_id}", shapes.WatchBody),
        ("/v1/watches", shapes.WatchPage),
        ("/v1/deliveries", shapes.DeliveryPage),
        ("/v1/endpoints", shapes.EndpointPage),
        ("/v1/status", shapes.StatusBody),
        ("/v1/watches/x", shapes.ProblemBody),
    ):
        answer = await bench.http.get(path)
        assert (
            msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(answer.content, type=shape)))
            == answer.json()
        )


def test_faults_are_counted_to_a_bound() -> None:
    faults = Faults()
    for n in range(1_000):
        faults.add(f"/{n}", "x")
    assert faults.is_full
    assert len(faults.found) < 1_000


def _request_example(methods: Mapping[str, Any]) -> Any:
    return methods["post"]["requestBody"]["content"]["application/json"]["example"]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
