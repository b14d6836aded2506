"""The load of ``load.py`` on a peer: told of tasks on its stdin, which costs it less than HTTP would."""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from benchmarks import tasks
from benchmarks.client import Pool, pool
from benchmarks.delays import Delays
from benchmarks.filling import FIRST_DUE_MS, LAST_DUE_MS
from benchmarks.ledger import Ledger, receiving
from benchmarks.load import SETTLE_S, Offer, Outcome, steady_rate, submit_all, until_called_back
from benchmarks.peers.job import MARK
from benchmarks.processes import KEY, PEERS_PYTHON, BenchmarkFailed, Running, peer, simulator
from benchmarks.usage import Busy, peak_rss_mb, rss_mb

BATCH = 1_000
AHEAD = 5 * BATCH
"""A peer is told of so many tasks, at most, before it has taken them in."""
WEIGHED_EVERY = 10 * BATCH


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may need to take in what waits."""

    within_s: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class NoFurther:
    """So many tasks that wait are too many for a peer."""

    why: str


class PeerEnded(BenchmarkFailed):
    """A peer ended over what it was told of; the message has what it said last."""


@dataclass(frozen=True, slots=True)
class Fed:
    """A peer that runs, and all around it."""

    module: str
    running: Running
    upstream: Running
    control: Pool
    ledger: Ledger

    async def waits_for(self, count: int, limits: Limits) -> float | NoFurther:
        """Tell it of tasks that nobody polls for long; returns how many seconds it took to take them in.

        Their first polls are due when those of watches in a filled database are.

        Raises:
            PeerEnded: it ended over it.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(limits.within_s):
                for first in range(0, count, BATCH):
                    told = min(first + BATCH, count)
                    self._tell(_waiting(first, told, self.ledger.urls[0]))
                    await self._has_taken(told - AHEAD)
                    if not told % WEIGHED_EVERY and rss_mb(self.running.pid) > limits.memory_mb:
                        return self._too_many(count, f"before it had {limits.memory_mb:g} MB")
                await self._has_taken(count)
        except TimeoutError:
            return self._too_many(count, f"within {limits.within_s:g} s")
        return time.monotonic() - began

    async def offered(self, offer: Offer) -> Outcome:
        """Make the offer, as ``load.offered`` does."""
        await asyncio.sleep(SETTLE_S)
        busy = Busy({self.module: self.running.pid, "simulator": self.upstream.pid})
        began = time.time()
        ends = await submit_all(offer, self.control, self._register, cycle(self.ledger.urls))
        await until_called_back(self.ledger, ends, offer.grace_s)
        await asyncio.sleep(SETTLE_S / 2)
        busy.stop()
        told = await tasks.told(self.control)
        return Outcome(
            offer=offer,
            delays=Delays.of(self.ledger, ends),
            polls=told.polls,
            polls_per_s=steady_rate(told, began, offer),
            cpu_s=busy.seconds[self.module],
            busy=busy,
            rss_mb=rss_mb(self.running.pid),
            peak_mb=peak_rss_mb(self.running.pid),
        )

    async def _register(self, task_id: str, hook: str) -> None:
        self._tell(f"{task_id} {hook}\n")
        assert self.running.process.stdin is not None
        await self.running.process.stdin.drain()

    def _tell(self, lines: str) -> None:
        assert self.running.process.stdin is not None
        self.running.process.stdin.write(lines.encode())

    async def _has_taken(self, count: int) -> None:
        while self._taken() < count:
            if self.running.process.returncode is not None:
                raise PeerEnded(f"{self.module} ended by itself; it said: {self.running.last_words()}")
            await asyncio.sleep(0.02)

    def _too_many(self, count: int, bounds: str) -> NoFurther:
        return NoFurther(f"of {count}, {self._taken()} were taken in {bounds}")

    def _taken(self) -> int:
        """Return how many it has said to have taken in; several of its processes may say so, in any order."""
        said = (line.get("taken") for line in self.running.said())
        return max((count for count in said if isinstance(count, int)), default=0)


def _waiting(first: int, last: int, hook: str) -> str:
    """Return the lines of a batch of tasks, and the mark after them."""
    rng = random.Random(first)
    lines = [
        f"{uuid.UUID(int=rng.getrandbits(128), version=4)} {hook} "
        f"{rng.randint(FIRST_DUE_MS, LAST_DUE_MS) / 1_000:.3f}\n"
        for _ in range(first, last)
    ]
    return "".join([*lines, f"{MARK}\n"])


@contextlib.asynccontextmanager
async def fed(module: str, folder: Path, *, python: str = PEERS_PYTHON) -> AsyncIterator[Fed]:
    """Run the peer in ``benchmarks/peers/`` of this name for the block."""
    async with (
        simulator(folder) as upstream,
        receiving() as ledger,
        peer(folder, module, upstream.url + tasks.API_PATH, KEY, python=python) as running,
        pool(upstream.url, 2) as control,
    ):
        yield Fed(module, running, upstream, control, ledger)
