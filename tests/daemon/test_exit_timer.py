"""A stop that hangs is ended, by a thread that exists from the start on."""

import threading

import pytest

from notifier.daemon.exit_timer import ExitTimer


@pytest.mark.fault(132)
def test_it_ends_the_process_after_the_limit_of_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before the stop begins, and without a new thread then."""
    ended = threading.Event()
    calls: list[tuple[str, float]] = []

    def end(status: int) -> None:
        calls.append(("end", status))
        ended.set()

    timer = ExitTimer(50.0, end=end, sleep=lambda wait_s: calls.append(("sleep", wait_s)))
    assert calls == []
    monkeypatch.delattr(threading.Thread, "start")
    timer.begin()
    assert ended.wait(10)
    assert calls == [("sleep", 50.0), ("end", 1)]
