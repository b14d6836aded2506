"""wait ends with 0 for completed, 1 for any other end, 2 when the time is over."""

import time

import pytest

from notifier.cli import waiting
from tests.cli.conftest import WATCH, FakeDaemon, Run, problem

DONE = {**WATCH, "state": "completed", "outputs": ["https://x/1.jpg"]}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "REQUEST_PAUSE_S", 0.01)
    monkeypatch.setattr(waiting, "RECONNECT_LIMIT_S", 0.2)


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled", "expired", "lost", "stopped"])
def test_only_a_completed_watch_ends_with_0(ask: Run, daemon: FakeDaemon, state: str) -> None:
    daemon.on("GET", "/v1/watches/wch_1", {**WATCH, "state": state})
    said = ask("wait", "wch_1")
    assert (said.code, said.out.split()) == (int(state != "completed"), ["wch_1", state])


def test_it_asks_until_the_watch_has_ended_with_answers_held_30_s(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches/wch_1", WATCH, WATCH, WATCH, DONE)
    said = ask("wait", "wch_1")
    assert (said.code, said.out) == (0, "wch_1  completed\nhttps://x/1.jpg\n")
    assert [each.query.get("wait") for each in daemon.asked] == [None, "30000ms", "30000ms", "30000ms"]


def test_it_ends_with_2_when_the_time_is_over(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches/wch_1", WATCH)
    began = time.monotonic()
    said = ask("wait", "wch_1", "--max-wait", "150ms")
    assert (said.code, said.out) == (2, "wch_1  watching\n")
    assert 0.15 <= time.monotonic() - began < 10
    held = [int(each.query["wait"].removesuffix("ms")) for each in daemon.asked if "wait" in each.query]
    assert held
    assert all(50 <= each <= 150 for each in held)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (("completed", "completed"), 0),
        (("completed", "failed"), 1),
        (("failed", "completed"), 1),
        (("watching", "completed"), 2),
        (("failed", "watching"), 2),
    ],
)
def test_of_several_each_is_told_and_the_worst_counts(
    ask: Run, daemon: FakeDaemon, states: tuple[str, str], code: int
) -> None:
    for name, state in zip(("wch_1", "wch_2"), states, strict=True):
        daemon.on("GET", f"/v1/watches/{name}", {**WATCH, "id": name, "state": state})
    said = ask("wait", "wch_1", "wch_2", "--max-wait", "60ms")
    assert said.code == code
    assert said.out.splitlines() == [f"wch_1  {states[0]}", f"wch_2  {states[1]}"]


def test_a_watch_that_is_not_there_is_a_negative_answer_at_once(ask: Run, daemon: FakeDaemon) -> None:
    said = ask("wait", "wch_none")
    assert (said.code, said.out) == (1, "")
    assert "not_found" in said.err


def test_a_daemon_that_restarts_is_waited_for(ask: Run, daemon: FakeDaemon) -> None:
    down = problem(503, "not_ready", "starting")
    daemon.on("GET", "/v1/watches/wch_1", WATCH, down, down, DONE)
    said = ask("wait", "wch_1")
    assert said.code == 0
    assert said.err.count("retrying") == 1


def test_a_daemon_that_stays_away_ends_the_wait(run: Run) -> None:
    gone = FakeDaemon()
    gone.on("GET", "/v1/watches/wch_1", WATCH)
    closing = False
    kept = gone._answer

    def answer(asked):  # type: ignore[no-untyped-def]
        nonlocal closing
        if not closing:
            closing = True
            gone._server.socket.close()
        return kept(asked)

    gone._answer = answer  # type: ignore[method-assign]
    try:
        said = run("wait", "wch_1", "--url", gone.url)
    finally:
        gone.close()
    assert said.code == 69
    assert "retrying" in said.err


def test_a_wait_of_nothing_asks_once(ask: Run, daemon: FakeDaemon) -> None:
    """For a script that looks now and then: 2 while it runs."""
    daemon.on("GET", "/v1/watches/wch_1", WATCH)
    assert ask("wait", "wch_1", "--max-wait", "0").code == 2
    assert len(daemon.asked) == 1
