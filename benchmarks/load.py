"""One load on the real daemon: tasks come evenly, are registered, polled, and called back for."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import msgspec

from benchmarks import tasks
from benchmarks.client import Pool, pool
from benchmarks.delays import Delays
from benchmarks.ledger import Ledger, receiving
from benchmarks.processes import daemon, simulator
from benchmarks.usage import Busy, peak_rss_mb, rss_mb

Register = Callable[[str, str], Coroutine[None, None, None]]
"""Tells whom we measure of a task, by its id, and where to call back."""

Beside = Callable[[str], AbstractAsyncContextManager[None]]
"""Does something with a daemon, given its URL, for as long as the block lasts."""

INTERVAL_S = 0.25
TURN_S = 0.02
SETTLE_S = 1.0
WARM_S = 8.0
REGISTRARS = 16
SETTINGS = {
    "polling.first_after": "250ms",
    "polling.min_interval": "250ms",
    "polling.max_interval": "250ms",
    "polling.growth": "0",
    "polling.learn": "false",
    "providers.mulerouter.max_rate": "5000/s",
    "providers.mulerouter.max_in_flight": "64",
    "server.max_watches": "2000000",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """So many tasks in so many seconds. ``grace_s`` after the last end, what is not called back is lost."""

    count: int
    over_s: float
    grace_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the daemon, or a peer in its place, made of an offer."""

    offer: Offer
    delays: Delays
    polls: int
    polls_per_s: float
    cpu_s: float
    busy: Busy
    rss_mb: float
    peak_mb: float

    @property
    def cpu_ms_per_poll(self) -> float:
        """CPU of the whole process, for everything that it did, over its polls."""
        return self.cpu_s * 1_000 / max(1, self.polls)


@asynccontextmanager
async def nobody(_url: str) -> AsyncIterator[None]:
    """Leave the daemon alone."""
    yield


async def offered(folder: Path, offer: Offer, *, receivers: int = 1, beside: Beside = nobody) -> Outcome:
    """Make the offer and wait until all is called back, or the grace is over.

    ``folder`` is for the database, which may hold something already; the provider and the receivers of the
    callbacks, to which the tasks go in turn, are new. ``beside`` is there for as long as the load is.
    """
    async with (
        simulator(folder) as upstream,
        receiving(receivers) as ledger,
        daemon(folder, {**SETTINGS, "providers.mulerouter.base_url": upstream.url}) as running,
        pool(upstream.url, 2) as control,
        pool(running.url, REGISTRARS) as api,
        beside(running.url),
    ):
        await asyncio.sleep(SETTLE_S)
        busy = Busy({"daemon": running.pid, "simulator": upstream.pid})
        began = time.time()
        ends = await submit_all(offer, control, partial(_register, api), cycle(ledger.urls))
        await until_called_back(ledger, ends, offer.grace_s)
        await asyncio.sleep(SETTLE_S / 2)  # the last attempts are written down
        busy.stop()
        told = await tasks.told(control)
        return Outcome(
            offer=offer,
            delays=Delays.of(ledger, ends),
            polls=told.polls,
            polls_per_s=steady_rate(told, began, offer),
            cpu_s=busy.seconds["daemon"],
            busy=busy,
            rss_mb=rss_mb(running.pid),
            peak_mb=peak_rss_mb(running.pid),
        )


async def submit_all(offer: Offer, control: Pool, register: Register, hooks: Iterator[str]) -> dict[str, int]:
    """Begin and register each task at its time; what is due within one turn goes together.

    Returns when each ends, in epoch milliseconds, by its id.
    """
    waiting = tasks.plan(offer.count, offer.over_s)[::-1]
    ends: dict[str, int] = {}
    start = time.monotonic()
    async with asyncio.TaskGroup() as registering:
        while waiting:
            elapsed_s = time.monotonic() - start
            due = []
            while waiting and waiting[-1].at_s <= elapsed_s:
                due.append(waiting.pop())
            if due:
                made = await tasks.submit(control, due)
                ends |= made
                for task_id in made:
                    registering.create_task(register(task_id, next(hooks)))
            await asyncio.sleep(TURN_S)
    return ends


async def _register(api: Pool, task_id: str, hook: str) -> None:
    answer = await api.ask("POST", "/v1/watches", registration(task_id, hook))
    if answer.status != 201:
        raise RuntimeError(f"a registration was answered {answer.status}: {answer.body[:200]!r}")


def registration(task_id: str, hook: str) -> bytes:
    """Return the body that registers a task."""
    metadata = {"order": 42, "customer": "c-1093"}
    return msgspec.json.encode(
        {"api_path": tasks.API_PATH, "task_id": task_id, "callback_url": hook, "metadata": metadata}
    )


async def until_called_back(ledger: Ledger, ends: dict[str, int], grace_s: float) -> None:
    """Wait until all is called back, or so long after the last end."""
    deadline = max(ends.values()) / 1_000 + grace_s
    while not ledger.entries.keys() >= ends.keys() and time.time() < deadline:
        await asyncio.sleep(0.05)


def steady_rate(told: tasks.Told, began: float, offer: Offer) -> float:
    """Polls a second from when the tasks that end are as many as those that come, until none come."""
    first, last = began + min(WARM_S, offer.over_s / 2), began + offer.over_s
    count = sum(first <= at / 1_000 < last for task in told.tasks for at in task.polled_at)
    return count / (last - first)
