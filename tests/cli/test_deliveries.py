"""The commands deliveries and redeliver: filters, attempts, and sending again."""

import json

import pytest

from notifier.core.causes.cause import Cause, EndpointSubject
from notifier.core.causes.table import Code
from tests.builders import answered, api_cause
from tests.cli.conftest import DELIVERY, WATCH, Canned, FakeDaemon, Run

HOOK = "http://127.0.0.1:9001/hook"
FIRST = {"number": 1, "at": "2026-11-23T12:00:00.000Z", "duration_ms": 12, "status": 500, "error": None}
SECOND = {"number": 2, "at": "2026-11-23T12:00:01.000Z", "duration_ms": 15000, "status": None}
TRIES = [{**FIRST, "answer": "a\nb\x1b[2J"}, {**SECOND, "error": "no answer in time", "answer": None}]


def test_deliveries_passes_its_filters_to_the_api(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/deliveries", {"deliveries": [DELIVERY], "next_cursor": None})
    result = ask("deliveries", "--state", "dead", "--watch", "wch_1", "--callback", HOOK, "--limit", "7")
    assert result.code == 0
    assert daemon.asked[0].query == {"state": "dead", "watch_id": "wch_1", "url": HOOK, "limit": "7"}
    assert result.out.splitlines()[1].split()[:3] == ["dlv_1", "pending", "2"]


def test_deliveries_with_an_id_shows_its_attempts_and_the_last_reply(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/deliveries/dlv_1", {**DELIVERY, "attempts": TRIES})
    result = ask("deliveries", "dlv_1")
    assert result.code == 0
    assert HOOK in result.out
    assert "15000 ms" in result.out
    assert "no answer in time" in result.out
    assert "reply to attempt 1:\n  a\n  b\\x1b[2J\n" in result.out


def test_deliveries_with_an_id_prints_json(ask: Run, daemon: FakeDaemon) -> None:
    whole = {**DELIVERY, "attempts": TRIES}
    daemon.on("GET", "/v1/deliveries/dlv_1", whole)
    assert json.loads(ask("deliveries", "dlv_1", "--json").out) == whole


def test_redeliver_prints_id_and_state(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/deliveries/dlv_1/redeliver", Canned(202, DELIVERY))
    result = ask("redeliver", "dlv_1")
    assert (result.code, result.out.split()) == (0, ["dlv_1", "pending"])
    assert daemon.asked[0].body == b""
    assert json.loads(ask("redeliver", "dlv_1", "--json").out) == DELIVERY


def test_give_up_prints_id_and_state(ask: Run, daemon: FakeDaemon) -> None:
    dead = {**DELIVERY, "state": "dead"}
    daemon.on("POST", "/v1/deliveries/dlv_1/give-up", dead)
    result = ask("give-up", "dlv_1")
    assert (result.code, result.out.split()) == (0, ["dlv_1", "dead"])
    assert json.loads(ask("give-up", "dlv_1", "--json").out) == dead


def test_give_up_of_an_endpoint_prints_how_many(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/endpoints/ep_1/give-up", Canned(202, {"matched": 2}))
    result = ask("give-up", "--endpoint", "ep_1")
    assert (result.code, result.out) == (0, "2 deliveries\n")
    assert json.loads(ask("give-up", "--endpoint", "ep_1", "--json").out) == {"matched": 2}


@pytest.mark.parametrize("args", [(), ("dlv_1", "--endpoint", "ep_1")])
def test_give_up_wants_one_of_a_delivery_and_an_endpoint(ask: Run, args: tuple[str, ...]) -> None:
    assert ask("give-up", *args).code == 64


def test_the_id_of_a_watch_is_wrong_usage_of_redeliver(ask: Run) -> None:
    result = ask("redeliver", "wch_1")
    assert result.code == 64
    assert "notifier deliveries" in result.err


HELD = {**DELIVERY, "next_attempt_at": "2020-11-23T12:00:00.000Z"}


@pytest.mark.parametrize(
    ("held", "cause", "words"),
    [
        (
            "closed: HTTP 503 since 2020-11-23T12:00:00.000Z, next probe at 2020-11-23T12:00:05.000Z",
            answered(503),
            ("closed: HTTP 503 since 2020-11-23 ", "d ago), next probe at 2020-11-23 ", "test-callback"),
        ),
        (
            "paused by a user",
            Cause(Code.ENDPOINT_PAUSED),
            ("paused by a user", f"fix: `notifier endpoints resume {HOOK}`"),
        ),
    ],
)
def test_a_held_delivery_shows_the_reason_instead_of_a_past_instant(
    ask: Run, daemon: FakeDaemon, held: str, cause: Cause, words: tuple[str, ...]
) -> None:
    """deliveries and show print it with the fix."""
    delivery = {**HELD, "held": held, "cause": api_cause(cause, EndpointSubject(HOOK, HOOK))}
    daemon.on("GET", "/v1/deliveries/dlv_1", {**delivery, "attempts": TRIES})
    daemon.on("GET", "/v1/watches/wch_1", {**WATCH, "deliveries": [delivery]})
    for result in (ask("deliveries", "dlv_1"), ask("show", "wch_1")):
        assert all(word in result.out for word in words), result.out
        assert "next attempt" not in result.out
