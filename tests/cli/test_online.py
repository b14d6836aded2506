"""check --online tells an accepted key from a refused one, an empty account and a provider out of reach."""

import json
import socket
from collections.abc import Callable

import pytest

from notifier.cli.check_providers import API_PATH, UNKNOWN_TASK_ID
from tests.cli.conftest import Canned, FakeDaemon, Run, Said, problem

KEY = "sk-mr-canary-0123456789"
PATH = f"{API_PATH}/{UNKNOWN_TASK_ID}"
Check = Callable[..., Said]


@pytest.fixture
def check(run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Check against a provider that answers so; the scripted daemon plays it."""

    def call(answer: Canned, *args: str, key: str = KEY) -> Said:
        monkeypatch.setenv("MULEROUTER_BASE_URL", daemon.url)
        monkeypatch.setenv("MULEROUTER_API_KEY", key)
        daemon.on("GET", PATH, answer)
        said = run("check", "--online", *args)
        assert KEY not in said.out + said.err
        return said

    return call


@pytest.mark.parametrize("status", [404, 400, 410, 422, 200])
def test_a_made_up_task_that_is_not_found_means_an_accepted_key(
    check: Check, daemon: FakeDaemon, status: int
) -> None:
    """It is asked as a poll asks, once, with the key."""
    said = check(problem(status, "x", "no such task"))
    assert said.code == 0
    assert f"ok: mulerouter: the key is accepted (HTTP {status} for a made-up task" in said.out
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
def test_what_would_stop_polls_is_told_with_its_fix(check: Check, status: int, words: str, fix: str) -> None:
    """It ends with 1: the configuration itself is sound."""
    said = check(problem(status, "x", "y"))
    assert said.code == 1
    assert "configuration ok" in said.out
    [line, advice] = said.out.splitlines()[-2:]
    assert line.startswith("FAILED: mulerouter: ")
    assert words in line
    assert "fix: " in advice
    assert fix in advice


def test_a_page_is_no_api(check: Check) -> None:
    """A 404 of some web server says nothing about the key."""
    said = check(Canned(404, b"<html>nginx</html>", kind="text/html"))
    assert said.code == 1
    assert "no JSON" in said.out
    assert "base_url" in said.out


def test_a_redirect_is_told_by_its_host_and_not_followed(check: Check, daemon: FakeDaemon) -> None:
    """The key goes to its own provider only."""
    said = check(Canned(302, b"", headers={"Location": f"{daemon.url}/{KEY}"}))
    assert said.code == 1
    assert "redirect to 127.0.0.1 not followed" in said.out
    assert len(daemon.asked) == 1


def test_without_a_key_it_is_told_where_one_goes(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is missing is not one that is refused."""
    monkeypatch.setenv("MULEROUTER_BASE_URL", daemon.url)
    daemon.on("GET", PATH, problem(401, "x", "y"))
    said = run("check", "--online")
    assert "a key is wanted, and none is set (401)" in said.out
    assert "fix: set MULEROUTER_API_KEY" in said.out


def test_out_of_reach_is_told_with_the_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is bound and does not listen refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MULEROUTER_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        said = run("check", "--online")
    assert said.code == 1
    assert "FAILED: mulerouter: unreachable: no connection" in said.out


def test_json_has_each_providers_finding(check: Check) -> None:
    """For a script that sets a machine up."""
    told = json.loads(check(problem(401, "x", "y"), "--json").out)
    assert told["ok"] is False
    assert told["online"]["mulerouter"]["ok"] is False
    assert "401" in told["online"]["mulerouter"]["text"]


def test_without_online_nobody_is_asked(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """check works on a machine with no network."""
    monkeypatch.setenv("MULEROUTER_BASE_URL", daemon.url)
    assert run("check").code == 0
    assert daemon.asked == []
