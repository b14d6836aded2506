"""The machine's clock is set, or the machine sleeps, under the real command: seen through a shim."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider, SimulatedTask
from tests.disk import shim
from tests.disk.shim import SteppedClock
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shim.why_not() is not None, reason=shim.why_not() or ""),
]

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S


@dataclass
class Stage:
    """A daemon under a clock of its own, with its upstream and its receiver."""

    daemon: DaemonProcess
    clock: SteppedClock
    upstream: SimulatedProvider
    ledger: Ledger
    hook: str

    async def watch(self, duration_s: float, **more: object) -> SimulatedTask:
        task = self.upstream.add(API_PATH, TaskScript(duration_s=duration_s))
        await self.daemon.register(task.task_id, self.hook, **more)
        return task

    async def step(self, wall_s: float) -> None:
        """Set the clock of day, and wait until the daemon has noticed."""
        seen = len(self.steps())
        self.clock.step(wall_s)
        self.ledger.clock_off_s = wall_s
        while len(self.steps()) == seen:
            await asyncio.sleep(0.02)

    def steps(self) -> list[object]:
        return [line for line in self.daemon.lines if line["event"] == "clock.stepped"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim.built(tmp_path_factory.mktemp("shim"))


@asynccontextmanager
async def stage(library: Path, folder: Path, wall_s: float = 0.0, **settings: str) -> AsyncIterator[Stage]:
    """All of it for as long as the block, begun at ``wall_s`` from the real time."""
    clock = SteppedClock(folder / "clock")
    clock.step(wall_s)
    under = {"LD_PRELOAD": str(library), "SHIM_CLOCK": str(clock.path)}
    upstream, ledger = SimulatedProvider(key=KEY), Ledger()
    ledger.clock_off_s = wall_s
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(folder, upstream_url=upstream_url, under=under, **settings)
        await daemon.start()
        ledger.secret = daemon.secret
        try:
            async with asyncio.timeout(60):
                yield Stage(daemon, clock, upstream, ledger, f"{receiver_url}/hook")
        finally:
            status = await daemon.end()
    assert status == 0


@pytest.mark.fault(34, 35)
async def test_a_clock_set_by_days_neither_rushes_nor_delays_nor_expires(
    library: Path, tmp_path: Path
) -> None:
    """Three days on, then six back: polls keep their pace, all is told, signed by the clock there is."""
    async with stage(library, tmp_path, polling__max_interval="400ms") as on:
        begun = time.monotonic()
        tasks = [await on.watch(2.5, expire_after="30m") for _ in range(3)]
        early = await on.watch(0.1, expire_after="30m")
        await on.step(3 * DAY_S)
        late = await on.watch(0.1)
        await on.ledger.until(2)
        assert set(on.ledger.outcomes) == {early.task_id, late.task_id}
        await on.step(-3 * DAY_S)
        await on.ledger.until(5)
        passed_s = time.monotonic() - begun
    assert set(on.ledger.outcomes.values()) == {"task.completed"}
    assert all(task.polls <= 2 + passed_s / 0.2 for task in tasks)


@pytest.mark.fault(36)
async def test_after_a_suspend_what_is_overdue_is_polled_and_nothing_has_expired(
    library: Path, tmp_path: Path
) -> None:
    """Eight hours pass while nothing runs: a poll due in ten minutes is made, after an hour's deadline."""
    async with stage(library, tmp_path, polling__first_after="10m") as on:
        await on.watch(0.0, expire_after="1h")
        on.clock.step(8 * HOUR_S, 8 * HOUR_S)
        on.ledger.clock_off_s = 8 * HOUR_S
        await on.ledger.until(1)
    assert set(on.ledger.outcomes.values()) == {"task.completed"}
    assert on.steps() == []


@pytest.mark.fault(39)
async def test_a_start_in_1970_expires_nothing_when_the_time_is_found(library: Path, tmp_path: Path) -> None:
    """Decades pass at once for a watch of half an hour; it ends as its task does."""
    async with stage(library, tmp_path, wall_s=HOUR_S - time.time(), polling__max_interval="400ms") as on:
        await on.watch(2.0, expire_after="30m")
        await on.step(0.0)
        await on.ledger.until(1)
    assert set(on.ledger.outcomes.values()) == {"task.completed"}
