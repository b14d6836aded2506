"""Deliveries that wait in a database before a daemon opens it, put there by the store's own verbs."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.one_commit import METADATA
from benchmarks.tasks import API_PATH
from notifier.core.event_body import build_event
from notifier.core.ids import EVENT, new_id
from notifier.core.model import Callback, NewWatch, Watch, WatchState
from notifier.core.polling.decision import EndWatch
from notifier.store.protocol import Store
from notifier.store.sqlite.open import open_store
from notifier.store.values import Lease

_DAY_MS = 86_400_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Parked:
    """One delivery to come: where to, of which task, and when its result expires (epoch ms; None: never)."""

    url: str
    task_id: str
    result_expires_at: int | None = None


async def put(folder: Path, parked: Sequence[Parked]) -> None:
    """Put them into ``notifier.db`` in ``folder``, as after their tasks have ended and before any attempt."""
    now = time.time_ns() // 1_000_000
    store = await open_store(folder / "notifier.db", owner="bench", now=now, rng=random.SystemRandom())
    try:
        for start in range(0, len(parked), _AT_ONCE):
            await _put_some(store, parked[start : start + _AT_ONCE], now)
    finally:
        await store.close()


async def _put_some(store: Store, parked: Sequence[Parked], now: int) -> None:
    new = [_watch(one, now) for one in parked]
    await store.add_watches(new, give_up_at=now + 3 * _DAY_MS, max_live=1_000_000)
    lease = Lease("bench", now + _DAY_MS)
    claimed = await store.claim_watches("mulerouter", now=now, limit=len(parked), lease=lease)
    expiry = {one.task_id: one.result_expires_at for one in parked}
    await asyncio.gather(
        *(_end(store, watch, lease, expiry[watch.task_id], now) for watch in claimed.watches)
    )


async def _end(store: Store, watch: Watch, lease: Lease, expires_at: int | None, now: int) -> None:
    end = EndWatch(
        state=WatchState.COMPLETED,
        upstream_status="completed",
        outputs=("https://127.0.0.1/1.jpg",),
        error=None,
        payload='{"task_info": {"status": "completed"}, "images": ["https://127.0.0.1/1.jpg"]}',
        result_expires_at=expires_at,
        task_created_at=now,
    )
    event = build_event(watch, end, event_id=new_id(EVENT, now, random.getrandbits(80)), now=now)
    if not await store.record_end(watch, lease, end, event, now=now, give_up_at=now + 3 * _DAY_MS):
        raise RuntimeError(f"the store did not take the end of {watch.task_id}")


def _watch(one: Parked, now: int) -> NewWatch:
    return NewWatch(
        provider="mulerouter",
        api_path=API_PATH,
        task_id=one.task_id,
        callbacks=(Callback(one.url),),
        metadata=METADATA,
        registered_at=now,
        first_poll_at=now,
        expires_at=now + _DAY_MS,
    )
