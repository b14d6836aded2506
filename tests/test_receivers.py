"""The receivers that docs/RECEIVERS.md shows take what the daemon signs, once, and nothing else."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import httpx
import pytest

from notifier.cli.send_ping import build_ping
from notifier.clock import wall_ms
from notifier.core.delivery.signature import make_secret, sign
from notifier.core.secret import Secret
from tests.verifiers import HOW_TO_GET_THEM, NODE_MODULES

FOLDER = Path(__file__).parents[1] / "docs" / "receivers"
SECRET = make_secret(bytes(range(32)))
EVENT = {
    "id": "evt_1",
    "type": "task.completed",
    "timestamp": "2026-11-23T12:00:00.000Z",
    "data": {
        "task_id": "t",
        "status": "completed",
        "metadata": {"order": 42},
        "outputs": ["https://x/1.jpg"],
    },
}
LATE_S = 600


@dataclass(frozen=True)
class Receiver:
    """``post`` sends a callback and returns the status; ``told`` returns the lines printed so far."""

    post: Callable[[bytes, dict[str, str]], int]
    told: Callable[[], list[str]]


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("NOTIFIER_SECRET", SECRET.reveal())
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


class Printed:
    """What a receiver in this process has printed, collected over several looks."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._lines: list[str] = []

    def __call__(self) -> list[str]:
        self._lines += self._capsys.readouterr().out.splitlines()
        return self._lines


@pytest.fixture
def fastapi(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Receiver:
    module = loaded("fastapi_receiver", monkeypatch)

    def post(body: bytes, headers: dict[str, str]) -> int:
        import asyncio  # noqa: PLC0415

        async def send() -> int:
            transport = httpx.ASGITransport(app=module.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
                return (await client.post("/hook", content=body, headers=headers)).status_code

        return asyncio.run(send())

    return Receiver(post, Printed(capsys))


@pytest.fixture
def flask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Receiver:
    client = loaded("flask_receiver", monkeypatch).app.test_client()

    def post(body: bytes, headers: dict[str, str]) -> int:
        status: int = client.post("/hook", data=body, headers=headers).status_code
        return status

    return Receiver(post, Printed(capsys))


@pytest.fixture
def express(tmp_path: Path) -> Iterator[Receiver]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine")
    if not (NODE_MODULES / "express").exists():
        pytest.skip(f"no express of npm: {HOW_TO_GET_THEM}")
    environ = {
        **os.environ, "NODE_PATH": str(NODE_MODULES), "NOTIFIER_SECRET": SECRET.reveal(), "PORT": "0"
    }  # fmt: skip
    log = tmp_path / "out"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [node, str(FOLDER / "express_receiver.js")], env=environ, stdout=subprocess.PIPE, stderr=out
        )
    assert process.stdout is not None
    port = int(process.stdout.readline().split()[-1])
    yield Receiver(_poster(f"http://127.0.0.1:{port}/hook"), _reader(process.stdout))
    process.terminate()
    process.wait()
    process.stdout.close()


def _poster(url: str) -> Callable[[bytes, dict[str, str]], int]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def post(body: bytes, headers: dict[str, str]) -> int:
        request = urllib.request.Request(url, body, headers)
        try:
            with direct.open(request) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code

    return post


def _reader(stream: IO[bytes]) -> Callable[[], list[str]]:
    os.set_blocking(stream.fileno(), False)
    lines: list[str] = []

    def told() -> list[str]:
        # Express prints before it answers, so what it printed is in the pipe.
        lines.extend((stream.read() or b"").decode().splitlines())
        return lines

    return told


@pytest.fixture(params=["fastapi", "flask", "express"])
def receiver(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def signed(body: bytes, *, secret: Secret = SECRET, age_s: int = 0) -> dict[str, str]:
    stamp = wall_ms() // 1_000 - age_s
    return {
        "Content-Type": "application/json",
        "webhook-id": "evt_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign([secret], "evt_1", stamp, body),
    }


def test_a_callback_is_taken_and_a_repeat_does_nothing(receiver: Receiver) -> None:
    """Delivery is at least once."""
    body = json.dumps(EVENT).encode()
    assert [receiver.post(body, signed(body)) for _ in range(2)] == [204, 204]
    [line] = receiver.told()
    assert line.startswith("task.completed ")
    assert "42" in line
    assert line.endswith("https://x/1.jpg")


def test_a_large_callback_is_taken(receiver: Receiver) -> None:
    """The provider's last answer is in it, up to 4 MiB; some frameworks stop far below."""
    body = json.dumps({**EVENT, "padding": "x" * 4 * 1024 * 1024}).encode()
    assert receiver.post(body, signed(body)) == 204


def test_a_ping_is_taken(receiver: Receiver) -> None:
    """`notifier test-callback` is told of a sound receiver that it works."""
    body = build_ping("http://127.0.0.1:9001/hook", wall_ms()).body
    assert receiver.post(body, signed(body)) == 204


def test_what_is_not_ours_is_refused_and_nothing_is_done(receiver: Receiver) -> None:
    """Another's signature, a changed body, an old message, no signature at all."""
    body = json.dumps(EVENT).encode()
    other = make_secret(bytes(32))
    assert receiver.post(body, signed(body, secret=other)) == 401
    assert receiver.post(body.replace(b"42", b"43"), signed(body)) == 401
    assert receiver.post(body, signed(body, age_s=LATE_S)) == 401
    assert receiver.post(body, {"Content-Type": "application/json"}) == 401
    assert receiver.told() == []
