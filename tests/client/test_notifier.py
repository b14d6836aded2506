"""Both clients against a daemon that answers by script: the same calls, the same results, the same faults."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from notifier import client
from notifier.client import (
    ApiProblem,
    AsyncNotifier,
    Conflict,
    Invalid,
    NotFound,
    Notifier,
    Refused,
    Unavailable,
    Unreachable,
    Watch,
)
from tests.cli.conftest import DELIVERY, WATCH, Canned, FakeDaemon, problem

Call = Callable[..., Awaitable[Any]]


async def _blocking(url: str, name: str, *args: Any, **more: Any) -> Any:
    notifier = Notifier(url)

    def call() -> Any:
        result = getattr(notifier, name)(*args, **more)
        return list(result) if name == "list" else result

    return await asyncio.to_thread(call)


async def _asyncio(url: str, name: str, *args: Any, **more: Any) -> Any:
    result = getattr(AsyncNotifier(url), name)(*args, **more)
    return [each async for each in result] if name == "list" else await result


@pytest.fixture(params=[_blocking, _asyncio], ids=["blocking", "asyncio"])
def ask(request: pytest.FixtureRequest, daemon: FakeDaemon) -> Call:
    return lambda name, *args, **more: request.param(daemon.url, name, *args, **more)


async def test_a_watch_is_a_typed_value(ask: Call, daemon: FakeDaemon) -> None:
    daemon.on(
        "GET", "/v1/watches/wch_1",
        {**WATCH, "state": "failed", "payload": {"n": 1}, "payload_note": "repaired",
         "deliveries": [DELIVERY], "field_of_tomorrow": 1,
         "error": {"source": "provider", "code": 3001, "title": "No", "detail": None}},
    )  # fmt: skip
    watch = await ask("get", "wch_1")
    assert isinstance(watch, Watch)
    assert watch.registered_at.isoformat() == "2026-11-23T12:00:00+00:00"
    assert (watch.metadata, watch.payload, watch.error and watch.error.code) == (
        {"order": 42},
        {"n": 1},
        3001,
    )
    assert watch.payload_note == "repaired"
    assert watch.deliveries[0].attempts == 2


async def test_what_is_asked_is_the_contracts(ask: Call, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    daemon.on("DELETE", "/v1/watches/wch_1", {**WATCH, "state": "stopped"})
    await ask("watch", "/x", "task-1", callback=["http://a/hook"], metadata={"order": 42}, expire_after="30m")
    assert (await ask("stop", "wch_1")).state == "stopped"
    asked = daemon.asked[0]
    assert asked.json == {
        "api_path": "/x",
        "task_id": "task-1",
        "callbacks": [{"url": "http://a/hook"}],
        "metadata": {"order": 42},
        "expire_after": 1_800.0,
    }
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["host"] == daemon.url.removeprefix("http://")


async def test_a_list_goes_on_over_its_pages(ask: Call, daemon: FakeDaemon) -> None:
    """As far as it is wanted."""
    pages: list[dict[str, Any]] = [
        {"watches": [WATCH, {**WATCH, "id": "wch_2"}], "next_cursor": "c1"},
        {"watches": [{**WATCH, "id": "wch_3"}], "next_cursor": None},
    ]
    daemon.on("GET", "/v1/watches", *pages, pages[0], {**pages[1], "next_cursor": "c2"})
    assert [each.id for each in await ask("list", state="watching")] == ["wch_1", "wch_2", "wch_3"]
    assert [asked.query.get("cursor") for asked in daemon.asked] == [None, "c1"]
    assert daemon.asked[0].query["state"] == "watching"
    assert len(await ask("list", limit=3)) == 3
    assert daemon.asked[3].query["limit"] == "1"


async def test_a_wait_ends_with_the_watch(ask: Call, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches/wch_1", WATCH, {**WATCH, "state": "completed"})
    assert (await ask("wait", "wch_1", 20)).is_completed


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid), (401, Refused), (404, NotFound), (409, Conflict), (410, ApiProblem), (413, Invalid),
        (421, Refused), (422, Invalid), (503, Unavailable), (507, Unavailable),
    ],
)  # fmt: skip
async def test_each_refusal_has_its_kind(ask: Call, daemon: FakeDaemon, status: int, kind: type) -> None:
    """With the daemon's code, its words, and every field at fault."""
    errors = [{"pointer": "/task_id", "detail": "too long"}]
    daemon.on("POST", "/v1/watches", problem(status, "some_code", "that is wrong", errors))
    with pytest.raises(ApiProblem) as fault:
        await ask("watch", "/x", "task-1", callback="http://a/hook")
    assert type(fault.value) is kind
    assert (fault.value.code, fault.value.cause, fault.value.status) == (
        "some_code", "that is wrong", status,
    )  # fmt: skip
    assert fault.value.problem.errors[0].pointer == "/task_id"


async def test_when_to_try_again_is_the_fix(ask: Call, daemon: FakeDaemon) -> None:
    canned = problem(503, "not_ready", "not yet")
    daemon.on("GET", "/v1/watches/wch_1", Canned(503, canned.body, canned.kind, {"Retry-After": "5"}))
    with pytest.raises(Unavailable) as fault:
        await ask("get", "wch_1")
    assert fault.value.fix == "try again in 5 s"


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"id": 1}'])
async def test_somebody_else_is_not_taken_for_the_daemon(ask: Call, daemon: FakeDaemon, body: bytes) -> None:
    daemon.on("GET", "/v1/watches/wch_1", Canned(200, body))
    with pytest.raises(Unreachable, match="is not notifier"):
        await ask("get", "wch_1")


async def test_an_answer_that_breaks_off_is_asked_for_again(ask: Call, daemon: FakeDaemon) -> None:
    """As a daemon that is killed in the middle of it leaves it; the next one answers."""
    daemon.on("GET", "/v1/watches/wch_1", Canned(200, WATCH, lost=9), Canned(200, WATCH))
    assert (await ask("get", "wch_1")).id == "wch_1"
    assert len(daemon.asked) == 2


async def test_a_daemon_that_breaks_off_each_time_is_not_taken_for_somebody_else(
    ask: Call, daemon: FakeDaemon
) -> None:
    """What comes is the beginning of its answer, so that another address would be no help."""
    daemon.on("GET", "/v1/watches/wch_1", *[Canned(200, WATCH, lost=9)] * 4)
    with pytest.raises(Unreachable, match="closed the connection before its response was complete") as fault:
        await ask("get", "wch_1")
    assert fault.value.is_broken
    assert "look at the log" in fault.value.fix


@pytest.mark.parametrize("make", [Notifier, AsyncNotifier])
def test_the_environment_alone_suffices(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is given wins over it; with neither, the daemon's own default holds."""

    def aim(url: str | None = None, token: str | None = None) -> tuple[str, str | None]:
        made = make(url, token)
        return made._api._address.text, made._api._token

    monkeypatch.delenv("NOTIFIER_URL", raising=False)
    monkeypatch.delenv("NOTIFIER_TOKEN", raising=False)
    assert aim() == ("http://127.0.0.1:8484", None)
    monkeypatch.setenv("NOTIFIER_URL", "unix:/run/notifier/notifier.sock")
    monkeypatch.setenv("NOTIFIER_TOKEN", "t-1")
    assert aim() == ("unix:/run/notifier/notifier.sock", "t-1")
    assert aim("http://a:1", "t-2") == ("http://a:1", "t-2")


@pytest.mark.parametrize("make", [Notifier, AsyncNotifier])
@pytest.mark.parametrize(
    "given", [{"url": "ftp://a"}, {"url": "unix:x"}, {"token": "a b"}, {"token": "a\nb"}]
)
def test_what_cannot_be_used_is_refused_at_once(make: Any, given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"address|socket|token"):
        make(**given)


@pytest.mark.parametrize(
    ("name", "barred"),
    [
        ("verify", "http.client asyncio ssl"),
        ("Notifier", "asyncio"),
        ("AsyncNotifier", ""),
    ],
)
def test_a_name_loads_only_what_it_stands_on(name: str, barred: str) -> None:
    """No room of the daemon's, no library but msgspec; a receiver needs no HTTP client."""
    code = (
        "import sys\nbefore = set(sys.modules)\n"
        f"from notifier.client import {name}\n"
        "print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not set(barred.split()) & set(loaded)
    rooms = {each.split(".")[1] for each in loaded if each.startswith("notifier.")}
    assert rooms <= {"client", "core", "errors"}
    foreign = {each.split(".")[0] for each in loaded} - set(sys.stdlib_module_names) - {"notifier"}
    assert foreign <= {"msgspec", "typing_extensions"}  # the other is msgspec's, where it is installed


def test_every_public_name_is_there() -> None:
    """What is listed can be had, and nothing else."""
    assert set(client.__all__) == set(client._HOMES) == set(dir(client))
    for name in client.__all__:
        assert getattr(client, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        client.nonsense  # noqa: B018
