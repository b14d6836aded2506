"""Endpoints on a terminal: how each stands, pause and resume by id or URL, and replays."""

import json
import re
from typing import Any

import pytest

from tests.cli.conftest import Canned, FakeDaemon, Run

URL = "http://127.0.0.1:9001/hook"
ENDPOINT: dict[str, Any] = {
    "id": "ep_1",
    "url": URL,
    "state": "closed",
    "gate": "closed: HTTP 503\x1b[2J",
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
    said = ask("endpoints", "--limit", "7")
    assert said.code == 0
    assert daemon.asked[0].query == {"limit": "7"}
    assert re.search(r"ep_1 +closed: HTTP 503\\x1b\[2J +7 +\S* +http://127.0.0.1:9001/hook", said.out)
    assert json.loads(ask("endpoints", "--json").out) == PAGE


def test_no_endpoints_are_told_too(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/endpoints", {"endpoints": [], "next_cursor": None})
    said = ask("endpoints")
    assert (said.code, said.out, said.err) == (0, "", "no endpoints\n")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_one_is_named_by_its_id(ask: Run, daemon: FakeDaemon, verb: str) -> None:
    daemon.on("POST", f"/v1/endpoints/ep_1/{verb}", {**ENDPOINT, "gate": "open"})
    said = ask("endpoints", verb, "ep_1")
    assert (said.code, said.out) == (0, "ep_1  open\n")
    assert "7 pending" in said.err
    assert len(daemon.asked) == 1
    assert json.loads(ask("endpoints", verb, "ep_1", "--json").out)["id"] == "ep_1"


def test_or_by_its_url_in_whatever_way_it_is_written(ask: Run, daemon: FakeDaemon) -> None:
    """Its query does not matter, and it is found on any page."""
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
    """No path is made of it, and nothing is paused."""
    daemon.on("GET", "/v1/endpoints", PAGE)
    said = ask("endpoints", "pause", named)
    assert said.code == 64
    assert why in said.err
    assert {each.method for each in daemon.asked} <= {"GET"}


# ---- replay


def test_a_replay_passes_its_filters_on(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/deliveries/replay", Canned(202, {"matched": 2}))
    since, until = "2026-11-23T06:00:00.000Z", "2026-11-23T07:00:00.000Z"
    said = ask("replay", "--since", since, "--until", until, "--state", "dead", "--callback", URL)
    assert (said.code, said.out) == (0, "2 deliveries\n")
    wanted = {"since": since, "until": until, "state": "dead", "url": URL, "dry_run": False}
    assert daemon.asked[0].json == wanted
    assert "10 a second" in said.err


def test_a_dry_run_says_that_nothing_was_sent(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/deliveries/replay", Canned(202, {"matched": 1}))
    said = ask("replay", "--state", "dead", "--dry-run")
    assert (said.code, said.out) == (0, "1 delivery\n")
    assert "nothing was sent" in said.err
    assert daemon.asked[0].json == {"state": "dead", "dry_run": True}
    assert json.loads(ask("replay", "--state", "dead", "--dry-run", "--json").out) == {"matched": 1}


def test_since_may_be_so_long_ago(ask: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifier.cli.options.wall_ms", lambda: 1_795_435_200_000)
    daemon.on("POST", "/v1/deliveries/replay", Canned(202, {"matched": 0}))
    assert ask("replay", "--since", "6h", "--until", "2026-11-23T13:00:00+01:00").code == 0
    assert daemon.asked[0].json["since"] == "2026-11-23T06:00:00.000Z"
    assert daemon.asked[0].json["until"] == "2026-11-23T12:00:00.000Z"


@pytest.mark.parametrize(
    "args", [[], ["--dry-run"], ["--since", "yesterday"], ["--state", "pending"], ["--state", "ded"]]
)
def test_what_says_nothing_sensible_is_wrong_usage(ask: Run, daemon: FakeDaemon, args: list[str]) -> None:
    said = ask("replay", *args)
    assert said.code == 64
    assert daemon.asked == []
