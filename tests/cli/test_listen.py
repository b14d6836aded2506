"""listen verifies and prints callbacks, and replies to each."""

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from notifier.cli.listen import _print_json_line, _print_lines
from notifier.cli.receiver import MAX_BODY_BYTES, LocalReceiver, ReceivedCallback, ReplyPlan
from notifier.clock import wall_ms
from notifier.core.delivery.signature import sign
from notifier.core.secret import Secret
from tests.cli.conftest import Run
from tests.fakes import NOON

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
EVENT = {
    "id": "evt_1",
    "type": "task.completed",
    "timestamp": "2026-11-23T12:00:00.000Z",
    "data": {"task_id": "task-1", "status": "completed", "outputs": ["https://x/1.jpg"]},
}
BODY = json.dumps(EVENT).encode()


def signed(body: bytes = BODY, *, key: str = KEY, at: int = NOON, **more: str) -> dict[str, str]:
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(at // 1_000),
        "webhook-signature": sign([Secret(key)], "evt_1", at // 1_000, body),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


class Box:
    """A receiver at noon, with the callbacks that it has printed."""

    def __init__(self, manners: ReplyPlan = ReplyPlan()) -> None:  # noqa: B008 - frozen
        self.callbacks: list[ReceivedCallback] = []
        self.accepted: list[int] = []
        self.unread = 0
        self.app = LocalReceiver(
            [Secret(OTHER), Secret(KEY)],
            manners,
            now=lambda: NOON,
            print_callback=self.tell,
            on_accepted=self.accepted.append,
            on_unread=self.count_unread,
        )

    def tell(self, received: ReceivedCallback) -> None:
        self.callbacks.append(received)

    def count_unread(self) -> None:
        self.unread += 1

    async def post(
        self,
        headers: Mapping[str, str],
        *chunks: bytes,
        method: str = "POST",
        is_cut: bool = False,
        path: str = "/",
        query: bytes = b"",
    ) -> int:
        messages: Iterator[dict[str, Any]] = iter(
            [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
            + [{"type": "http.disconnect"} if is_cut else {"type": "http.request", "body": b""}]
        )
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": raw}
        await self.app(scope, receive, send)
        status = sent[0]["status"]
        assert isinstance(status, int)
        return status


async def test_a_callback_signed_by_us_is_verified() -> None:
    box = Box()
    assert await box.post(signed(), BODY[:10], BODY[10:]) == 204
    assert (box.callbacks[0].reason, box.callbacks[0].body, box.accepted) == (None, BODY, [1])


async def test_a_callback_signed_by_the_standards_own_library_is_verified() -> None:
    box = Box()
    signature = Webhook(KEY).sign("evt_1", datetime.fromtimestamp(NOON / 1_000, UTC), BODY.decode())
    headers = {**signed(key=OTHER), "webhook-signature": signature}
    assert await box.post(headers, BODY) == 204


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (signed(), BODY + b" ", "no signature matches"),
        (signed(at=NOON - 301_000), BODY, "old"),
        (signed(at=NOON + 301_000), BODY, "ahead"),
        ({}, BODY, "missing header"),
        (signed(key="whsec_" + base64.b64encode(b"unknown" * 5).decode()), BODY, "no signature matches"),
    ],
)
async def test_an_unverified_callback_is_refused_with_its_reason(
    headers: dict[str, str], body: bytes, reason: str
) -> None:
    box = Box()
    assert await box.post(headers, body) == 401
    assert reason in (box.callbacks[0].reason or "")
    assert box.accepted == []


async def test_the_first_callbacks_fail_and_do_not_count() -> None:
    box = Box(ReplyPlan(status=202, failures=2))
    assert [await box.post(signed(), BODY) for _ in range(4)] == [503, 503, 202, 202]
    assert box.accepted == [1, 2]
    assert [each.reply_status for each in box.callbacks] == [503, 503, 202, 202]


async def test_only_complete_posts_of_limited_size_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    assert await box.post(signed(), BODY, method="GET") == 405
    monkeypatch.setattr("notifier.cli.receiver.MAX_BODY_BYTES", 10)
    assert await box.post(signed(), BODY) == 413
    assert MAX_BODY_BYTES > 1_000_000
    assert box.callbacks == []


async def test_a_closed_output_refuses_the_callback() -> None:
    box = Box()

    def broken(_: ReceivedCallback) -> None:
        raise BrokenPipeError

    box.app._print_callback = broken
    assert await box.post(signed(), BODY) == 503
    assert (box.unread, box.accepted) == (1, [])


def received(**changes: Any) -> ReceivedCallback:
    fields: dict[str, Any] = {
        "at": NOON,
        "headers": signed(),
        "body": BODY,
        "reason": None,
        "reply_status": 204,
    }
    return ReceivedCallback(**{**fields, **changes})


def test_a_line_has_the_event_and_the_verification(capfd: pytest.CaptureFixture[str]) -> None:
    _print_lines(received())
    out = capfd.readouterr().out
    for part in (
        "task.completed",
        "task-1",
        "completed",
        "verified",
        "replied 204",
        "\n  https://x/1.jpg\n",
    ):
        assert part in out
    repeat = signed(notifier_attempt="3", notifier_maybe_duplicate="1")
    _print_lines(received(headers=repeat, reason="old", reply_status=401))
    out = capfd.readouterr().out
    for part in ("NOT VERIFIED: old", "attempt 3", "maybe a duplicate", "replied 401"):
        assert part in out


async def test_a_callback_has_its_path() -> None:
    """Callbacks to two paths would look like duplicates without it. A query may be the difference."""
    box = Box()
    await box.post(signed(), BODY, path="/hook", query=b"n=1")
    await box.post(signed(), BODY)
    assert [each.path for each in box.callbacks] == ["/hook?n=1", "/"]


def test_the_path_is_in_the_line_and_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    """It is unchanged in JSON, and escaped on the line."""
    _print_lines(received(path="/hook?n=1"))
    assert "  /hook?n=1  " in capfd.readouterr().out
    _print_lines(received(path="/\x1b[2J"))
    assert "\x1b" not in capfd.readouterr().out
    _print_json_line(received(path="/hook?n=1"))
    assert json.loads(capfd.readouterr().out)["path"] == "/hook?n=1"


async def test_an_unknown_signature_has_the_hint_to_start_listen_again(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """listen reads the secrets at its start, and the daemon may have a new one."""
    box = Box()
    await box.post(signed(key="whsec_" + base64.b64encode(b"unknown" * 5).decode()), BODY)
    await box.post({}, BODY)
    _print_lines(box.callbacks[0])
    assert "start it again" in capfd.readouterr().err
    _print_lines(box.callbacks[1])
    assert capfd.readouterr().err == ""


def test_metadata_is_printed_unchanged(capfd: pytest.CaptureFixture[str]) -> None:
    """Numbers are printed as they are written. Without metadata there is no line."""
    _print_lines(received(body=b'{"data": {"metadata": {"n": 1.50, "big": 1e400, "s": "\xc2\x9b"}}}'))
    _print_lines(received(body=b'{"data": {"metadata": {}}}'))
    out = capfd.readouterr().out
    assert '\n  metadata {"n": 1.50, "big": 1e400' in out
    assert out.count("metadata") == 1
    assert "\x9b" not in out


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[1]", b'{"data": 5}', b"[" * 100_000, b'{"type": "\\u001b[2J"}']
)
def test_any_body_is_printed_safely(capfd: pytest.CaptureFixture[str], body: bytes) -> None:
    _print_lines(received(body=body, reason="no"))
    _print_json_line(received(body=body, reason="no"))
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in lines[0] + lines[1]
    json.loads(lines[1])


def test_a_json_line_carries_the_event_unchanged(capfd: pytest.CaptureFixture[str]) -> None:
    _print_json_line(received(body=b'{"n": 1.50, "big": 1e400}', headers=signed(notifier_attempt="2")))
    line = capfd.readouterr().out
    assert '"event":{"n":1.50,"big":1e400}' in line
    report = json.loads(line)
    assert (report["verified"], report["attempt"], report["webhook_id"]) == (True, "2", "evt_1")
    assert report["at"] == "2026-11-23T12:00:00.000Z"


def test_a_missing_secret_has_its_path_and_a_fix(run: Run, tmp_path: Path) -> None:
    result = run("listen")
    assert result.code == 78
    assert "notifier.secret" in result.err
    assert "notifier run" in result.err
    assert not (tmp_path / "notifier.secret").exists()
    assert run("listen", "--secret-file", "none").code == 78


@contextmanager
def listening(*args: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    command = [sys.executable, "-m", "notifier", "listen", "--port", "0", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            result = process.stderr.readline()
            host, port = result.split("http://")[1].split(",")[0].rstrip("/").rsplit(":", 1)
            yield process, host, int(port)
        finally:
            process.kill()


def post(host: str, port: int, body: bytes, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("POST", "/any/path", body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.e2e
def test_the_command_finds_the_daemons_secret_and_ends_after_count(tmp_path: Path) -> None:
    (tmp_path / "notifier.secret").write_text(KEY + "\n")
    with listening("--count", "1", "--fail", "1", "--json") as (process, host, port):
        now = wall_ms()
        statuses = [post(host, port, BODY, signed(at=now, key=key)) for key in (KEY, OTHER, KEY)]
        out, _ = process.communicate(timeout=20)
    assert statuses == [503, 401, 204]
    assert process.returncode == 0
    assert [json.loads(line)["verified"] for line in out.splitlines()] == [True, False, True]


@pytest.mark.e2e
@pytest.mark.parametrize(("args", "code"), [((), 0), (("--count", "1"), 1)])
def test_a_signal_ends_listen_with_1_below_the_count(args: tuple[str, ...], code: int) -> None:
    with listening("--secret", KEY, *args) as (process, _, _):
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == code, err
    assert "Traceback" not in err


@pytest.mark.e2e
def test_a_port_in_use_is_named() -> None:
    with listening("--secret", KEY) as (_, _, port):
        command = [sys.executable, "-m", "notifier", "listen", "--port", str(port), "--secret", KEY]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert "cannot_listen" in done.stderr
    assert f":{port}" in done.stderr
