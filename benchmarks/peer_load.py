"""The load of ``load.py`` on a peer: told of tasks on its stdin, which costs it less than HTTP would."""

import asyncio
import time
from itertools import cycle
from pathlib import Path

from benchmarks import tasks
from benchmarks.client import pool
from benchmarks.delays import Delays
from benchmarks.ledger import receiving
from benchmarks.load import SETTLE_S, Offer, Outcome, Register, steady_rate, submit_all, until_called_back
from benchmarks.processes import KEY, Running, peer, simulator
from benchmarks.usage import Busy, peak_rss_mb, rss_mb


async def offered_to(module: str, folder: Path, offer: Offer) -> Outcome:
    """Make the offer to the peer in ``benchmarks/peers/`` of this name, as ``load.offered`` does."""
    async with (
        simulator(folder) as upstream,
        receiving() as ledger,
        peer(folder, module, upstream.url + tasks.API_PATH, KEY) as running,
        pool(upstream.url, 2) as control,
    ):
        await asyncio.sleep(SETTLE_S)
        busy = Busy({module: running.pid, "simulator": upstream.pid})
        began = time.time()
        ends = await submit_all(offer, control, _registrar(running), cycle(ledger.urls))
        await until_called_back(ledger, ends, offer.grace_s)
        await asyncio.sleep(SETTLE_S / 2)
        busy.stop()
        told = await tasks.told(control)
        return Outcome(
            offer=offer,
            delays=Delays.of(ledger, ends),
            polls=told.polls,
            polls_per_s=steady_rate(told, began, offer),
            cpu_s=busy.seconds[module],
            busy=busy,
            rss_mb=rss_mb(running.pid),
            peak_mb=peak_rss_mb(running.pid),
        )


def _registrar(running: Running) -> Register:
    async def register(task_id: str, hook: str) -> None:
        stdin = running.process.stdin
        assert stdin is not None
        stdin.write(f"{task_id} {hook}\n".encode())
        await stdin.drain()

    return register
