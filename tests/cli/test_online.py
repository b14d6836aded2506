"""check --online distinguishes an accepted key, a refused key, an empty account and no connection."""

import json
import socket
from collections.abc import Callable

import pytest

from notifier.cli.sample_tasks import API_PATH, UNKNOWN_TASK_ID
from tests.cli.conftest import Canned, CommandResult, FakeDaemon, Run, problem

KEY = "sk-mr-canary-0123456789"
PATH = f"{API_PATH}/{UNKNOWN_TASK_ID}"
Check = Callable[..., CommandResult]


@pytest.fixture
def check(run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run check against a provider with this response. The scripted daemon is the provider."""

    def call(answer: Canned, *args: str, key: str = KEY) -> CommandResult:
        monkeypatch.setenv("MULEROUTER_BASE_URL", daemon.url)
        monkeypatch.setenv("MULEROUTER_API_KEY", key)
        daemon.on("GET", PATH, answer)
        result = run("check", "--online", *args)
        assert KEY not in result.out + result.err
        return result

    return call


@pytest.mark.parametrize("status", [404, 400, 410, 422, 200])
def test_an_unknown_task_means_an_accepted_key(check: Check, daemon: FakeDaemon, status: int) -> None:
    """One poll is sent, with the key."""
    result = check(problem(status, "x", "no such task"))
    assert result.code == 0
    assert f"ok: mulerouter: the key is accepted (HTTP {status} for a made-up task" in result.out
    [asked] = daemon.asked
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("GET", PATH, f"Bearer {KEY}")


@pytest.mark.parametrize(
    ("status", "words", "fix"),
    [
        (401, "the key is refused (401)", "MULEROUTER_API_KEY"),
        (402, "the account is empty (402)", "top up"),
        (403, "access is forbidden (403)", "console"),
        (429, "throttled (429)", "again in a minute"),
        (503, "the provider fails (HTTP 503)", "later"),
    ],
)
def test_a_reply_that_stops_polls_has_its_fix(check: Check, status: int, words: str, fix: str) -> None:
    """The exit code is 1, because the configuration itself is valid."""
    result = check(problem(status, "x", "y"))
    assert result.code == 1
    assert "configuration ok" in result.out
    [line, advice] = result.out.splitlines()[-2:]
    assert line.startswith("FAILED: mulerouter: ")
    assert words in line
    assert "fix: " in advice
    assert fix in advice


def test_a_web_page_is_no_api(check: Check) -> None:
    """A 404 of a web server proves nothing about the key."""
    result = check(Canned(404, b"<html>nginx</html>", kind="text/html"))
    assert result.code == 1
    assert "no JSON" in result.out
    assert "base_url" in result.out


def test_a_page_that_forbids_access_says_nothing_about_the_key(check: Check) -> None:
    """A firewall or a CDN blocks this machine; ``status`` says so in the same words."""
    result = check(Canned(403, b"<html><title>Blocked</title></html>", kind="text/html"))
    assert result.code == 1
    assert 'a web page forbids access (403), not the provider\'s API; it says "Blocked"' in result.out
    assert "the key is not what is refused" in result.out
    assert "console" not in result.out


def test_a_redirect_has_its_host_and_is_not_followed(check: Check, daemon: FakeDaemon) -> None:
    """The key must not be sent to another host."""
    result = check(Canned(302, b"", headers={"Location": f"{daemon.url}/{KEY}"}))
    assert result.code == 1
    assert "redirect to 127.0.0.1 not followed" in result.out
    assert len(daemon.asked) == 1


def test_a_missing_key_has_its_setting(run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing key is not a refused one."""
    monkeypatch.setenv("MULEROUTER_BASE_URL", daemon.url)
    daemon.on("GET", PATH, problem(401, "x", "y"))
    result = run("check", "--online")
    assert "a key is wanted, and none is set (401)" in result.out
    assert "fix: set MULEROUTER_API_KEY" in result.out


def test_an_unreachable_provider_has_the_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is bound and does not listen refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MULEROUTER_BASE_URL", f"http://127.0.0.1:{bound.getsockname()[1]}")
        result = run("check", "--online")
    assert result.code == 1
    assert "FAILED: mulerouter: unreachable: no connection" in result.out


def test_json_has_the_result_of_each_provider(check: Check) -> None:
    """For scripts that set up a machine."""
    report = json.loads(check(problem(401, "x", "y"), "--json").out)
    assert report["ok"] is False
    assert report["online"]["mulerouter"]["ok"] is False
    assert "401" in report["online"]["mulerouter"]["text"]


def test_without_online_no_provider_is_polled(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """check works without a network."""
    monkeypatch.setenv("MULEROUTER_BASE_URL", daemon.url)
    assert run("check").code == 0
    assert daemon.asked == []
