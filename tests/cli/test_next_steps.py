"""An error is printed once, in terms of the command's options, with the next step."""

import json
import re

import pytest

from notifier.core.causes.cause import ProviderSubject
from tests.builders import KEY_REFUSED, api_cause
from tests.cli.conftest import WATCH, Canned, FakeDaemon, Run, problem

HOOK = "http://127.0.0.1:9001/hook"


@pytest.mark.parametrize(
    ("pointer", "name"),
    [
        ("/callback_url", "--callback"),
        ("/callbacks/1/url", "--callback"),
        ("/callbacks/0/events/0", "--event"),
        ("/task_id", "TASK_ID"),
        ("/api_path", "API_PATH"),
        ("/metadata", "--metadata"),
        ("/metadata/a/b", "--metadata"),
        ("/expire_after", "--expire-after"),
        ("/provider", "--provider"),
        ("/other", "/other"),
    ],
)
def test_an_error_of_a_body_field_has_the_option_once(
    ask: Run, daemon: FakeDaemon, pointer: str, name: str
) -> None:
    """The user gave options and does not know the fields of the body."""
    errors = [{"pointer": pointer, "detail": "is odd"}]
    daemon.on("POST", "/v1/watches", problem(422, "validation_failed", f"{pointer}: is odd", errors))
    result = ask("watch", "/v", "t", "--callback", HOOK)
    assert (result.code, result.err.splitlines()) == (1, [f"notifier: validation_failed: {name}: is odd"])


@pytest.mark.parametrize(
    ("args", "step"),
    [
        (("deliveries", "wch_1"), "notifier deliveries --watch wch_1"),
        (("redeliver", "wch_1"), "notifier deliveries --watch wch_1"),
        (("show", "dlv_1"), "notifier deliveries dlv_1"),
    ],
)
def test_an_id_of_another_kind_has_its_command(run: Run, args: tuple[str, ...], step: str) -> None:
    """The hint is a command that accepts the id."""
    result = run(*args)
    assert result.code == 64
    assert step in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/v", {"task_info": {"id": "a", "status": "pending"}}),
        ("/v", {"task_id": "a", "api_path": "/other"}),
        ("-", {"api_path": "/v", "task_info": {"id": "a"}}),
    ],
)
def test_a_providers_reply_is_read_from_stdin(
    ask: Run, daemon: FakeDaemon, path: str, entry: dict[str, object]
) -> None:
    """The reply to a submission by curl can be piped. The path of the command line is used."""
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    args = ["watch", path, *([] if path == "-" else ["-"]), "--callback", HOOK]
    result = ask(*args, stdin=json.dumps(entry).encode())
    assert result.code == 0, result.err
    assert daemon.asked[0].json == {"task_id": "a", "api_path": "/v", "callback_url": HOOK}


def test_a_reply_without_a_path_is_wrong_usage(run: Run) -> None:
    """The provider's reply does not contain the path."""
    result = run("watch", "-", "--callback", HOOK, stdin=b'{"task_info": {"id": "a"}}')
    assert result.code == 64
    assert "api_path" in result.err


def test_show_says_what_is_due_and_what_to_do_about_a_refused_key(ask: Run, daemon: FakeDaemon) -> None:
    """A poll whose time has passed is marked as due. The trouble of the key has a fix."""
    watch = {
        **WATCH,
        "trouble": "provider refuses the key (401)",
        "cause": api_cause(KEY_REFUSED, ProviderSubject("mulerouter")),
        "next_poll_at": "2020-01-01T00:00:00.000Z",
        "error": {"source": "notifier", "code": "lost", "title": "Not known", "detail": "12 answers"},
    }
    daemon.on("GET", "/v1/watches/wch_1", watch)
    out = ask("show", "wch_1").out
    assert "(due; if it stays due, `notifier status` shows why)" in out
    assert re.search(r"provider refuses the key \(401\)\n +fix: check MULEROUTER_API_KEY", out)
    assert "lost: Not known. 12 answers (says the notifier)" in out


@pytest.mark.parametrize(
    "cause", [None, {"code": "reply_empty", "fix": ""}, {"code": "of_a_newer_daemon", "fix": ""}]
)
def test_show_says_the_daemons_remedy_and_makes_none_up(
    ask: Run, daemon: FakeDaemon, cause: dict[str, str] | None
) -> None:
    """A text that reads like a trouble of another kind has no remedy for that; an old daemon tells none."""
    text = 'provider says "the disk is damaged (401)", a status we do not know'
    watch = {**WATCH, "trouble": text, **({} if cause is None else {"cause": cause})}
    daemon.on("GET", "/v1/watches/wch_1", watch)
    out = ask("show", "wch_1").out
    assert text in out
    assert "fix:" not in out
    assert "cause" not in out
    daemon.now("GET", "/v1/watches/wch_1", {**watch, "cause": {"code": "x", "fix": "do \x1b[2Jthis"}})
    assert "fix: do \\x1b[2Jthis" in ask("show", "wch_1").out


@pytest.mark.parametrize(
    ("pointer", "name"), [("watch_id", "--watch"), ("/watch_id", "--watch"), ("url", "--callback")]
)
def test_an_error_of_a_filter_has_the_option(ask: Run, daemon: FakeDaemon, pointer: str, name: str) -> None:
    """The user does not know the name of the query parameter."""
    errors = [{"pointer": pointer, "detail": "is odd"}]
    daemon.on("GET", "/v1/deliveries", problem(422, "validation_failed", f"{pointer}: is odd", errors))
    result = ask("deliveries", "--watch", "wch_nope")
    assert result.err.splitlines() == [f"notifier: validation_failed: {name}: is odd"]


def test_a_missing_endpoint_has_a_fix_with_a_command(ask: Run, daemon: FakeDaemon) -> None:
    """The text of the API names a call of the API."""
    detail = "no endpoint has this id; GET /v1/endpoints lists all endpoints"
    daemon.on("POST", "/v1/endpoints/ep_123/resume", problem(404, "not_found", detail))
    result = ask("endpoints", "resume", "ep_123")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines() == [
        "notifier: not_found: there is no endpoint ep_123",
        "  fix: `notifier endpoints` lists all endpoints",
    ]


def test_a_url_may_replace_path_and_id(ask: Run, daemon: FakeDaemon) -> None:
    """Documents of providers show the URL. The daemon finds the provider by it."""
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    url = "https://api.mulerouter.ai/vendors/x/v1/y/generation/3c90"
    assert ask("watch", url, "--callback", HOOK).code == 0
    assert daemon.asked[0].json == {"task_url": url, "callback_url": HOOK}


@pytest.mark.parametrize("task_id", ["3c90", "-"])
def test_a_url_as_path_has_the_part_to_give(ask: Run, daemon: FakeDaemon, task_id: str) -> None:
    """An api_path has no host, so that no field decides to which host a key is sent."""
    result = ask("watch", "https://api.mulerouter.ai/vendors/x", task_id, "--callback", HOOK)
    assert (result.code, daemon.asked) == (64, [])
    assert "leave the scheme and host out: /vendors/x" in " ".join(result.err.split())


def test_an_empty_task_id_is_named(ask: Run, daemon: FakeDaemon) -> None:
    """``"$TASK_ID"`` is empty after a submission that has failed."""
    result = ask("watch", "/vendors/x", "", "--callback", HOOK)
    assert (result.code, daemon.asked) == (64, [])
    assert "TASK_ID is empty: check whether the task was submitted" in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("word", "step"), [("timeline", "notifier explain ID"), ("completion", "_NOTIFIER_COMPLETE=bash_source")]
)
def test_a_wrong_command_name_has_the_right_one(run: Run, word: str, step: str) -> None:
    """The API or other programs use that name."""
    result = run(word)
    assert result.code == 64
    assert step in " ".join(result.err.split())
