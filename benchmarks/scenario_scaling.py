"""How cost grows with what waits: a thousand to a million watches, and a small load beside them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks import scaling_plot, tasks
from benchmarks.bench import Bench
from benchmarks.claiming import AT_ONCE, Claimed
from benchmarks.client import pool
from benchmarks.databases import SIZES, Database, copied, databases
from benchmarks.figures import Figure, at_most, exactly
from benchmarks.load import SETTINGS, Offer, Outcome, offered, registration
from benchmarks.one_commit import CALLBACK_URL
from benchmarks.processes import daemon, job, simulator
from benchmarks.stats import median, quantile
from benchmarks.usage import peak_rss_mb

QUICK_SIZES = (1_000, 10_000)
LOAD = Offer(count=200, over_s=10.0, grace_s=12.0)
QUICK_LOAD = Offer(count=60, over_s=3.0, grace_s=12.0)
ROUNDS = 2
CLAIMS = 60
FIT_THE_CACHE = 100_000
POLLED = 50
"""So many are being polled when the daemon is killed."""
POLLING_S = 1.0
FIRST_POLL_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Restart:
    """After a kill: how long until it was ready, and from then until the first poll."""

    ready_s: float
    first_poll_s: float
    peak_mb: float


@dataclass
class Size:
    """All that was measured beside so many waiting watches."""

    database: Database
    claims: list[Claimed] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self.database.waiting

    def claim_us(self) -> float:
        """CPU of claiming one watch."""
        return median([claim.claim_us for claim in self.claims])

    def record_us(self) -> float:
        """CPU of recording that one still runs."""
        return median([claim.record_us for claim in self.claims])

    def cpu_ms(self) -> float:
        """CPU of a poll, everything included."""
        return median([outcome.cpu_ms_per_poll for outcome in self.outcomes])

    def noticed_s(self, share: float) -> float:
        """How late ends were noticed."""
        return median([quantile(outcome.delays.noticed_s, share) for outcome in self.outcomes])

    def peak_mb(self) -> float:
        """The most memory that a daemon ever had."""
        return max(
            *(outcome.peak_mb for outcome in self.outcomes), *(restart.peak_mb for restart in self.restarts)
        )


async def scaling(bench: Bench) -> list[Figure]:
    """Measure all sizes in turns; a whole run draws the plot, too."""
    with bench.folder() as folder:
        wanted = bench.pick(SIZES, QUICK_SIZES)
        sizes = [Size(database) for database in await databases(bench, folder, wanted)]
        for _ in range(bench.pick(ROUNDS, 1)):
            for size in sizes:
                size.claims.append(await _claimed(bench, size))
            for size in sizes:
                await _lived_with(bench, size)
    if not bench.is_quick:
        scaling_plot.write([_point(size) for size in sizes])
    return [figure for size in sizes for figure in _figures(size, sizes[0])]


async def _claimed(bench: Bench, size: Size) -> Claimed:
    printed = await job("benchmarks.claiming", str(size.database.file), str(bench.pick(CLAIMS, 20)))
    claimed = msgspec.json.decode(printed, type=Claimed)
    bench.say(
        f"{size.waiting} waiting: claimed at {claimed.claim_us:.1f} us CPU each "
        f"({claimed.claim_clock_us:.1f} by the clock), recorded at {claimed.record_us:.1f}"
    )
    return claimed


async def _lived_with(bench: Bench, size: Size) -> None:
    """A small load beside what waits, and then a crash, on a copy."""
    with bench.folder() as folder:
        copied(size.database.file, folder / "notifier.db")
        outcome = await offered(folder, bench.pick(LOAD, QUICK_LOAD))
        restart = await _restarted(folder)
    size.outcomes.append(outcome)
    size.restarts.append(restart)
    bench.say(
        f"{size.waiting} waiting: {outcome.cpu_ms_per_poll:.3f} ms CPU a poll, noticed after "
        f"{quantile(outcome.delays.noticed_s, 0.5):.3f} s, {outcome.peak_mb:.1f} MB; "
        f"ready {restart.ready_s:.2f} s after kill -9, polling {restart.first_poll_s:.2f} s later"
    )


async def _restarted(folder: Path) -> Restart:
    """Kill the daemon while it polls some and has claims in its hands, and start it again."""
    async with simulator(folder) as upstream, pool(upstream.url, 1) as control:
        settings = {**SETTINGS, "providers.mulerouter.base_url": upstream.url}
        task_ids = await tasks.submit_endless(control, POLLED)
        async with daemon(folder, settings) as running, pool(running.url, 1) as api:
            for task_id in task_ids:
                await api.ask("POST", "/v1/watches", registration(task_id, CALLBACK_URL))
            await asyncio.sleep(POLLING_S)
            await running.kill()
        before = (await tasks.told(control)).polls
        async with daemon(folder, settings) as running:
            ready_at = time.monotonic()
            while (await tasks.told(control)).polls == before:
                if time.monotonic() > ready_at + FIRST_POLL_LIMIT_S:
                    raise RuntimeError("nothing was polled after the kill")
                await asyncio.sleep(0.02)
            first_poll_s = time.monotonic() - ready_at
            await asyncio.sleep(POLLING_S)
            return Restart(running.ready_s, first_poll_s, peak_rss_mb(running.pid))


def _point(size: Size) -> scaling_plot.Point:
    return scaling_plot.Point(
        size.waiting, size.cpu_ms(), size.noticed_s(0.5), size.noticed_s(0.99), size.peak_mb()
    )


def _figures(size: Size, least: Size) -> list[Figure]:
    label = f"{size.waiting} waiting"
    goal = None if size is least else at_most(600)
    return [
        *_of_restarts(label, size.restarts),
        Figure(f"{label}: peak memory", size.peak_mb(), "MB", at_most(100)),
        Figure(f"{label}: disk for each", size.database.bytes_each, "bytes", goal),
        *_against(least, size),
        Figure(f"{label}: lost", sum(one.delays.lost for one in size.outcomes), "tasks", exactly(0)),
    ]


def _of_restarts(label: str, restarts: list[Restart]) -> list[Figure]:
    ready = [restart.ready_s for restart in restarts]
    first = [restart.first_poll_s for restart in restarts]
    each = ", ".join(f"{seconds:.2f}" for seconds in ready)
    return [
        Figure(f"{label}: ready after kill -9", median(ready), "s", at_most(3), note=f"median of {each}"),
        Figure(f"{label}: first poll, after ready", median(first), "s", at_most(1)),
    ]


def _against(least: Size, size: Size) -> list[Figure]:
    """What is compared with the least size, which itself is compared with nothing."""

    def figure(
        what: str, read: Callable[[Size], float], unit: str, *, at: float | None = None, note: str = ""
    ) -> Figure:
        name, value = f"{size.waiting} waiting: {what}", read(size)
        if size is least:
            return Figure(name, value, unit, note=note)
        return Figure(name, value, unit, None if at is None else at_most(at), read(least), note)

    clock = median([claim.claim_clock_us for claim in size.claims])
    by_clock = f"{clock:.0f} us by the clock, with its share of the commit"
    if size.waiting > FIT_THE_CACHE:
        by_clock += "; nearly each is on a page of its own, to be read, logged and checkpointed"
    rate = f"{median([outcome.polls_per_s for outcome in size.outcomes]):.0f} polls/s"
    return [
        figure(f"CPU to claim one of {AT_ONCE} due", Size.claim_us, "us", at=1.5, note=by_clock),
        figure("CPU to record one", Size.record_us, "us"),
        figure("CPU a poll", Size.cpu_ms, "ms", at=1.5, note=rate),
        figure("noticed after, p50", lambda one: one.noticed_s(0.5), "s"),
        figure("noticed after, p99", lambda one: one.noticed_s(0.99), "s"),
    ]
