"""The shared options stand before or after the command; the daemon is found by --url, NOTIFIER_URL, file."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import click
import pytest

from notifier.cli.client import parse_address, resolve_daemon_address
from notifier.cli.options import CommandContext
from tests.cli.conftest import FakeDaemon, Run

EMPTY: dict[str, object] = {"watches": [], "next_cursor": None}


@pytest.fixture(autouse=True)
def _no_watches(daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches", EMPTY)


def test_options_before_and_after_the_command_do_the_same(run: Run, daemon: FakeDaemon) -> None:
    before = run("--url", daemon.url, "--json", "--token", "t", "ls")
    after = run("ls", "--url", daemon.url, "--json", "--token", "t")
    around = run("--json", "ls", "--url", daemon.url, "--token", "t")
    assert before == after == around
    assert json.loads(after.out) == EMPTY
    assert [each.headers["authorization"] for each in daemon.asked] == ["Bearer t"] * 3


def test_the_option_after_the_command_wins(run: Run, daemon: FakeDaemon) -> None:
    assert run("--url", "http://127.0.0.1:1", "ls", "--url", daemon.url).code == 0


def test_each_command_accepts_the_shared_options(run: Run) -> None:
    from notifier.cli import commands  # noqa: PLC0415

    for name in commands.commands:
        result = run(name, "--url", "http://x", "--token", "t", "--config", "c", "--json", "--help")
        assert result.code == 0, name


def test_each_help_has_an_example(run: Run) -> None:
    from notifier.cli import commands  # noqa: PLC0415

    for name in commands.commands:
        result = run(name, "--help")
        assert (result.code, result.err) == (0, "")
        assert "Example:\n    " in result.out, name
        assert f"notifier {name}" in result.out.split("Example:")[1], name
    assert run("--help").out.count("\n  ") > len(commands.commands)


def test_the_environment_names_the_daemon_and_the_token(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_URL", daemon.url)
    monkeypatch.setenv("NOTIFIER_TOKEN", "from-env")
    assert run("ls").code == 0
    assert run("ls", "--token", "from-option").code == 0
    assert [each.headers["authorization"] for each in daemon.asked] == [
        "Bearer from-env",
        "Bearer from-option",
    ]


def test_the_configuration_names_the_daemon_and_its_first_token(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONE", "first")
    monkeypatch.setenv("TWO", "second")
    tokens = 'tokens = [{ env = "ONE" }, { env = "TWO" }]'
    (tmp_path / "my.toml").write_text(f'[server]\nlisten = "127.0.0.1:{daemon.port}"\n{tokens}\n')
    assert run("ls", "--config", "my.toml").code == 0
    assert run("--config", "my.toml", "ls").code == 0
    assert [each.headers["authorization"] for each in daemon.asked] == ["Bearer first"] * 2


def test_with_a_url_an_unreadable_configuration_is_ignored(
    run: Run, daemon: FakeDaemon, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('[server]\ntokens = [{ file = "/nonexistent" }]\n')
    assert run("ls", "--url", daemon.url).code == 0
    assert "authorization" not in daemon.asked[0].headers
    assert run("ls", "--url", daemon.url, "--config", "config.toml").code == 78


def test_proxies_of_the_environment_are_not_used(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask("ls").code == 0
    assert len(daemon.asked) == 1


def test_a_unix_socket_works_like_an_address(run: Run, tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(EMPTY).encode()
            hosts.append(self.headers["Host"])
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    hosts: list[str] = []
    path = tmp_path / "n.sock"
    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            (tmp_path / "config.toml").write_text(f'[server]\nlisten = "unix:{path}"\n')
            assert run("ls", "--url", f"unix:{path}").code == 0
            assert run("ls").code == 0
        finally:
            server.shutdown()
            thread.join()
    assert hosts == ["localhost", "localhost"]


@pytest.mark.parametrize(
    ("listen", "reached"),
    [
        ("127.0.0.1:8484", "http://127.0.0.1:8484"),
        ("0.0.0.0:8484", "http://127.0.0.1:8484"),
        ("[::]:8484", "http://[::1]:8484"),
        ("[::1]:8484", "http://[::1]:8484"),
        ("localhost:8484", "http://localhost:8484"),
        ("unix:/run/n.sock", "unix:/run/n.sock"),
    ],
)
def test_a_daemon_that_listens_everywhere_is_reached_at_loopback(listen: str, reached: str) -> None:
    assert resolve_daemon_address(listen).text == reached


@pytest.mark.parametrize(
    ("text", "host", "port", "prefix"),
    [
        ("http://h", "h", 80, ""),
        ("https://h", "h", 443, ""),
        ("http://h:1/", "h", 1, ""),
        ("http://h:1/notifier/", "h", 1, "/notifier"),
        ("h:1", "h", 1, ""),
    ],
)
def test_an_address_may_have_a_prefix_and_leave_out_the_port(
    text: str, host: str, port: int, prefix: str
) -> None:
    address = parse_address(text)
    assert (address.host, address.port, address.prefix) == (host, port, prefix)


def test_port_0_cannot_be_resolved(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="port 0"):
        resolve_daemon_address("127.0.0.1:0")


def test_the_configurations_token_stays_on_this_machine(tmp_path: Path) -> None:
    """Another host gets a token only by option or variable."""
    (tmp_path / "token").write_text("local-token-0123456789")
    config = tmp_path / "config.toml"
    config.write_text('[server]\ntokens = [{ file = "token" }]\n')

    def token_for(url: str | None) -> str | None:
        context = CommandContext(url=url, config=str(config), environ={})
        return context.connect()._token

    assert token_for(None) == token_for("http://127.0.0.1:1") == "local-token-0123456789"
    assert token_for("http://notifier.example:8484") is None


@pytest.mark.threat(20)
def test_no_token_follows_a_configuration_to_another_machine(tmp_path: Path) -> None:
    """A checkout's config.toml can name any listener, and any secret of its reader as the token."""
    config = tmp_path / "config.toml"
    config.write_text('[server]\nlisten = "203.0.113.7:8484"\ntokens = [{ env = "MULEROUTER_API_KEY" }]\n')
    environ = {"MULEROUTER_API_KEY": "sk-mulerouter-0123456789"}

    def token_for(url: str | None = None, token: str | None = None) -> str | None:
        return CommandContext(url=url, token=token, config=str(config), environ=environ).connect()._token

    assert token_for() is None
    with pytest.raises(click.UsageError, match="add --url"):
        token_for(token="given-by-hand")
    assert token_for("http://203.0.113.7:8484", "given-by-hand") == "given-by-hand"
    assert token_for("http://203.0.113.7:8484") is None
