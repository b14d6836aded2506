"""The description is whole and true."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from notifier.api import bulk_schemas, examples, request_schemas
from notifier.api import schemas as shapes
from notifier.api.callbacks import FIELDS as CALLBACK_FIELDS
from notifier.api.json_fields import FieldErrors
from notifier.api.openapi import HEADERS, PARAMETERS
from notifier.api.query import DEFAULT_LIMIT, MAX_LIMIT
from notifier.api.registration import FIELDS, MAX_BATCH, read_batch, read_registration, read_resume
from notifier.api.replays import FIELDS as REPLAY_FIELDS
from notifier.api.replays import read_replay
from notifier.api.request import TextResponse
from notifier.api.status_schemas import StatusBody
from notifier.api.watch_changes import RESUME_FIELDS, STOP_FIELDS, read_resume_of_many, read_stop
from notifier.core.model import MAX_CALLBACKS
from notifier.errors import StoreUnavailable
from notifier.server.problems import ProblemBody
from tests.api.conftest import ROUTES, SETTINGS, Bench, make_app
from tests.api.test_limits import Broken
from tests.builders import DISK_FULL
from tests.fakes import NOON

IDS = {
    "watches": "wch_01KAQ7W3G0ABCDEFGHJKMNPQRS",
    "deliveries": "dlv_01KAQ7W3G0ABCDEFGHJKMNPQRS",
    "endpoints": "ep_01KAQ7W3G0ABCDEFGHJKMNPQRS",
}
BY_CALL = {(route.method, route.path): route for route in ROUTES}
WITHOUT_STORE = {
    ("GET", "/v1/events"),
    ("POST", "/v1/reload"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),  # it is handed in
    ("GET", "/openapi.json"),
    ("GET", "/page/{name}"),
    ("POST", "/v1/login"),
    ("GET", "/login"),
}


async def document(bench: Bench) -> dict[str, Any]:
    answer = await bench.http.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    described: dict[str, Any] = answer.json()
    return described


async def described(bench: Bench, call: tuple[str, str], status: int) -> str:
    """What is said of an answer; nothing where it is not mentioned."""
    responses = (await document(bench))["paths"][call[1]][call[0].lower()]["responses"]
    said: str = responses.get(str(status), {}).get("description", "")
    return said


def example_of_request(call: tuple[str, str]) -> Any:
    request = BY_CALL[call].request
    return None if request is None else json.loads(msgspec.json.encode(request.example, enc_hook=dict))


async def test_every_route_is_described_and_nothing_else(bench: Bench) -> None:
    paths = (await document(bench))["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == set(BY_CALL)


async def test_every_parameter_is_described(bench: Bench) -> None:
    paths = (await document(bench))["paths"]
    for route in ROUTES:
        parameters = paths[route.path][route.method.lower()]["parameters"]
        in_query = [each["name"] for each in parameters if each["in"] == "query"]
        in_path = [each["name"] for each in parameters if each["in"] == "path"]
        assert in_query == list(route.query)
        in_header = [each["name"] for each in parameters if each["in"] == "header"]
        assert in_header == list(route.headers)
        assert in_path == re.findall(r"{(\w+)}", route.path)
        assert ("requestBody" in paths[route.path][route.method.lower()]) == (route.request is not None)
    assert {name for route in ROUTES for name in route.query} == set(PARAMETERS)
    assert {name for route in ROUTES for name in route.headers} == set(HEADERS)


@pytest.mark.parametrize("call", BY_CALL)
async def test_that_it_refuses_what_it_does_not_know_is_said_of_every_call(
    bench: Bench, call: tuple[str, str]
) -> None:
    """All read their query alike."""
    answer = await bench.http.request(*call, params={"no-such": "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "validation_failed" in await described(bench, call, 422)


@pytest.mark.parametrize("call", [call for call in BY_CALL if call not in WITHOUT_STORE])
async def test_that_the_store_may_be_out_of_order_is_said_of_all_that_need_it(
    bench: Bench, call: tuple[str, str]
) -> None:
    """Of what only reads as well: a disk can fail under that too."""
    broken = Broken(StoreUnavailable(DISK_FULL))
    http = bench.client(make_app(replace(bench.services, store=broken)))  # type: ignore[arg-type]
    an_id = next((an_id for name, an_id in IDS.items() if f"/{name}/" in call[1]), "")
    path = call[1].format(id=an_id, number=0)
    answer = await http.request(call[0], path, json=example_of_request(call))
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "write" not in answer.text
    assert "store_unavailable" in await described(bench, call, 503)


async def test_a_watch_too_many_is_described_where_it_is_refused(bench: Bench) -> None:
    """Where one is made, and where one goes on."""
    watch_id = (await bench.register())["id"]
    await bench.http.delete(f"/v1/watches/{watch_id}")
    await bench.register("task-2")
    bench.configure(max_watches=1)
    for template in ("/v1/watches", "/v1/watches/{id}/resume"):
        call = ("POST", template)
        answer = await bench.http.post(template.format(id=watch_id), json=example_of_request(call))
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_watches")
        assert "too_many_watches" in await described(bench, call, 503)


async def test_every_reference_leads_somewhere(bench: Bench) -> None:
    described = await document(bench)
    targets = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(_references(described)) == targets


@pytest.mark.parametrize("call", BY_CALL)
async def test_every_example_of_an_answer_has_its_shape(bench: Bench, call: tuple[str, str]) -> None:
    responses = (await document(bench))["paths"][call[1]][call[0].lower()]["responses"]
    for status, response in BY_CALL[call].responses.items():
        if isinstance(response, TextResponse):
            continue
        example = responses[str(status)]["content"]["application/json"]["example"]
        strict = msgspec.json.decode(json.dumps(example), type=response.schema)
        assert msgspec.json.decode(msgspec.json.encode(strict)) == example


@pytest.mark.parametrize(
    ("example", "code"),
    [
        (examples.ENDPOINT, "receiver_http_status"),
        (examples.PAUSED_ENDPOINT, "endpoint_paused"),
        (examples.RESUMED_ENDPOINT, None),
    ],
)
def test_the_example_of_an_endpoint_has_the_cause_of_its_gate(
    example: Mapping[str, Any], code: str | None
) -> None:
    """A paused endpoint has the cause of the pause, and an open one has none."""
    cause = example["cause"]
    assert (None if cause is None else cause["code"]) == code


async def test_every_example_of_a_request_is_taken(bench: Bench) -> None:
    paths = (await document(bench))["paths"]
    read = {
        "/v1/watches": lambda body: read_registration(body, SETTINGS, NOON),
        "/v1/watches/batch": lambda body: [
            read_registration(each, SETTINGS, NOON) for each in read_batch(body)
        ],
        "/v1/watches/{id}/resume": read_resume,
        "/v1/watches/stop": read_stop,
        "/v1/watches/resume": read_resume_of_many,
        "/v1/deliveries/replay": read_replay,
    }
    for path, reader in read.items():
        assert reader(json.dumps(_request_example(paths[path])).encode())
    assert {route.path for route in ROUTES if route.request is not None} == set(read)


def test_the_shapes_of_requests_are_those_that_are_read() -> None:
    for schema, names in (
        (request_schemas.Registration, FIELDS),
        (bulk_schemas.Replay, REPLAY_FIELDS),
        (bulk_schemas.StopMany, STOP_FIELDS),
        (bulk_schemas.ResumeMany, RESUME_FIELDS),
        (request_schemas.CallbackRequest, CALLBACK_FIELDS),
    ):
        assert [field.name for field in msgspec.structs.fields(schema)] == list(names)


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
        ("/v1/status", StatusBody),
        ("/v1/watches/x", ProblemBody),
    ):
        answer = await bench.http.get(path)
        assert (
            msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(answer.content, type=shape)))
            == answer.json()
        )


def test_faults_are_counted_to_a_bound() -> None:
    faults = FieldErrors()
    for n in range(1_000):
        faults.add(f"/{n}", "x")
    assert faults.is_full
    assert len(faults.entries) < 1_000


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
