"""Whatever comes in, no answer is a 500, and each problem is one that the table knows."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from notifier.engine.waiters import WatchWaiters
from notifier.server.problems import KINDS
from notifier.store.sqlite.driver import InlineDriver
from notifier.store.sqlite.open import open_store
from tests.api.conftest import HOOK, PATH, ROUTES, Bench, Wake
from tests.fakes import FakeClock

OFTEN = settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FIELDS = [
    "task_id",
    "api_path",
    "provider",
    "task_url",
    "callback_url",
    "callbacks",
    "metadata",
    "expire_after",
    "url",
    "events",
    "headers",
    "watches",
]
WORDS = [
    "mulerouter",
    HOOK,
    PATH,
    "t-1",
    "task.completed",
    "30m",
    "https://api.mulerouter.ai/v1/t",
    "\ud800",
    "\0",
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.sampled_from(WORDS)
)
keys = st.sampled_from(FIELDS) | st.text(max_size=5)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)
paths = st.sampled_from([route.path for route in ROUTES]) | st.text(max_size=30).map(lambda text: f"/{text}")
methods = st.sampled_from(["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "PATCH", "X"])
names = st.sampled_from(
    [b"host", b"content-type", b"content-length", b"transfer-encoding", b"origin", b"authorization"]
) | st.binary(max_size=10).map(bytes.lower)
plausible = st.sampled_from(
    [b"localhost", b"application/json", b"chunked", b"2", b"http://localhost", b"gzip"]
)
parameters = st.sampled_from(["state", "provider", "task_id", "limit", "cursor", "wait", "url", "watch_id"])
header_lists = st.lists(st.tuples(names, plausible | st.binary(max_size=20)), max_size=6)
Headers = list[tuple[bytes, bytes]]
TYPICAL: Headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]


def in_query(pairs: dict[str, str]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in pairs.items()).encode()


def judge(status: int, headers: Headers, body: bytes, method: str) -> None:
    assert 200 <= status < 500 or status == 503
    assert (b"x-content-type-options", b"nosniff") in headers
    if status >= 400 and method != "HEAD":
        assert (b"content-type", b"application/problem+json") in headers
        problem = json.loads(body)
        assert KINDS[problem["code"]].status == problem["status"] == status
        assert (status == 422) == ("errors" in problem)


async def ask(
    bench: Bench, method: str, path: str, *, query: bytes = b"", headers: Headers = TYPICAL, body: bytes = b""
) -> None:
    """One request straight into the application."""
    if body and headers is TYPICAL:
        headers = [*TYPICAL, (b"content-length", b"%d" % len(body))]
    sent: list[Message] = []
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return pending.pop() if pending else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}
    await bench.app({**scope, "scheme": "http"}, receive, send)
    if sent:
        content = b"".join(message.get("body", b"") for message in sent[1:])
        judge(sent[0]["status"], sent[0]["headers"], content, method)


def run(tmp_path: Path, test: Callable[[Bench], Awaitable[None]]) -> None:
    """Run one example on a bench of its own."""

    async def main() -> None:
        clock, name = FakeClock(), f"{len(list(tmp_path.iterdir()))}.db"
        store = await open_store(
            tmp_path / name,
            owner="t",
            now=clock.now(),
            rng=random.Random(7),
            open_driver=InlineDriver.open,
        )
        try:
            bench = Bench(store, clock, WatchWaiters(), Wake())
            bench.feed.close()  # a stream has no end
            await test(bench)
        finally:
            await store.close()

    asyncio.run(main())


@OFTEN
@given(
    requests=st.lists(
        st.tuples(methods, paths, st.binary(max_size=30), header_lists, st.binary(max_size=50)), max_size=8
    )
)
def test_arbitrary_requests_get_a_proper_answer(tmp_path: Path, requests: list[Any]) -> None:
    async def test(bench: Bench) -> None:
        for method, path, query, headers, body in requests:
            await ask(bench, method, path, query=query, headers=headers, body=body)
            await ask(bench, method, path, query=query, body=body)

    run(tmp_path, test)


@pytest.mark.fault(83, 84)
@OFTEN
@given(bodies=st.lists(values, max_size=8))
def test_arbitrary_json_gets_a_proper_answer(tmp_path: Path, bodies: list[Any]) -> None:
    """Never a 500; each refusal is a problem that the table knows."""

    async def test(bench: Bench) -> None:
        watch_id = (await bench.register())["id"]
        for value in bodies:
            for path, body in (
                ("/v1/watches", value),
                ("/v1/watches/batch", {"watches": [value, value]}),
                ("/v1/watches/batch", value),
                (f"/v1/watches/{watch_id}/resume", value),
                (f"/v1/watches/{watch_id}/poll", value),
                ("/v1/watches/stop", value),
                ("/v1/watches/stop", {"since": value, "provider": value, "api_path": value}),
                ("/v1/watches/resume", value),
                ("/v1/watches/resume", {"until": value, "state": value, "expire_after": value}),
                ("/v1/deliveries/replay", value),
                ("/v1/deliveries/replay", {"since": value, "url": value, "state": value}),
            ):
                await ask(bench, "POST", path, body=json.dumps(body).encode())

    run(tmp_path, test)


@OFTEN
@given(change=st.dictionaries(st.sampled_from(FIELDS[:8]), values, max_size=3), metadata=values)
def test_almost_good_registrations_get_a_proper_answer(tmp_path: Path, change: Any, metadata: Any) -> None:
    async def test(bench: Bench) -> None:
        good = {"task_id": "t", "api_path": PATH, "callback_url": HOOK, "metadata": {"m": metadata}}
        for body in (good, {**good, **change}):
            await ask(bench, "POST", "/v1/watches", body=json.dumps(body).encode())
        await ask(bench, "GET", "/v1/watches")

    run(tmp_path, test)


@pytest.mark.fault(94)
@OFTEN
@given(
    metadata=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), values
    )
)
def test_metadata_that_is_taken_comes_back_to_the_byte(tmp_path: Path, metadata: dict[str, Any]) -> None:
    """Row 94 of the fault matrix, up to what the callback's bytes are made of."""

    async def test(bench: Bench) -> None:
        text = json.dumps(metadata, ensure_ascii=False, indent=1)
        body = f'{{"task_id": "t", "api_path": "{PATH}", "callback_url": "{HOOK}", "metadata": {text}}}'
        try:
            content = body.encode()
        except UnicodeEncodeError:
            return
        answer = await bench.http.post(
            "/v1/watches", content=content, headers={"content-type": "application/json"}
        )
        if answer.status_code == 201:
            assert f'"metadata":{text},"callbacks"'.encode() in answer.content
            await bench.end(answer.json()["id"])
            detail = await bench.store.watch(answer.json()["id"])
            assert detail is not None
            assert detail.event is not None
            assert f'"metadata":{text},'.encode() in detail.event.body

    run(tmp_path, test)


@OFTEN
@given(query=st.binary(max_size=60) | st.dictionaries(parameters, st.text(max_size=20)).map(in_query))
def test_arbitrary_queries_get_a_proper_answer(tmp_path: Path, query: bytes) -> None:
    async def test(bench: Bench) -> None:
        watch_id = (await bench.register())["id"]
        await bench.end(watch_id)
        for path in (
            "/v1/watches",
            "/v1/deliveries",
            "/v1/endpoints",
            f"/v1/watches/{watch_id}",
            "/v1/status",
            "/healthz",
        ):
            await ask(bench, "GET", path, query=query)

    run(tmp_path, test)
