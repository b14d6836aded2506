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
    assert "(due; if it stays so, `notifier status` says why)" in out
    assert re.search(r"provider refuses the key \(401\)\n +fix: check MULEROUTER_API_KEY", out)
    assert "lost: Not known. 12 answers (says the notifier)" in out
