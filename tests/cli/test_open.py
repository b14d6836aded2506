"""open prints the address of the page, with a link that logs in if the daemon has tokens."""

import json
import stat
import webbrowser
from pathlib import Path

import pytest

from notifier.cli.client import ApiConnection, ApiReply
from tests.cli.conftest import FakeDaemon, Run

OPEN = {"path": "/", "expires_at": None}
LOGIN = {"path": "/login?code=abc", "expires_at": "2026-11-23T12:01:00.000Z"}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the URLs instead of opening them."""
    urls: list[str] = []
    monkeypatch.setattr(webbrowser, "open", urls.append)
    return urls


def test_the_address_is_printed_and_nothing_opened_for_a_program(
    ask: Run, daemon: FakeDaemon, opened: list[str]
) -> None:
    """Without a terminal no browser is opened."""
    daemon.on("POST", "/v1/login", OPEN)
    result = ask("open")
    assert (result.code, result.out, result.err) == (0, f"{daemon.url}/\n", "")
    assert opened == []


def test_a_link_has_its_validity(ask: Run, daemon: FakeDaemon) -> None:
    """It is on stderr, because stdout has the link alone."""
    daemon.on("POST", "/v1/login", LOGIN)
    result = ask("open", "--token", "t0ken")
    assert result.out == f"{daemon.url}/login?code=abc\n"
    assert "once, within a minute" in result.err
    assert daemon.asked[0].headers["authorization"] == "Bearer t0ken"


def test_a_terminal_gets_a_browser_unless_it_declines(
    ask: Run, daemon: FakeDaemon, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--print is for machines without a browser."""
    daemon.on("POST", "/v1/login", OPEN)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ask("open", "--print")
    assert opened == []
    ask("open")
    assert opened == [f"{daemon.url}/"]


@pytest.mark.threat(21)
def test_a_login_code_is_on_no_command_line(
    ask: Run, daemon: FakeDaemon, opened: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every user reads command lines in /proc. The browser gets a file that its user alone can read."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    daemon.on("POST", "/v1/login", LOGIN)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ask("open")
    ask("open")
    file = tmp_path / "notifier" / "open.html"
    assert opened == [file.as_uri()] * 2
    assert f'url={daemon.url}/login?code=abc"' in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_the_redirect_is_not_written_to_a_folder_of_another_user(
    ask: Run, daemon: FakeDaemon, opened: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Under sudo the variable still names the folder of the user before."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "theirs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    daemon.on("POST", "/v1/login", LOGIN)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ask("open")
    assert opened == [(tmp_path / "cache" / "notifier" / "open.html").as_uri()]


def test_json_has_the_whole_address(ask: Run, daemon: FakeDaemon) -> None:
    """It also has the end of the validity."""
    daemon.on("POST", "/v1/login", LOGIN)
    url = f"{daemon.url}/login?code=abc"
    assert json.loads(ask("open", "--json").out) == {"url": url, "expires_at": LOGIN["expires_at"]}


def test_a_unix_socket_has_no_page_for_a_browser(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fix is another server.listen."""
    answer = ApiReply(json.dumps(LOGIN).encode(), "unix:/run/n.sock")
    monkeypatch.setattr(ApiConnection, "request", lambda *_, **__: answer)
    result = run("open", "--url", "unix:/run/n.sock")
    assert (result.code, result.out) == (64, "")
    assert "server.listen" in result.err
