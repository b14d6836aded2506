"""What goes wrong is said once, in the names that the command was given, with the next step."""

import json
import re

import pytest

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
def test_a_fault_of_the_body_is_told_once_by_the_options_name(
    ask: Run, daemon: FakeDaemon, pointer: str, name: str
) -> None:
    """The command made the body: its pointers say nothing to who gave the options."""
    errors = [{"pointer": pointer, "detail": "is odd"}]
    daemon.on("POST", "/v1/watches", problem(422, "validation_failed", f"{pointer}: is odd", errors))
    said = ask("watch", "/v", "t", "--callback", HOOK)
    assert (said.code, said.err.splitlines()) == (1, [f"notifier: validation_failed: {name}: is odd"])


@pytest.mark.parametrize(
    ("args", "step"),
    [
        (("deliveries", "wch_1"), "notifier deliveries --watch wch_1"),
        (("redeliver", "wch_1"), "notifier deliveries --watch wch_1"),
        (("show", "dlv_1"), "notifier deliveries dlv_1"),
    ],
)
def test_an_id_of_another_kind_is_told_where_it_belongs(run: Run, args: tuple[str, ...], step: str) -> None:
    """Whoever has an id at hand wants to see what it is of."""
    said = run(*args)
    assert said.code == 64
    assert step in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/v", {"task_info": {"id": "a", "status": "pending"}}),
        ("/v", {"task_id": "a", "api_path": "/other"}),
        ("-", {"api_path": "/v", "task_info": {"id": "a"}}),
    ],
)
def test_a_providers_own_answer_is_read_from_stdin(
    ask: Run, daemon: FakeDaemon, path: str, entry: dict[str, object]
) -> None:
    """A submission by curl can be piped on; the path that is given is the one that counts."""
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    args = ["watch", path, *([] if path == "-" else ["-"]), "--callback", HOOK]
    said = ask(*args, stdin=json.dumps(entry).encode())
    assert said.code == 0, said.err
    assert daemon.asked[0].json == {"task_id": "a", "api_path": "/v", "callback_url": HOOK}


def test_an_answer_without_a_path_is_asked_for_it(run: Run) -> None:
    """The provider's answer does not tell where it was submitted."""
    said = run("watch", "-", "--callback", HOOK, stdin=b'{"task_info": {"id": "a"}}')
    assert said.code == 64
    assert "api_path" in said.err


def test_show_says_what_is_due_and_what_to_do_about_a_refused_key(ask: Run, daemon: FakeDaemon) -> None:
    """A poll of the past has not been made yet; a refused key is the reader's to mend."""
    watch = {
        **WATCH,
        "trouble": "provider refuses the key (401)",
        "next_poll_at": "2020-01-01T00:00:00.000Z",
        "error": {"source": "notifier", "code": "lost", "title": "Not known", "detail": "12 answers"},
    }
    daemon.on("GET", "/v1/watches/wch_1", watch)
    out = ask("show", "wch_1").out
    assert "(due; if it stays due, `notifier status` shows why)" in out
    assert re.search(r"provider refuses the key \(401\)\n +fix: check MULEROUTER_API_KEY", out)
    assert "lost: Not known. 12 answers (says the notifier)" in out


@pytest.mark.parametrize(
    ("pointer", "name"), [("watch_id", "--watch"), ("/watch_id", "--watch"), ("url", "--callback")]
)
def test_a_fault_of_a_filter_is_told_by_the_options_name(
    ask: Run, daemon: FakeDaemon, pointer: str, name: str
) -> None:
    """The parameter's name is the API's."""
    errors = [{"pointer": pointer, "detail": "is odd"}]
    daemon.on("GET", "/v1/deliveries", problem(422, "validation_failed", f"{pointer}: is odd", errors))
    said = ask("deliveries", "--watch", "wch_nope")
    assert said.err.splitlines() == [f"notifier: validation_failed: {name}: is odd"]


def test_an_endpoint_that_is_not_there_is_looked_for_by_command(ask: Run, daemon: FakeDaemon) -> None:
    """The API's own words name a call; said once, in the words of the commands."""
    detail = "there is no endpoint of this id; GET /v1/endpoints lists what there is"
    daemon.on("POST", "/v1/endpoints/ep_123/resume", problem(404, "not_found", detail))
    said = ask("endpoints", "resume", "ep_123")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines() == [
        "notifier: not_found: there is no endpoint ep_123",
        "  fix: `notifier endpoints` lists all endpoints",
    ]


def test_a_url_in_place_of_path_and_id_is_taken(ask: Run, daemon: FakeDaemon) -> None:
    """It is what the provider's own documents show; the daemon knows which provider it is of."""
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    url = "https://api.mulerouter.ai/vendors/x/v1/y/generation/3c90"
    assert ask("watch", url, "--callback", HOOK).code == 0
    assert daemon.asked[0].json == {"task_url": url, "callback_url": HOOK}


@pytest.mark.parametrize("task_id", ["3c90", "-"])
def test_a_url_in_place_of_a_path_says_which_part_is_wanted(
    ask: Run, daemon: FakeDaemon, task_id: str
) -> None:
    """An api_path has no host: no field can change where a key goes."""
    said = ask("watch", "https://api.mulerouter.ai/vendors/x", task_id, "--callback", HOOK)
    assert (said.code, daemon.asked) == (64, [])
    assert "leave the scheme and host out: /vendors/x" in " ".join(said.err.split())


def test_an_empty_task_id_is_named_as_what_is_missing(ask: Run, daemon: FakeDaemon) -> None:
    """As ``"$TASK_ID"`` is after a submission that failed; the path is not to blame."""
    said = ask("watch", "/vendors/x", "", "--callback", HOOK)
    assert (said.code, daemon.asked) == (64, [])
    assert "TASK_ID is empty: check whether the task was submitted" in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("word", "step"), [("timeline", "notifier explain ID"), ("completion", "_NOTIFIER_COMPLETE=bash_source")]
)
def test_a_command_of_another_name_is_told_by_its_own(run: Run, word: str, step: str) -> None:
    """What the API and other programs call it."""
    said = run(word)
    assert said.code == 64
    assert step in " ".join(said.err.split())
