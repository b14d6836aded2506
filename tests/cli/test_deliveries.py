"""The delivery log on a terminal: filters, attempts, and sending again."""

import json

import pytest

from tests.cli.conftest import DELIVERY, WATCH, Canned, FakeDaemon, Run

HOOK = "http://127.0.0.1:9001/hook"
FIRST = {"number": 1, "at": "2026-11-23T12:00:00.000Z", "duration_ms": 12, "status": 500, "error": None}
SECOND = {"number": 2, "at": "2026-11-23T12:00:01.000Z", "duration_ms": 15000, "status": None}
TRIES = [{**FIRST, "answer": "a\nb\x1b[2J"}, {**SECOND, "error": "no answer in time", "answer": None}]


def test_deliveries_pass_the_filters_on(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/deliveries", {"deliveries": [DELIVERY], "next_cursor": None})
    said = ask("deliveries", "--state", "dead", "--watch", "wch_1", "--callback", HOOK, "--limit", "7")
    assert said.code == 0
    assert daemon.asked[0].query == {"state": "dead", "watch_id": "wch_1", "url": HOOK, "limit": "7"}
    assert said.out.splitlines()[1].split()[:3] == ["dlv_1", "pending", "2"]


def test_deliveries_with_an_id_shows_its_attempts_and_the_last_answer(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/deliveries/dlv_1", {**DELIVERY, "attempts": TRIES})
    said = ask("deliveries", "dlv_1")
    assert said.code == 0
    assert HOOK in said.out
    assert "15000 ms" in said.out
    assert "no answer in time" in said.out
    assert "reply to attempt 1:\n  a\n  b\\x1b[2J\n" in said.out


def test_deliveries_with_an_id_answer_in_json_too(ask: Run, daemon: FakeDaemon) -> None:
    whole = {**DELIVERY, "attempts": TRIES}
    daemon.on("GET", "/v1/deliveries/dlv_1", whole)
    assert json.loads(ask("deliveries", "dlv_1", "--json").out) == whole


def test_redeliver_sends_again(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("POST", "/v1/deliveries/dlv_1/redeliver", Canned(202, DELIVERY))
    said = ask("redeliver", "dlv_1")
    assert (said.code, said.out.split()) == (0, ["dlv_1", "pending"])
    assert daemon.asked[0].body == b""
    assert json.loads(ask("redeliver", "dlv_1", "--json").out) == DELIVERY


def test_a_watch_is_not_taken_for_a_delivery(ask: Run) -> None:
    said = ask("redeliver", "wch_1")
    assert said.code == 64
    assert "notifier deliveries" in said.err


HELD = {**DELIVERY, "next_attempt_at": "2020-11-23T12:00:00.000Z"}


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (
            "closed: HTTP 503 since 2020-11-23T12:00:00.000Z, next probe at 2020-11-23T12:00:05.000Z",
            ("closed: HTTP 503 since 2020-11-23 ", "d ago), next probe at 2020-11-23 ", "test-callback"),
        ),
        ("paused by a user", ("paused by a user", f"fix: `notifier endpoints resume {HOOK}`")),
    ],
)
def test_what_is_held_back_says_why_in_place_of_an_instant_that_has_passed(
    ask: Run, daemon: FakeDaemon, held: str, words: tuple[str, ...]
) -> None:
    """For one delivery and for a watch alike, with what to do."""
    daemon.on("GET", "/v1/deliveries/dlv_1", {**HELD, "held": held, "attempts": TRIES})
    daemon.on("GET", "/v1/watches/wch_1", {**WATCH, "deliveries": [{**HELD, "held": held}]})
    for said in (ask("deliveries", "dlv_1"), ask("show", "wch_1")):
        assert all(word in said.out for word in words), said.out
        assert "next attempt" not in said.out
