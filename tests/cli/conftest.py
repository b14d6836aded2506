"""A daemon with scripted responses, and a fixture that runs commands against it."""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from notifier.cli import main

WATCH: dict[str, Any] = {
    "id": "wch_1",
    "provider": "mulerouter",
    "api_path": "/vendors/x/v1/y/generation",
    "task_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "state": "watching",
    "upstream_status": "processing",
    "metadata": {"order": 42},
    "callbacks": [{"url": "http://127.0.0.1:9001/hook", "events": ["task.completed"]}],
    "registered_at": "2026-11-23T12:00:00.000Z",
    "last_polled_at": None,
    "next_poll_at": None,
    "polls": 3,
    "expires_at": "2026-11-23T13:00:00.000Z",
    "trouble": None,
    "ended_at": None,
    "outputs": [],
    "result_expires_at": None,
    "payload": None,
    "error": None,
    "deliveries": [],
}
DELIVERY: dict[str, Any] = {
    "id": "dlv_1",
    "event_id": "evt_1",
    "watch_id": "wch_1",
    "type": "task.completed",
    "url": "http://127.0.0.1:9001/hook",
    "state": "pending",
    "attempts": 2,
    "created_at": "2026-11-23T12:00:00.000Z",
    "next_attempt_at": None,
    "give_up_at": "2026-11-26T12:00:00.000Z",
    "ended_at": None,
    "last_error": "HTTP 500",
    "result_expires_at": None,
}
PROBLEM = "application/problem+json"


def problem(status: int, code: str, detail: str, errors: object = ()) -> "Canned":
    body = {"type": "about:blank", "title": "T", "status": status, "detail": detail, "code": code}
    return Canned(status, {**body, "errors": errors} if errors else body, kind=PROBLEM)


@dataclass(frozen=True)
class Canned:
    """One response. ``body`` is sent as JSON, bytes unchanged. The last ``lost`` bytes are not sent."""

    status: int
    body: object
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: int = 0

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeDaemon:
    """Responds to each call by its list, in order. The last response repeats."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._script: dict[tuple[str, str], list[Canned]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, *answers: Canned | dict[str, Any]) -> None:
        canned = [each if isinstance(each, Canned) else Canned(200, each) for each in answers]
        self._script.setdefault((method, path), []).extend(canned)

    def now(self, method: str, path: str, answer: dict[str, Any]) -> None:
        """Replace the list of this call by one response."""
        self._script[(method, path)] = [Canned(200, answer)]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, asked: Asked) -> Canned:
        self.asked.append(asked)
        answers = self._script.get((asked.method, asked.path))
        if not answers:
            return problem(404, "not_found", f"nothing is scripted for {asked.method} {asked.path}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                names = {name.lower(): value for name, value in self.headers.items()}
                canned = daemon._answer(
                    Asked(self.command, parts.path, dict(parse_qsl(parts.query)), names, body)
                )
                content = canned.content()
                self.send_response(canned.status)
                self.send_header("Content-Type", canned.kind)
                self.send_header("Content-Length", str(len(content)))
                for name, value in canned.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: len(content) - canned.lost])
                self.close_connection = self.close_connection or canned.lost > 0

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@dataclass(frozen=True)
class CommandResult:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., CommandResult]


@pytest.fixture(autouse=True)
def _empty_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Provide no configuration, variable and database but those of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("notifier.config.load.find_file.__kwdefaults__", {"system_file": tmp_path / "none"})
    for name in ("URL", "TOKEN", "CONFIG"):
        monkeypatch.delenv(f"NOTIFIER_{name}", raising=False)
    for name in ("NO_COLOR", "COLUMNS", "MULEROUTER_API_KEY", "MULEROUTER_BASE_URL", "MULEROUTER_SITE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    fake = FakeDaemon()
    yield fake
    fake.close()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def call(*args: str, stdin: bytes = b"") -> CommandResult:
        original_stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
        try:
            code = main(args)
        finally:
            sys.stdin = original_stdin
        captured = capfd.readouterr()
        return CommandResult(code, captured.out, captured.err)

    return call


@pytest.fixture
def ask(run: Run, daemon: FakeDaemon) -> Run:
    """Run a command against the fake daemon."""

    def call(*args: str, stdin: bytes = b"") -> CommandResult:
        return run(*args, "--url", daemon.url, stdin=stdin)

    return call
