"""A daemon with nothing to do."""

import asyncio

from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_most
from benchmarks.processes import daemon
from benchmarks.usage import cpu_seconds, rss_mb

SETTLE_S = 3.0
WATCHED_S = 10.0


async def idle(bench: Bench) -> list[Figure]:
    """Measure memory and CPU with an empty database."""
    settle_s, watched_s = bench.pick(SETTLE_S, 1.0), bench.pick(WATCHED_S, 2.0)
    with bench.folder() as folder:
        async with daemon(folder, {}) as running:
            await asyncio.sleep(settle_s)
            before_s = cpu_seconds(running.pid)
            await asyncio.sleep(watched_s)
            cpu_ms = (cpu_seconds(running.pid) - before_s) * 1_000
            memory_mb = rss_mb(running.pid)
    bench.say(f"idle: {memory_mb:.1f} MB, {cpu_ms / watched_s:.1f} ms CPU a second")
    return [
        Figure("idle: memory", memory_mb, "MB", at_most(65)),
        Figure(
            "idle: CPU", cpu_ms / watched_s, "ms/s", note=f"over {watched_s:g} s; counted in steps of 10 ms"
        ),
    ]
