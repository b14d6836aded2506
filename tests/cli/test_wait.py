"""wait ends with 0 for completed, 1 for another end, and 2 after --max-wait."""

import time

import pytest

from notifier.cli import waiting
from tests.cli.conftest import WATCH, FakeDaemon, Run, problem

DONE = {**WATCH, "state": "completed", "outputs": ["https://x/1.jpg"]}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "REPEAT_PAUSE_S", 0.01)
    monkeypatch.setattr(waiting, "RECONNECT_LIMIT_S", 0.2)


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled", "expired", "lost", "stopped"])
def test_only_a_completed_watch_ends_with_0(ask: Run, daemon: FakeDaemon, state: str) -> None:
    daemon.on("GET", "/v1/watches/wch_1", {**WATCH, "state": state})
    result = ask("wait", "wch_1")
    assert (result.code, result.out.split()) == (int(state != "completed"), ["wch_1", state])


def test_wait_polls_in_steps_of_30_s_until_the_watch_has_ended(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches/wch_1", WATCH, WATCH, WATCH, DONE)
    result = ask("wait", "wch_1")
    assert (result.code, result.out) == (0, "wch_1  completed\nhttps://x/1.jpg\n")
    assert [each.query.get("wait") for each in daemon.asked] == [None, "30000ms", "30000ms", "30000ms"]


def test_wait_ends_with_2_after_its_time(ask: Run, daemon: FakeDaemon) -> None:
    daemon.on("GET", "/v1/watches/wch_1", WATCH)
    began = time.monotonic()
    result = ask("wait", "wch_1", "--max-wait", "150ms")
    assert (result.code, result.out) == (2, "wch_1  watching\n")
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
def test_of_several_watches_each_is_printed_and_the_worst_counts(
    ask: Run, daemon: FakeDaemon, states: tuple[str, str], code: int
) -> None:
    for name, state in zip(("wch_1", "wch_2"), states, strict=True):
        daemon.on("GET", f"/v1/watches/{name}", {**WATCH, "id": name, "state": state})
    result = ask("wait", "wch_1", "wch_2", "--max-wait", "60ms")
    assert result.code == code
    assert result.out.splitlines() == [f"wch_1  {states[0]}", f"wch_2  {states[1]}"]


def test_a_missing_watch_ends_wait_at_once(ask: Run, daemon: FakeDaemon) -> None:
    result = ask("wait", "wch_none")
    assert (result.code, result.out) == (1, "")
    assert "not_found" in result.err


def test_wait_survives_a_restart_of_the_daemon(ask: Run, daemon: FakeDaemon) -> None:
    down = problem(503, "not_ready", "starting")
    daemon.on("GET", "/v1/watches/wch_1", WATCH, down, down, DONE)
    result = ask("wait", "wch_1")
    assert result.code == 0
    assert result.err.count("retrying") == 1


def test_wait_ends_if_the_daemon_stays_away(run: Run) -> None:
    gone = FakeDaemon()
    gone.on("GET", "/v1/watches/wch_1", WATCH)
    closing = False
    original_answer = gone._answer

    def answer(asked):  # type: ignore[no-untyped-def]
        nonlocal closing
        if not closing:
            closing = True
            gone._server.socket.close()
        return original_answer(asked)

    gone._answer = answer  # type: ignore[method-assign]
    try:
        result = run("wait", "wch_1", "--url", gone.url)
    finally:
        gone.close()
    assert result.code == 69
    assert "retrying" in result.err


def test_a_wait_of_zero_requests_once(ask: Run, daemon: FakeDaemon) -> None:
    """For scripts that check the state now and then: 2 while the watch is live."""
    daemon.on("GET", "/v1/watches/wch_1", WATCH)
    assert ask("wait", "wch_1", "--max-wait", "0").code == 2
    assert len(daemon.asked) == 1
