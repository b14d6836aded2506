"""test-callback sends a ping like a delivery, and explains the reply."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.cli.callback_diagnosis import diagnose
from notifier.cli.send_ping import list_own_addresses
from notifier.core.causes.failures import find_attempt_fix
from notifier.core.delivery.signature import make_secret
from notifier.core.exchange import FailureKind, HttpReply, NoReply
from notifier.daemon.signing_secrets import load_or_make_secrets
from tests.cli.conftest import Run
from tests.fakes import NOON

OURS, OTHER = make_secret(b"a" * 32).reveal(), make_secret(b"b" * 32).reveal()


class Hook:
    """A receiver that verifies with one secret, and replies 401 or ``status``."""

    def __init__(self) -> None:
        self.secret = OURS
        self.status = 204
        self.headers: dict[str, str] = {}
        self.answer = b""
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook?n=1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _judge(self, headers: dict[str, str], body: bytes) -> int:
        self.seen.append((headers, body))
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            return 401
        return self.status

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                names = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(hook._judge(names, body))
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(hook.answer)))
                self.end_headers()
                self.wfile.write(hook.answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@pytest.fixture
def hook() -> Iterator[Hook]:
    fake = Hook()
    yield fake
    fake.close()


def test_a_ping_is_a_signed_event_without_a_task(run: Run, hook: Hook) -> None:
    result = run("test-callback", hook.url, "--secret", OTHER, "--secret", OURS)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("delivered  the receiver took it\n")
    ((headers, body),) = hook.seen
    event = json.loads(body)
    assert (event["type"], event["id"]) == ("ping", headers["webhook-id"])
    assert headers["notifier-attempt"] == "1"
    assert headers["content-type"] == "application/json"
    assert len(headers["webhook-signature"].split()) == 2


def test_without_a_secret_it_is_signed_as_the_daemon_signs(run: Run, hook: Hook) -> None:
    """All secrets of the file sign. Without a secret nothing is sent, and there is a fix."""
    result = run("test-callback", hook.url)
    assert result.code == 78
    assert hook.seen == []
    hook.secret = load_or_make_secrets(Path("notifier.secret"))[0][0].reveal()
    run("secret", "rotate")
    assert run("test-callback", hook.url).code == 0


def test_a_refused_signature_is_explained(run: Run, hook: Hook) -> None:
    hook.answer = b"bad signature\x1b[2J"
    result = run("test-callback", hook.url, "--secret", OTHER)
    assert result.code == 1
    assert result.out.startswith("failed  HTTP 401\n")
    assert "  | bad signature\\x1b[2J\n" in result.out
    assert "notifier secret show" in result.err
    assert OTHER not in result.out + result.err


def test_the_reply_in_json_is_complete(run: Run, hook: Hook) -> None:
    hook.status, hook.answer = 500, b"oh"
    result = run("test-callback", hook.url, "--secret", OURS, "--json")
    report = json.loads(result.out)
    assert result.code == 1
    assert (report["ok"], report["status"], report["fault"], report["answer"]) == (
        False,
        500,
        "http_5xx",
        "oh",
    )
    assert report["peer"] in hook.url
    assert report["duration_ms"] >= report["first_byte_ms"] >= report["connect_ms"]


def test_a_redirect_is_not_followed(run: Run, hook: Hook) -> None:
    hook.status, hook.headers = 307, {"Location": "http://127.0.0.1:1/"}
    result = run("test-callback", hook.url, "--secret", OURS)
    assert result.code == 1
    assert "redirect to 127.0.0.1 not followed" in result.out
    assert len(hook.seen) == 1


def test_the_rules_of_the_configuration_hold(run: Run, hook: Hook) -> None:
    """An address that the daemon must not call is not called."""
    Path("config.toml").write_text('[callbacks]\nallow = ["public"]\n')
    result = run("test-callback", hook.url, "--secret", OURS)
    assert result.code == 1
    assert "address not allowed" in result.out
    assert "callbacks.allow" in result.err
    assert hook.seen == []


@pytest.mark.fault(163)
def test_a_unix_socket_is_called_where_it_is_allowed(run: Run, tmp_path: Path) -> None:
    """And not without its entry in callbacks.allow, nor where the daemon itself listens."""
    url = f"unix:{tmp_path}/app.sock:/hook"
    result = run("test-callback", url, "--secret", OURS, "--json")
    assert (result.code, json.loads(result.out)["fault"]) == (1, "blocked")
    Path("config.toml").write_text(f'[callbacks]\nallow = ["unix:{tmp_path}/*.sock"]\n')
    result = run("test-callback", url, "--secret", OURS, "--json")
    assert (result.code, json.loads(result.out)["fault"]) == (1, "connect")
    with Path("config.toml").open("a") as file:
        file.write(f'[server]\nlisten = "unix:{tmp_path}/app.sock"\n')
    result = run("test-callback", url, "--secret", OURS)
    assert "notifier itself" in result.out


def test_the_daemons_own_address_is_not_called(run: Run, hook: Hook) -> None:
    port = hook.url.split(":")[2].partition("/")[0]
    Path("config.toml").write_text(f'[server]\nlisten = "127.0.0.1:{port}"\n')
    result = run("test-callback", hook.url, "--secret", OURS)
    assert result.code == 1
    assert "notifier itself" in result.out
    assert hook.seen == []


def test_a_receiver_that_does_not_run_has_a_fix(run: Run, hook: Hook) -> None:
    hook.close()
    result = run("test-callback", hook.url, "--secret", OURS, "--json")
    report = json.loads(result.out)
    assert (result.code, report["status"], report["fault"]) == (1, None, "connect")
    assert "runs" in report["fix"]


@pytest.mark.parametrize("args", [["hook"], ["ftp://x/"], ["http://127.0.0.1/", "--secret", "whsec_short"]])
def test_an_invalid_url_or_secret_is_wrong_usage(run: Run, args: list[str]) -> None:
    assert run("test-callback", *args).code == 64


@pytest.mark.parametrize(
    ("listen", "own"),
    [
        ("127.0.0.1:8484", {("127.0.0.1", 8484)}),
        ("localhost:8484", {("127.0.0.1", 8484), ("::1", 8484)}),
        ("[::1]:8484", {("::1", 8484)}),
        ("0.0.0.0:8484", {("0.0.0.0", 8484)}),
        ("unix:/none/notifier.sock", {("/none/notifier.sock", 0)}),
        ("host.example:8484", set()),
    ],
)
def test_the_daemons_address_is_read_from_the_configuration(listen: str, own: set[tuple[str, int]]) -> None:
    assert list_own_addresses(listen) == own


@pytest.mark.parametrize("status", [*range(200, 210), *range(300, 309), *range(400, 432), *range(500, 512)])
def test_every_answer_is_explained_and_only_2xx_is_well(status: int) -> None:
    advice = diagnose(HttpReply(status), url="http://127.0.0.1/", now=NOON)
    assert advice.is_ok == (200 <= status <= 299)
    assert bool(advice.fix) != advice.is_ok


@pytest.mark.parametrize("fault", FailureKind)
def test_every_fault_has_its_advice(fault: FailureKind) -> None:
    advice = diagnose(NoReply(fault, "x"), url="http://127.0.0.1/", now=NOON)
    assert advice.fix == find_attempt_fix(None, fault) != ""


def test_https_to_a_receiver_that_speaks_none_says_so(run: Run, hook: Hook) -> None:
    """A certificate cannot help where there is none."""
    result = run("test-callback", hook.url.replace("http:", "https:"), "--secret", OURS)
    assert result.code == 1
    assert "fix: nothing speaks TLS on that port: write http://" in result.err


def test_what_is_never_called_gets_no_advice_that_cannot_help(run: Run) -> None:
    """callbacks.allow opens no metadata service, and not notifier itself."""
    result = run("test-callback", "http://169.254.169.254/", "--secret", OURS)
    assert result.code == 1
    assert "callbacks.allow" not in result.err
    assert "fix: give another URL" in result.err
