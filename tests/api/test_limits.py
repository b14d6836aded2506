"""Bodies: their type, their size, their number; and faults that are ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.errors import StoreFull, StoreUnavailable
from notifier.server.bodies import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, BodyBudget
from notifier.server.middleware import ResponseMiddleware
from notifier.server.problems import KINDS, ProblemError
from notifier.web.render import render_problem
from tests.api.conftest import Bench, make_app, registration

GOOD = json.dumps(registration()).encode()


@pytest.mark.threat(2)
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "text/json",
        "application/json, text/plain",
        "application/json; charset=latin-1",
        "application/vnd.api+json",
        "*/*",
        "application/json;boundary=x",
    ],
)
async def test_a_body_of_another_type_is_415(bench: Bench, kind: str | None) -> None:
    """A form or a text, which a page may send unasked, is not read."""
    headers = {} if kind is None else {"content-type": kind}
    for path in ("/v1/watches", "/v1/watches/batch", "/v1/reload"):
        answer = await bench.http.post(path, content=GOOD, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert (await bench.http.get("/v1/watches")).json()["watches"] == []
    assert bench.reloads == 0


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; Charset=UTF-8", 'application/json;charset="utf-8"']
)
async def test_json_may_say_that_it_is_utf_8(bench: Bench, kind: str) -> None:
    answer = await bench.http.post("/v1/watches", content=GOOD, headers={"content-type": kind})
    assert answer.status_code == 201


async def test_a_packed_body_is_415(bench: Bench) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert (await bench.http.post("/v1/watches", content=GOOD, headers=headers)).status_code == 415


async def test_a_body_that_says_it_is_too_large_is_not_read(bench: Bench) -> None:
    for path, limit in (("/v1/watches", MAX_BODY_BYTES), ("/v1/watches/batch", MAX_BATCH_BODY_BYTES)):
        headers = {"content-type": "application/json", "content-length": str(limit + 1)}
        answer = await bench.http.post(path, content=_endless(1), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        assert answer.headers["connection"] == "close"


@pytest.mark.fault(85)
@pytest.mark.threat(16)
async def test_a_body_in_chunks_is_counted(bench: Bench) -> None:
    """Row 85 of the fault matrix."""
    headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
    answer = await bench.http.post(
        "/v1/watches", content=_endless(MAX_BODY_BYTES // 1024 + 1), headers=headers
    )
    assert answer.status_code == 413


async def test_a_body_may_be_as_large_as_its_limit(bench: Bench) -> None:
    for path, limit, body in (
        ("/v1/watches", MAX_BODY_BYTES, GOOD),
        ("/v1/watches/batch", MAX_BATCH_BODY_BYTES, b'{"watches": [%s]}' % GOOD),
    ):
        answer = await bench.http.post(
            path, content=body.ljust(limit), headers={"content-type": "application/json"}
        )
        assert answer.status_code in (200, 201)


@pytest.mark.parametrize("length", [b"x", b"-1", b"1_0", b"+5", b"5, 5", b"", b"\xb2", b"9" * 5000])
async def test_a_length_that_is_no_number_is_no_500(bench: Bench, length: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    request = bench.http.build_request("POST", "/v1/watches", content=_endless(1))
    request.headers = type(request.headers)([(b"host", b"localhost"), *headers])
    assert (await bench.http.send(request)).status_code in (400, 413)


@pytest.mark.fault(98)
@pytest.mark.threat(16)
async def test_bodies_together_are_bounded() -> None:
    """However many ask at once."""
    budget = BodyBudget(limit=100)
    with budget.hold(60):
        with pytest.raises(ProblemError, match="busy"), budget.hold(60):
            pass
        with budget.hold(40):
            pass
    with budget.hold(100):
        pass


@pytest.mark.fault(95)
async def test_a_client_that_goes_away_leaves_nothing(bench: Bench) -> None:
    """Row 95 of the fault matrix: cut off at each byte, nothing is stored and nothing is answered."""
    for count in (0, 1, len(GOOD) - 1):
        sent: list[object] = []
        messages = iter(
            [{"type": "http.request", "body": GOOD[:count], "more_body": True}, {"type": "http.disconnect"}]
        )

        async def receive(messages=messages) -> dict[str, object]:  # type: ignore[no-untyped-def]
            return next(messages)

        async def send(message: object, sent: list[object] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/watches",
            "query_string": b"",
            "scheme": "http",
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(GOOD)).encode()),
            ],
        }
        await bench.app(scope, receive, send)
        assert sent == []
    assert (await bench.http.get("/v1/watches")).json()["watches"] == []


class Broken:
    """A store of which each verb raises the same."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def __getattr__(self, name: str) -> object:
        async def verb(*_args: object, **_named: object) -> object:
            raise self._fault

        return verb


CALLS = [
    ("POST", "/v1/watches", registration()),
    ("POST", "/v1/watches/batch", {"watches": [registration()]}),
    ("DELETE", "/v1/watches/wch_" + "0" * 26, None),
    ("POST", f"/v1/watches/wch_{'0' * 26}/poll", None),
    ("POST", f"/v1/deliveries/dlv_{'0' * 26}/redeliver", None),
    ("GET", "/v1/watches", None),
    ("GET", "/v1/status", None),
]


@pytest.mark.fault(19, 29)
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (StoreFull(Cause(Code.DISK_FULL, {"file": "/secret/path"})), 507, "disk_full"),
        (StoreUnavailable(Cause(Code.DATABASE_LOCKED, {"file": "/secret/path"})), 503, "store_unavailable"),
    ],
)
async def test_a_store_that_cannot_write_is_told_apart(
    bench: Bench, fault: Exception, status: int, code: str
) -> None:
    """Rows 19 and 29 of the fault matrix."""
    http = bench.client(make_app(replace(bench.services, store=Broken(fault))))  # type: ignore[arg-type]
    for method, path, body in CALLS:
        answer = await http.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "secret" not in answer.text
    assert bench.wake.polls == []
    assert (answer.headers.get("retry-after") is not None) == (status == 503)


@pytest.mark.threat(17)
async def test_an_unexpected_fault_is_logged_and_not_shown(bench: Bench) -> None:
    """The answer has no trace of ours, and the log has no body."""
    canary = "sk-canary https://user:pw@host/"
    http = bench.client(make_app(replace(bench.services, store=Broken(RuntimeError(canary)))))  # type: ignore[arg-type]
    with capture_logs() as logs:
        for method, path, body in CALLS:
            answer = await http.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (500, "internal")
            assert "canary" not in answer.text
            assert "Traceback" not in answer.text
    assert [each["event"] for each in logs] == ["api.unexpected"] * len(CALLS)
    assert logs[0]["route"] == "POST /v1/watches"
    assert "/v1/watches/{id}" in str(logs[2]["route"])


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/watch", "/v1/watches"),
        ("/v1/watches/", "/v1/watches"),
        ("/health", "/healthz"),
        ("/v1/deliverys", "/v1/deliveries"),
        ("/v2/something/else/altogether", "/openapi.json"),
        ("/" + "x" * 5_000, "/openapi.json"),
        ("/v1/endpoint", "/v1/endpoints"),
        ("/v1/event", "/v1/events"),
        ("/metric", "/metrics"),
        ("/~~~", ""),
    ],
)
async def test_an_unknown_route_is_404_and_names_the_nearest(bench: Bench, path: str, hint: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = await bench.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_route")
        assert hint in answer.json()["detail"]
        assert "location" not in answer.headers


async def test_a_wrong_method_is_405_and_names_the_right_ones(bench: Bench) -> None:
    for method, path, allow in (
        ("PUT", "/v1/watches", "GET, HEAD, POST"),
        ("GET", "/v1/watches/batch", "POST"),
        ("PATCH", "/v1/watches/x", "DELETE, GET, HEAD"),
        ("BREW", "/healthz", "GET, HEAD"),
    ):
        answer = await bench.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == allow


async def test_a_problem_has_the_shape_of_rfc_9457(bench: Bench) -> None:
    answer = await bench.http.get("/v1/watches/x")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:notifier:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "no watch has this id; old ended watches are deleted",
        "code": "not_found",
    }
    assert all(400 <= kind.status < 600 and kind.title.isascii() for kind in KINDS.values())


async def test_what_the_client_still_sends_is_read_away_for_a_moment_only(bench: Bench) -> None:
    """The answer is whole before that, so that a client which sends first and reads later gets it."""
    read = 0
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        nonlocal read
        read += 1
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": read < 40}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/watches",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")],
    }
    await bench.app(scope, receive, send)  # type: ignore[arg-type]
    start, body, last = sent
    assert start["status"] == 415
    assert (b"connection", b"close") in start["headers"]  # type: ignore[operator]
    assert body["body"]
    assert body["more_body"]
    assert not last.get("more_body")
    assert read == 40


@pytest.mark.parametrize(("chunk", "is_silent"), [(b"x" * 1_000_000, False), (b"", False), (b"", True)])
async def test_reading_away_ends_by_time(chunk: bytes, is_silent: bool) -> None:
    """A client that sends for ever, sends nothing in many pieces, or just keeps still."""
    sent: list[Message] = []

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise ProblemError("conflict", "no")

    async def receive() -> Message:
        await asyncio.sleep(3_600 if is_silent else 0)
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}
    await ResponseMiddleware(refuse, render_problem, linger_s=0.05)(scope, receive, send)
    assert [message.get("more_body", False) for message in sent] == [False, True, False]


async def _endless(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 1024
