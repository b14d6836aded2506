"""What a command costs before it does anything: a script pays it each time."""

import asyncio
import resource
import sys

from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_most

RUNS = 10
COMMAND = ("-m", "notifier", "version")
LIBRARIES = ("-c", "import click, msgspec, http.client")


async def starting(bench: Bench) -> list[Figure]:
    """Measure the CPU of `notifier version`, and of Python with the libraries that any command needs."""
    runs = bench.pick(RUNS, 2)
    command_ms = min([await _cpu_ms(*COMMAND) for _ in range(runs)])
    libraries_ms = min([await _cpu_ms(*LIBRARIES) for _ in range(runs)])
    bench.say(f"starting: {command_ms:.0f} ms CPU, of which {libraries_ms:.0f} ms Python and libraries")
    note = f"best of {runs}; the limit is Python with click, msgspec and http.client imported"
    return [
        Figure("starting: CPU of a command", command_ms, "ms", at_most(500)),
        Figure("starting: CPU beside Python and libraries", command_ms, "ms", at_most(4), libraries_ms, note),
    ]


async def _cpu_ms(*args: str) -> float:
    """CPU that a process of Python took; no other child of ours ends meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError(f"python {' '.join(args)} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1_000
