"""The limit of polling: the daemon's own HTTP client asking as fast as it can, and nothing else.

A process of its own, so that its CPU time is that of the client alone: prints one JSON object.
"""

import asyncio
import resource
import sys
import time
from itertools import cycle

import msgspec
import uvloop

from benchmarks.processes import KEY
from benchmarks.tasks import API_PATH
from notifier.core.replies import Reply
from notifier.wire.client import HttpWire

IN_FLIGHT = 64
_HEADERS = {"accept": "application/json", "Authorization": f"Bearer {KEY}"}


class Bare(msgspec.Struct):
    """What it came to."""

    cpu_ms_per_get: float
    gets_per_s: float


async def measure(url: str, count: int, task_ids: list[str]) -> Bare:
    """Warm up, then GET ``count`` times, as many in flight as the daemon is allowed."""
    wire = HttpWire(connections=IN_FLIGHT, keepalive_s=90.0, max_body=4 * 1024 * 1024)
    urls = cycle([f"{url}{API_PATH}/{task_id}" for task_id in task_ids])

    async def ask(times: int) -> None:
        for _ in range(times):
            exchange = await wire.get(next(urls), _HEADERS, timeout_ms=15_000)
            if not isinstance(exchange, Reply) or exchange.status != 200:
                raise RuntimeError(f"the simulator did not answer as it should: {exchange}")

    async def ask_side_by_side(times: int) -> None:
        await asyncio.gather(*(ask(times // IN_FLIGHT) for _ in range(IN_FLIGHT)))

    try:
        await ask_side_by_side(IN_FLIGHT * 4)
        cpu_before, before = _cpu_s(), time.monotonic()
        await ask_side_by_side(count)
        asked = count // IN_FLIGHT * IN_FLIGHT
        return Bare((_cpu_s() - cpu_before) * 1_000 / asked, asked / (time.monotonic() - before))
    finally:
        await wire.close()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    bare = uvloop.run(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
    sys.stdout.buffer.write(msgspec.json.encode(bare))
