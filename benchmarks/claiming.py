"""What it costs to claim watches that are due, beside how many wait: prints one JSON object.

What is claimed is recorded as still running and waits on as before: the next measurement finds the same.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence

import msgspec

from benchmarks.filling import FIRST_DUE_MS, LAST_DUE_MS
from benchmarks.stats import median
from notifier.core.model import Watch
from notifier.core.polling.decision import PollAgain
from notifier.store.protocol import Store
from notifier.store.sqlite.open import open_store
from notifier.store.values import Lease

AT_ONCE = 100
_WARM = 5
_DAY_MS = 86_400_000


class Claimed(msgspec.Struct):
    """What it came to, in microseconds of CPU (and of the clock) for one watch of a hundred."""

    claim_us: float
    claim_clock_us: float
    record_us: float


async def measure(file: str, times: int) -> Claimed:
    """Claim a hundred and record them, ``times`` times; returns medians."""
    now = time.time_ns() // 1_000_000
    store = await open_store(file, owner="bench", now=now, rng=random.SystemRandom())
    try:
        rounds = [await _round(store, now + LAST_DUE_MS) for _ in range(_WARM + times)][_WARM:]
    finally:
        await store.close()
    each = [median(values) * 1e6 / AT_ONCE for values in zip(*rounds, strict=True)]
    return Claimed(*each)


async def _round(store: Store, now: int) -> tuple[float, float, float]:
    """Return the seconds that a claim took in CPU and by the clock, and those of CPU to record it."""
    lease = Lease("bench", now + _DAY_MS)
    cpu, clock = time.process_time(), time.perf_counter()
    claimed = await store.claim_watches("mulerouter", now=now, limit=AT_ONCE, lease=lease)
    cpu_s, clock_s = time.process_time() - cpu, time.perf_counter() - clock
    if len(claimed.watches) != AT_ONCE:
        raise RuntimeError(f"only {len(claimed.watches)} were due")
    cpu = time.process_time()
    await _record(store, claimed.watches, lease, now)
    return cpu_s, clock_s, time.process_time() - cpu


async def _record(store: Store, watches: Sequence[Watch], lease: Lease, now: int) -> None:
    waits = [
        PollAgain(
            due_at=now - random.randint(0, LAST_DUE_MS - FIRST_DUE_MS),
            interval_ms=60_000,
            upstream_status="processing",
            task_created_at=watch.task_created_at,
            trouble=None,
            missing=None,
        )
        for watch in watches
    ]
    await asyncio.gather(
        *(store.record_wait(watch, lease, wait, now=now) for watch, wait in zip(watches, waits, strict=True))
    )


if __name__ == "__main__":
    result = asyncio.run(measure(sys.argv[1], int(sys.argv[2])))
    sys.stdout.buffer.write(msgspec.json.encode(result))
