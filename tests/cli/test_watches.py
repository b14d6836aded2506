"""The commands about watches send the requests of the contract."""

import json
from typing import Any

import pytest

from notifier.providers.catalogue import list_presets, read_preset
from tests.cli.conftest import DELIVERY, WATCH, Canned, FakeDaemon, Run, problem

HOOK = "http://127.0.0.1:9001/hook"


def test_watch_registers_and_prints_id_and_state(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    result = ask("watch", "/vendors/x", "task-1", "--callback", HOOK)
    assert result.code == 0
    assert result.out.split() == ["wch_1", "watching"]
    assert daemon.asked[0].json == {"api_path": "/vendors/x", "task_id": "task-1", "callback_url": HOOK}
    assert daemon.asked[0].headers["content-type"] == "application/json"


def test_watch_sends_all_options(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    options = ["--provider", "p", "--metadata", '{"order": 42}', "--expire-after", "30m"]
    events = ["--event", "task.completed", "--event", "task.failed"]
    assert ask("watch", "/v", "t", "--callback", HOOK, "--callback", "http://b/", *options, *events).code == 0
    names = ["task.completed", "task.failed"]
    assert daemon.asked[0].json == {
        "api_path": "/v",
        "task_id": "t",
        "callbacks": [{"url": HOOK, "events": names}, {"url": "http://b/", "events": names}],
        "provider": "p",
        "metadata": {"order": 42},
        "expire_after": "30m",
    }


def test_several_callbacks_without_events_get_all(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    ask("watch", "/v", "t", "--callback", HOOK, "--callback", "http://b/")
    assert daemon.asked[0].json["callbacks"] == [{"url": HOOK}, {"url": "http://b/"}]


def test_metadata_is_sent_unchanged(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    ask("watch", "/v", "t", "--callback", HOOK, "--metadata", '{"a": 1.0, "b": 1e2, "c": 0.10}')
    assert b'{"a": 1.0, "b": 1e2, "c": 0.10}' in daemon.asked[0].body


def test_a_bare_number_is_a_number_of_seconds(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    assert ask("watch", "/v", "t", "--callback", HOOK, "--expire-after", "90").code == 0
    assert daemon.asked[0].json["expire_after"] == 90


def test_a_second_registration_notes_what_is_unchanged(ask: Run, daemon: FakeDaemon) -> None:
    """A program sees no difference of 200 and 201. A person reads what is unchanged, and the next step."""
    ended = {**WATCH, "state": "expired"}
    daemon.on("POST", "/v1/watches", Canned(200, WATCH), Canned(200, ended), Canned(200, ended))
    args = ("watch", "/v", "t", "--callback", HOOK, "--expire-after", "2h")
    result = ask(*args)
    assert (result.code, result.out.split()) == (0, ["wch_1", "watching"])
    assert result.err.startswith("wch_1 was registered already, at ")
    assert "metadata and deadline are unchanged" in result.err
    assert "new callback URLs, if any, were added" in result.err
    assert "resume" not in result.err
    result = ask(*args)
    assert (result.code, result.out.split()) == (0, ["wch_1", "expired"])
    assert "it has ended; `notifier resume wch_1 --expire-after 2h` resumes it" in result.err
    result = ask(*args, "--json")
    assert json.loads(result.out) == ended
    assert "registered already" in result.err


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("completed", "it has ended; a new callback URL gets its event at once"),
        ("stopped", "`notifier resume wch_1` resumes it"),
    ],
)
def test_a_second_registration_of_an_ended_watch_has_the_next_step(
    ask: Run, daemon: FakeDaemon, state: str, words: str
) -> None:
    """Only some ended watches can be resumed."""
    daemon.on("POST", "/v1/watches", Canned(200, {**WATCH, "state": state}))
    assert words in ask("watch", "/v", "t", "--callback", HOOK).err


def test_a_first_registration_has_no_note(ask: Run, daemon: FakeDaemon) -> None:
    """All options of the command took effect."""
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    assert ask("watch", "/v", "t", "--callback", HOOK, "--metadata", "{}").err == ""


def one(task_id: str) -> dict[str, Any]:
    return {"task_id": task_id, "api_path": "/v", "status": "pending", "more": [1]}


@pytest.mark.parametrize(
    ("stdin", "tasks"),
    [
        (json.dumps(one("a")), ["a"]),
        (json.dumps(one("a"), indent=2) + "\n", ["a"]),
        ("\ufeff" + json.dumps(one("a")), ["a"]),
        (f"{json.dumps(one('a'))}\n{json.dumps(one('b'))}\n\n", ["a", "b"]),
        (f"{json.dumps(one('a'))}{json.dumps(one('b'))}", ["a", "b"]),
        (f"  {json.dumps([one('a'), one('b')])}  ", ["a", "b"]),
        (f"{json.dumps([one('a')])} {json.dumps(one('b'))}", ["a", "b"]),
    ],
)
def test_watch_reads_what_the_mulerouter_command_prints(
    ask: Run, daemon: FakeDaemon, stdin: str, tasks: list[str]
) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    result = ask("watch", "-", "--callback", HOOK, stdin=stdin.encode())
    assert result.code == 0, result.err
    assert [each.json["task_id"] for each in daemon.asked] == tasks
    assert {each.json["api_path"] for each in daemon.asked} == {"/v"}
    assert len(result.out.splitlines()) == len(tasks)


@pytest.mark.parametrize("name", [each for each in list_presets() if not each.startswith("mule")])
def test_watch_passes_any_provider_s_reply_on(ask: Run, daemon: FakeDaemon, name: str) -> None:
    """The daemon knows where it has the ids."""
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    reply = json.loads(read_preset(name)["example"]["reply"]["body"])
    stdin = json.dumps(reply).encode()
    result = ask("watch", "-", "--provider", name, "--callback", HOOK, stdin=stdin)
    assert result.code == 0, result.err
    assert daemon.asked[0].json == {"reply": reply, "provider": name, "callback_url": HOOK}


def test_watch_passes_a_reply_on_with_the_api_path_that_it_lacks(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches", Canned(201, WATCH))
    result = ask("watch", "/v", "-", "--callback", HOOK, stdin=b'{"id": "j-1", "status": "IN_QUEUE"}')
    assert result.code == 0, result.err
    assert daemon.asked[0].json == {
        "reply": {"id": "j-1", "status": "IN_QUEUE"},
        "api_path": "/v",
        "callback_url": HOOK,
    }


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"[]", "is empty"),
        (b"Error: no API key", "is not JSON"),
        (b'{"task_id": "a", "api_path": "/v"} trailing', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b"3", "entry 1 of standard input is not an object"),
        (b'{"api_path": "/v"}', "has no task_id"),
        (b'{"task_id": "a"}', "has no api_path"),
        (b'{"task_id": 5, "api_path": "/v"}', "has no task_id"),
        (b'{"error": "insufficient balance"}', "insufficient balance"),
        (b'[{"task_id": "a", "api_path": "/v"}, {}]', "entry 2"),
    ],
)
def test_invalid_input_registers_nothing_and_is_named(
    ask: Run, daemon: FakeDaemon, stdin: bytes, reason: str
) -> None:
    result = ask("watch", "-", "--callback", HOOK, stdin=stdin)
    assert (result.code, result.out, daemon.asked) == (64, "", [])
    flat = " ".join(result.err.split())
    assert reason in flat
    assert "mulerouter run … --no-wait --json" in flat


@pytest.mark.parametrize(
    ("stdin", "quoted"),
    [
        (b'{"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "bad key"}',
         'has no task_id; input: {"title": "Unauthorized", "status": 401, "detail": "bad key"};'),
        (b'{"error": {"code": 7, "message": "no \\u001b[2J\xe2\x80\xaebalance"}}',
         'input: {"error": {"code": 7, "message": "no \\u001b[2J balance"}};'),
        (b'{"task": 5}', 'input: {"task": 5};'),
        (b'{"a":\n', 'is not JSON; input: {"a":;'),
        (b"<html>\x1b[2J\n<body>" + b"x" * 5_000, "is not JSON; input: <html> [2J <body>xxx"),
        (b"[null]", "is not an object but null;"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["-", "/v"])
def test_a_providers_error_instead_of_a_task_is_quoted(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, path: str, stdin: bytes, quoted: str
) -> None:
    """`curl … | notifier watch PATH -` shows why there is no task, cut and escaped."""
    monkeypatch.setenv("COLUMNS", "5000")
    result = ask(*("watch", path, *(() if path == "-" else ("-",))), "--callback", HOOK, stdin=stdin)
    assert (result.code, result.out, daemon.asked) == (64, "", [])
    assert quoted in result.err
    assert len(result.err) < 1_000
    assert not any(sign in result.err for sign in "\x1b\u202e")


def test_a_refused_task_does_not_stop_the_others(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on(
        "POST",
        "/v1/watches",
        problem(422, "validation_failed", "bad id"),
        Canned(201, {**WATCH, "id": "wch_2"}),
    )
    result = ask("watch", "-", "--callback", HOOK, "--json", stdin=json.dumps([one("a"), one("b")]).encode())
    assert result.code == 1
    assert [json.loads(line)["id"] for line in result.out.splitlines()] == ["wch_2"]
    assert "task a was not registered" in result.err
    assert "validation_failed: bad id" in result.err


def test_ls_passes_its_filters_to_the_api(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches", {"watches": [WATCH], "next_cursor": None})
    result = ask("ls", "--state", "watching", "--provider", "p", "--task-id", "a b&c")
    assert result.code == 0
    assert daemon.asked[0].query == {"state": "watching", "provider": "p", "task_id": "a b&c", "limit": "50"}
    assert result.out.splitlines()[1].startswith("wch_1  watching")


def test_ls_reads_pages_up_to_the_limit_or_the_end(ask: Run, daemon: FakeDaemon) -> None:
    pages = [
        {"watches": [{**WATCH, "id": f"wch_{page}_{n}"} for n in range(2)], "next_cursor": f"c{page}"}
        for page in range(2)
    ]
    last = {"watches": [{**WATCH, "id": "wch_z"}], "next_cursor": None}
    daemon.on("GET", "/v1/watches", *pages, last)
    result = ask("ls", "--all", "--json")
    listing = json.loads(result.out)
    ids = ["wch_0_0", "wch_0_1", "wch_1_0", "wch_1_1", "wch_z"]
    assert [each["id"] for each in listing["watches"]] == ids
    assert listing["next_cursor"] is None
    assert [each.query.get("cursor") for each in daemon.asked] == [None, "c0", "c1"]
    assert {each.query["limit"] for each in daemon.asked} == {"500"}


def test_ls_notes_more_or_no_watches(ask: Run, daemon: FakeDaemon) -> None:
    more = {"watches": [WATCH, WATCH], "next_cursor": "c"}
    daemon.on("GET", "/v1/watches", more, {"watches": [], "next_cursor": None})
    result = ask("ls", "--limit", "2")
    assert "there are more watches" in result.err
    assert daemon.asked[0].query == {"limit": "2"}
    assert ask("ls").out == ""


def test_ls_with_json_prints_the_response_unchanged(ask: Run, daemon: FakeDaemon) -> None:
    raw = (
        b'{"watches":[{"id":"wch_1","state":"watching","metadata":{"n":1.50,"big":1e400}}],"next_cursor":"c"}'
    )
    daemon.on("GET", "/v1/watches", Canned(200, raw))
    assert ask("ls", "--json", "--limit", "1").out.encode() == raw + b"\n"


def test_show_prints_all_fields_and_the_deliveries(ask: Run, daemon: FakeDaemon) -> None:
    ended = {
        **WATCH,
        "state": "failed",
        "outputs": ["https://x/1.jpg", "https://x/2.jpg"],
        "trouble": "provider refuses the key (401)",
        "payload": {"task_info": {}},
        "error": {"source": "provider", "code": 3001, "title": "Unsafe", "detail": "blocked"},
        "deliveries": [DELIVERY],
    }
    daemon.on("GET", "/v1/watches/wch_1", ended)
    result = ask("show", "wch_1")
    assert result.code == 0
    for part in (
        "https://x/2.jpg",
        "provider refuses the key (401)",
        "3001: Unsafe. blocked (says the provider)",
        '{"order": 42}',
        "http://127.0.0.1:9001/hook  task.completed",
        "17 bytes of JSON",
        "dlv_1",
        "HTTP 500",
    ):
        assert part.replace(" ", "") in result.out.replace(" ", ""), part


def test_show_with_json_changes_no_number(ask: Run, daemon: FakeDaemon) -> None:
    raw = b'{"id":"wch_1","payload":{"n":1.50,"big":1e400,"int":123456789012345678901234567890}}'
    daemon.on("GET", "/v1/watches/wch_1", Canned(200, raw))
    assert ask("show", "wch_1", "--json").out.encode() == raw + b"\n"


@pytest.mark.parametrize(
    ("args", "call", "body"),
    [
        (("stop", "wch_1"), ("DELETE", "/v1/watches/wch_1"), b""),
        (("resume", "wch_1"), ("POST", "/v1/watches/wch_1/resume"), b""),
        (
            ("resume", "wch_1", "--expire-after", "2h"),
            ("POST", "/v1/watches/wch_1/resume"),
            b'{"expire_after":"2h"}',
        ),
        (("poll", "wch_1"), ("POST", "/v1/watches/wch_1/poll"), b""),
    ],
)
def test_commands_on_one_watch_print_its_state(
    ask: Run, daemon: FakeDaemon, args: tuple[str, ...], call: tuple[str, str], body: bytes
) -> None:
    daemon.on(*call, {**WATCH, "state": "stopped"})
    result = ask(*args)
    assert (result.code, result.out.split()) == (0, ["wch_1", "stopped"])
    assert daemon.asked[0].body == body
    assert ("content-type" in daemon.asked[0].headers) == bool(body)


def test_stopping_an_ended_watch_ends_with_1(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("DELETE", "/v1/watches/wch_1", problem(409, "conflict", "it is completed"))
    result = ask("stop", "wch_1")
    assert (result.code, result.out) == (1, "")
    assert "conflict: it is completed" in result.err


# ---- stop and resume of all that match


def test_a_stop_without_an_id_passes_its_filters_to_the_api(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/watches/stop", Canned(202, {"matched": 2}))
    since, until = "2026-11-23T06:00:00.000Z", "2026-11-23T07:00:00.000Z"
    filters = ("--since", since, "--until", until, "--provider", "runway", "--api-path", "/v1/model")
    result = ask("stop", *filters)
    assert (result.code, result.out) == (0, "2 watches\n")
    expected = {"since": since, "until": until, "provider": "runway", "api_path": "/v1/model"}
    assert daemon.asked[0].json == {**expected, "dry_run": False}
    assert "100 a second" in result.err


def test_a_resume_without_an_id_passes_its_filters_and_deadline_to_the_api(
    ask: Run, daemon: FakeDaemon
) -> None:
    daemon.on("POST", "/v1/watches/resume", Canned(202, {"matched": 1}))
    result = ask("resume", "--state", "lost", "--api-path", "/v1/model", "--expire-after", "2h")
    assert (result.code, result.out) == (0, "1 watch\n")
    expected = {"state": "lost", "api_path": "/v1/model", "expire_after": "2h", "dry_run": False}
    assert daemon.asked[0].json == expected


@pytest.mark.parametrize("command", ["stop", "resume"])
def test_a_dry_run_notes_that_nothing_was_changed(ask: Run, daemon: FakeDaemon, command: str) -> None:
    daemon.on("POST", f"/v1/watches/{command}", Canned(202, {"matched": 3}))
    result = ask(command, "--provider", "runway", "--dry-run")
    assert (result.code, result.out) == (0, "3 watches\n")
    assert "nothing was" in result.err
    assert daemon.asked[0].json == {"provider": "runway", "dry_run": True}
    assert json.loads(ask(command, "--provider", "runway", "--dry-run", "--json").out) == {"matched": 3}


@pytest.mark.parametrize("command", ["stop", "resume"])
@pytest.mark.parametrize(
    "args",
    [[], ["--dry-run"], ["wch_1", "--provider", "runway"], ["wch_1", "--dry-run"], ["--since", "yesterday"]],
)
def test_neither_an_id_nor_a_filter_or_both_is_wrong_usage(
    ask: Run, daemon: FakeDaemon, command: str, args: list[str]
) -> None:
    """A bare ``stop`` never means all watches."""
    assert ask(command, *args).code == 64
    assert daemon.asked == []


@pytest.mark.parametrize(
    "args",
    [
        ["resume", "--expire-after", "2h"],
        ["resume", "--state", "completed"],
        ["stop", "--state", "lost"],
        ["stop", "--expire-after", "2h", "--provider", "runway"],
    ],
)
def test_what_selects_nothing_that_can_be_changed_is_wrong_usage(
    ask: Run, daemon: FakeDaemon, args: list[str]
) -> None:
    assert ask(*args).code == 64
    assert daemon.asked == []


def test_a_refused_filter_is_named_as_it_was_typed(ask: Run, daemon: FakeDaemon) -> None:
    bad = problem(422, "validation_failed", "no", [{"pointer": "/api_path", "detail": "an api_path is /a"}])
    daemon.on("POST", "/v1/watches/stop", bad)
    assert "--api-path" in ask("stop", "--api-path", "a").err
