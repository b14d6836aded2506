"""The daemon's store without its HTTP side: requesters that add watches. Prints one JSON object.

What lies between this and the registrations over HTTP is the price of HTTP.
"""

import asyncio
import random
import sys
import time
import uuid

import msgspec

from benchmarks.one_commit import CALLBACK_URL, METADATA
from benchmarks.tasks import API_PATH
from notifier.core.model import Callback, NewWatch
from notifier.store.sqlite.open import open_store

_DAY_MS = 86_400_000


class Added(msgspec.Struct):
    """What it came to."""

    per_s: float


async def measure(file: str, requesters: int, count: int) -> Added:
    """Add ``count`` watches, one a call, each call waiting for the disk."""
    now = time.time_ns() // 1_000_000
    store = await open_store(file, owner="bench", now=now, rng=random.SystemRandom())

    async def add(times: int) -> None:
        for _ in range(times):
            await store.add_watches([_watch(now)], give_up_at=now + 4 * _DAY_MS, max_live=1_000_000)

    try:
        before = time.monotonic()
        await asyncio.gather(*(add(count // requesters) for _ in range(requesters)))
        return Added(count // requesters * requesters / (time.monotonic() - before))
    finally:
        await store.close()


def _watch(now: int) -> NewWatch:
    return NewWatch(
        provider="mulerouter",
        api_path=API_PATH,
        task_id=str(uuid.uuid4()),
        callbacks=(Callback(CALLBACK_URL),),
        metadata=METADATA,
        registered_at=now,
        first_poll_at=now + _DAY_MS,
        expires_at=now + 2 * _DAY_MS,
    )


if __name__ == "__main__":
    result = asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(result))
