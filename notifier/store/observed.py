"""A store that tells what it has changed: each verb first, then the word of it.

What is told is on disk, and is told by the caller's own task. So a caller that is cancelled while it waits
(only a stop does that) tells nothing, though its change may be kept.
"""

from collections.abc import Sequence
from typing import Any, cast

from notifier.core.delivery.decision import AttemptDecision
from notifier.core.delivery.endpoint import Report
from notifier.core.model import Attempt, ClaimedDelivery, Delivery, Event, NewWatch, Watch
from notifier.core.polling.decision import EndWatch, PollAgain
from notifier.ports import ChangeListener
from notifier.store.protocol import Store
from notifier.store.values import (
    AttemptRecorded,
    CallbackLimitReached,
    ChangeRefused,
    EndpointDetail,
    Lease,
    WatchAdded,
    WatchLimitReached,
)


def told(store: Store, changes: ChangeListener) -> Store:
    """Return ``store``, with ``changes`` told of what is done through it."""
    return cast("Store", _Told(store, changes))


class _Told:
    """The verbs that change what is listed; all others are the store's own."""

    def __init__(self, store: Store, changes: ChangeListener) -> None:
        self._store = store
        self._changes = changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def add_watches(
        self, new: Sequence[NewWatch], *, give_up_at: int, max_live: int
    ) -> list[WatchAdded | WatchLimitReached | CallbackLimitReached]:
        outcomes = await self._store.add_watches(new, give_up_at=give_up_at, max_live=max_live)
        for outcome in outcomes:
            if isinstance(outcome, WatchAdded):
                self._changes.watch(outcome.watch.id)
                if outcome.watch.ended_at is not None:
                    self._changes.deliveries_of(outcome.watch.id)
        return outcomes

    async def record_wait(self, watch: Watch, lease: Lease, wait: PollAgain, *, now: int) -> bool:
        kept = await self._store.record_wait(watch, lease, wait, now=now)
        if kept:
            is_as_before = (watch.trouble, watch.upstream_status) == (wait.trouble, wait.upstream_status)
            (self._changes.polled if is_as_before else self._changes.watch)(watch.id)
        return kept

    async def record_end(
        self, watch: Watch, lease: Lease, end: EndWatch, event: Event, *, now: int, give_up_at: int
    ) -> bool:
        kept = await self._store.record_end(watch, lease, end, event, now=now, give_up_at=give_up_at)
        if kept:
            self._changes.watch(watch.id)
            self._changes.deliveries_of(watch.id)
        return kept

    async def stop_watch(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        return self._tell(await self._store.stop_watch(watch_id, now=now))

    async def resume_watch(
        self, watch_id: str, *, now: int, expires_at: int, max_live: int
    ) -> Watch | ChangeRefused | WatchLimitReached:
        resumed = await self._store.resume_watch(watch_id, now=now, expires_at=expires_at, max_live=max_live)
        return resumed if isinstance(resumed, WatchLimitReached) else self._tell(resumed)

    async def poll_now(self, watch_id: str, *, now: int) -> Watch | ChangeRefused:
        return self._tell(await self._store.poll_now(watch_id, now=now))

    async def record_attempt(
        self,
        dispatch: ClaimedDelivery,
        lease: Lease,
        attempt: Attempt,
        sequel: AttemptDecision,
        report: Report,
        *,
        now: int,
    ) -> AttemptRecorded | None:
        kept = await self._store.record_attempt(dispatch, lease, attempt, sequel, report, now=now)
        if kept:
            self._changes.delivery(dispatch.delivery_id)
        return kept

    async def redeliver(self, delivery_id: str, *, now: int, give_up_at: int) -> Delivery | ChangeRefused:
        changed = await self._store.redeliver(delivery_id, now=now, give_up_at=give_up_at)
        if isinstance(changed, Delivery):
            self._changes.delivery(delivery_id)
        return changed

    async def pause_endpoint(self, endpoint_id: str) -> EndpointDetail | ChangeRefused:
        return self._tell_many(await self._store.pause_endpoint(endpoint_id))

    async def resume_endpoint(self, endpoint_id: str, *, now: int) -> EndpointDetail | ChangeRefused:
        return self._tell_many(await self._store.resume_endpoint(endpoint_id, now=now))

    async def replay_some(self, *, now: int, give_up_at: int, limit: int) -> int | None:
        count = await self._store.replay_some(now=now, give_up_at=give_up_at, limit=limit)
        return self._count(count)

    async def give_up_overdue(self, *, now: int, limit: int) -> int:
        return self._count(await self._store.give_up_overdue(now=now, limit=limit)) or 0

    async def prune(self, *, delivered_before: int, dead_before: int, limit: int) -> int:
        count = await self._store.prune(
            delivered_before=delivered_before, dead_before=dead_before, limit=limit
        )
        return self._count(count) or 0

    async def shift_times(self, delta_ms: int) -> None:
        await self._store.shift_times(delta_ms)
        self._changes.many()

    def _tell(self, changed: Watch | ChangeRefused) -> Watch | ChangeRefused:
        if isinstance(changed, Watch):
            self._changes.watch(changed.id)
        return changed

    def _tell_many(self, changed: EndpointDetail | ChangeRefused) -> EndpointDetail | ChangeRefused:
        if isinstance(changed, EndpointDetail):
            self._changes.many()
        return changed

    def _count(self, count: int | None) -> int | None:
        if count:
            self._changes.many()
        return count
