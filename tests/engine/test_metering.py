"""What the engine tells of its work, for others to count."""

import asyncio
from typing import Any

import pytest

from notifier.core.delivery.decision import AttemptDecision, Delivered
from notifier.core.exchange import HttpReply
from notifier.core.model import Attempt, ClaimedDelivery, Watch
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.verdict import Finished, Running, Verdict
from notifier.engine.clock_watch import TICK_S, ClockWatch
from notifier.ports import NoMeter
from tests.engine.conftest import HOOK, Bench, task
from tests.engine.test_pulse import Rows, Silent, WallClock


class Notes(NoMeter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.seconds = 0.0

    def stopwatch(self) -> float:
        return self.seconds

    def record_poll(self, watch: Watch, verdict: Verdict, *, late_ms: int) -> None:
        self.told.append(("polled", type(verdict), late_ms))

    def record_end(self, watch: Watch, verdict: Verdict, end: EndWatch, *, now: int) -> None:
        self.told.append(("ended", type(verdict), end.state, now))

    def record_attempt(
        self, dispatch: ClaimedDelivery, attempt: Attempt, sequel: AttemptDecision, *, now: int
    ) -> None:
        self.told.append(("attempted", attempt.status, type(sequel), now))

    def record_lag(self, late_s: float) -> None:
        self.told.append(("lagged", late_s))


async def test_polls_are_told_with_how_late_they_began_and_ends_once_on_disk(bench: Bench) -> None:
    notes = bench.poller._runner.meter = Notes()
    bench.polls.add(bench.url_of(), task("processing"), task("completed"))
    watch_id = await bench.register()
    bench.clock.advance(2_500 + 70)
    await bench.poll()
    due_at = (await bench.see(watch_id)).watch.due_at
    assert due_at is not None
    bench.clock.advance(due_at - bench.clock.now())
    await bench.poll()
    assert notes.told == [
        ("polled", Running, 70),
        ("polled", Finished, 0),
        ("ended", Finished, "completed", bench.clock.now()),
    ]


async def test_attempts_are_told_once_on_disk(bench: Bench) -> None:
    notes = bench.deliverer._meter = Notes()
    bench.polls.add(bench.url_of(), task("completed"))
    bench.posts.add(HOOK, HttpReply(204))
    await bench.register()
    bench.clock.advance(2_500)
    await bench.poll()
    await bench.deliver()
    assert notes.told == [("attempted", 204, Delivered, bench.clock.now())]


async def test_the_pulse_tells_how_late_it_was_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the time that it meant to sleep."""
    notes, rows, scheduler = Notes(), Rows(), Silent()
    pulse = ClockWatch(
        store=rows,  # type: ignore[arg-type]
        clock=WallClock(),
        scheduler=scheduler,  # type: ignore[arg-type]
        shift=lambda _: None,
        meter=notes,
    )

    async def sleep(_seconds: float) -> None:
        if notes.told:
            raise asyncio.CancelledError
        notes.seconds += TICK_S + 0.5

    monkeypatch.setattr("notifier.engine.clock_watch.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await pulse.run()
    assert notes.told == [("lagged", 0.5)]
