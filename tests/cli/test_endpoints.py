"""The command endpoints with pause and resume, and the command replay."""

import json
import re
from typing import Any

import pytest

from notifier.core.causes.cause import EndpointSubject
from tests.builders import answered, api_cause
from tests.cli.conftest import Canned, FakeDaemon, Run

URL = "http://127.0.0.1:9001/hook"
ENDPOINT: dict[str, Any] = {
    "id": "ep_1",
    "url": URL,
    "state": "closed",
    "gate": "closed: HTTP 503\x1b[2J",
    "cause": api_cause(answered(503), EndpointSubject("ep_1", URL)),
    "since": "2026-11-23T12:00:00.000Z",
    "next_probe_at": "2026-11-23T12:00:05.000Z",
    "pending": 7,
    "delivered": 9,
    "dead": 0,
    "oldest_pending_at": "2026-11-23T11:00:00.000Z",
}
PAGE = {"endpoints": [ENDPOINT], "next_cursor": None}


def test_endpoints_are_listed_with_their_gate_in_words(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/endpoints", PAGE)
    result = ask("endpoints", "--limit", "7")
    assert result.code == 0
    assert daemon.asked[0].query == {"limit": "7"}
    assert re.search(r"ep_1 +closed: HTTP 503\\x1b\[2J +7 +\S* +http://127.0.0.1:9001/hook", result.out)
    assert json.loads(ask("endpoints", "--json").out) == PAGE


def test_an_empty_list_of_endpoints_is_noted(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/endpoints", {"endpoints": [], "next_cursor": None})
    result = ask("endpoints")
    assert (result.code, result.out, result.err) == (0, "", "no endpoints\n")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_endpoint_is_named_by_its_id(ask: Run, daemon: FakeDaemon, verb: str) -> None:
    daemon.on("POST", f"/v1/endpoints/ep_1/{verb}", {**ENDPOINT, "gate": "open"})
    result = ask("endpoints", verb, "ep_1")
    assert (result.code, result.out) == (0, "ep_1  open\n")
    assert "7 pending" in result.err
    assert len(daemon.asked) == 1
    assert json.loads(ask("endpoints", verb, "ep_1", "--json").out)["id"] == "ep_1"


def test_an_endpoint_is_named_by_any_spelling_of_its_url(ask: Run, daemon: FakeDaemon) -> None:
    """The query is ignored, and all pages of the list are searched."""
    other = {**ENDPOINT, "id": "ep_2", "url": "http://127.0.0.1:9001/other"}
    daemon.on("GET", "/v1/endpoints", {"endpoints": [other], "next_cursor": "c"}, PAGE)
    daemon.on("POST", "/v1/endpoints/ep_1/pause", ENDPOINT)
    assert ask("endpoints", "pause", "HTTP://127.0.0.1:9001/hook?n=1").code == 0
    assert [each.path for each in daemon.asked][-1] == "/v1/endpoints/ep_1/pause"


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("hook", "neither the id"),
        ("dlv_1", "neither the id"),
        ("http://127.0.0.1:1/x", "there is no endpoint"),
    ],
)
def test_what_is_no_endpoint_is_wrong_usage(ask: Run, daemon: FakeDaemon, named: str, why: str) -> None:
    """No request is made with it."""
    daemon.on("GET", "/v1/endpoints", PAGE)
    result = ask("endpoints", "pause", named)
    assert result.code == 64
    assert why in result.err
    assert {each.method for each in daemon.asked} <= {"GET"}


# ---- replay


def test_replay_passes_its_filters_to_the_api(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/deliveries/replay", Canned(202, {"matched": 2}))
    since, until = "2026-11-23T06:00:00.000Z", "2026-11-23T07:00:00.000Z"
    result = ask("replay", "--since", since, "--until", until, "--state", "dead", "--callback", URL)
    assert (result.code, result.out) == (0, "2 deliveries\n")
    expected = {"since": since, "until": until, "state": "dead", "url": URL, "dry_run": False}
    assert daemon.asked[0].json == expected
    assert "10 a second" in result.err


def test_a_dry_run_notes_that_nothing_was_sent(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/deliveries/replay", Canned(202, {"matched": 1}))
    result = ask("replay", "--state", "dead", "--dry-run")
    assert (result.code, result.out) == (0, "1 delivery\n")
    assert "nothing was sent" in result.err
    assert daemon.asked[0].json == {"state": "dead", "dry_run": True}
    assert json.loads(ask("replay", "--state", "dead", "--dry-run", "--json").out) == {"matched": 1}


def test_since_accepts_a_time_before_now(
    ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.cli.options.wall_ms", lambda: 1_795_435_200_000)
    daemon.on("POST", "/v1/deliveries/replay", Canned(202, {"matched": 0}))
    assert ask("replay", "--since", "6h", "--until", "2026-11-23T13:00:00+01:00").code == 0
    assert daemon.asked[0].json["since"] == "2026-11-23T06:00:00.000Z"
    assert daemon.asked[0].json["until"] == "2026-11-23T12:00:00.000Z"


@pytest.mark.parametrize(
    "args", [[], ["--dry-run"], ["--since", "yesterday"], ["--state", "pending"], ["--state", "ded"]]
)
def test_a_replay_without_a_valid_filter_is_wrong_usage(
    ask: Run, daemon: FakeDaemon, args: list[str]
) -> None:
    result = ask("replay", *args)
    assert result.code == 64
    assert daemon.asked == []
