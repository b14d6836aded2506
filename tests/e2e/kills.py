"""`make kill CYCLES=n`: the real command, killed again and again under load, and a receiver that keeps count.

Each cycle registers tasks while others end and are told of, and ends in `kill -9` at a random moment: while
it starts, while it is asked, polls, sends or writes. A registration whose answer was lost is asked again.
"""

import asyncio
import random
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import uvloop

from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

OUTCOMES = {"completed": "task.completed", "failed": "task.failed", "cancelled": "task.cancelled"}
STARTS_CUT = 0.2  # the share of cycles that end before the daemon is ready
REFUSED = 0.1  # the share of callbacks that the receiver does not take at first
DRAIN_S = 60


@dataclass
class Report:
    """What happened; ``repeats`` are callbacks beyond one a task, ``asked_again`` lost answers."""

    cycles: int = 0
    kills_at_start: int = 0
    tasks: int = 0
    asked_again: int = 0
    callbacks: int = 0
    repeats: int = 0


class Siege:
    """One daemon, its upstream and its receiver, over many lives."""

    def __init__(self, daemon: DaemonProcess, upstream: SimulatedProvider, ledger: Ledger, hook: str) -> None:
        self.report = Report()
        self.expected: dict[str, str] = {}
        self._daemon = daemon
        self._upstream = upstream
        self._ledger = ledger
        self._hook = hook
        self._owed: list[str] = []

    async def cycle(self, rng: random.Random, tasks: int) -> None:
        """Start, work, kill."""
        self.report.cycles += 1
        await self._daemon.launch()
        if self._ledger.secret and rng.random() < STARTS_CUT:
            await asyncio.sleep(rng.uniform(0.0, 1.0))
            self.report.kills_at_start += 1
        else:
            await self._daemon.ready()
            self._ledger.secret = self._daemon.secret
            asking = asyncio.create_task(self._ask(rng, tasks))
            await asyncio.sleep(rng.uniform(0.05, 1.5))
            await self._daemon.kill()
            asking.cancel()
            await asyncio.wait({asking})
        await self._daemon.kill()

    async def settle(self) -> None:
        """One more life, with nobody to end it: all that is owed is asked for, and told."""
        await self._daemon.start()
        for task_id in self._owed:
            await self._daemon.register(task_id, self._hook)
        async with asyncio.timeout(DRAIN_S):
            await self._ledger.until(len(self.expected))
        assert await self._daemon.end() == 0

    async def _ask(self, rng: random.Random, tasks: int) -> None:
        """Register what no answer has come for, then new ones."""
        for _ in range(tasks):
            outcome = rng.choice(list(OUTCOMES))
            script = TaskScript(duration_s=rng.uniform(0.1, 3.0), outcome=outcome)  # type: ignore[arg-type]
            task = self._upstream.add(API_PATH, script)
            self.expected[task.task_id] = OUTCOMES[outcome]
            self._owed.append(task.task_id)
        self.report.tasks = len(self.expected)
        for task_id in list(self._owed):
            await asyncio.sleep(rng.uniform(0, 1.5 / tasks))
            try:
                await self._daemon.register(task_id, self._hook)
            except (httpx.HTTPError, asyncio.CancelledError):
                self.report.asked_again += 1
                raise
            self._owed.remove(task_id)

    def judge(self) -> None:
        """Every task was told of, rightly, by one event, whose repeats are the same bytes; all is sound."""
        bodies = self._ledger.bodies
        self.report.callbacks = sum(map(len, bodies.values()))
        self.report.repeats = self.report.callbacks - len(bodies)
        assert self._ledger.outcomes == self.expected
        assert len(bodies) == len(self.expected), "one event a task"
        assert all(len(set(each)) == 1 for each in bodies.values())
        with closing(sqlite3.connect(self._daemon.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*) FROM deliveries").fetchone()[0] == len(bodies)


async def besiege(folder: Path, cycles: int, tasks: int, rng: random.Random) -> Report:
    """Run so many cycles in a folder; raises AssertionError where a promise was broken."""
    answers = [503 if rng.random() < REFUSED else 204 for _ in range(cycles * tasks)]
    ledger, upstream = Ledger(answers=answers), SimulatedProvider(key=KEY)
    ledger.takes_s = 0.1  # so that a kill may fall between its having it and our knowing
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(folder, upstream_url=upstream_url)
        siege = Siege(daemon, upstream, ledger, f"{receiver_url}/hook")
        try:
            for _ in range(cycles):
                await siege.cycle(rng, tasks)
            await siege.settle()
        finally:
            await daemon.kill()
    siege.judge()
    no_key_in(daemon)
    return siege.report


def no_key_in(daemon: DaemonProcess) -> None:
    """Neither log nor file holds the provider's key."""
    assert KEY not in str(daemon.lines)
    for file in daemon.folder.iterdir():
        assert KEY.encode() not in file.read_bytes(), file.name


def main(cycles: int = 300, seed: int | None = None) -> None:
    """Besiege, and print the report."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = uvloop.run(besiege(Path(folder), cycles, 20, random.Random(seed)))
    print(asdict(report))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
