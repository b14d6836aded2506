"""Short ways to bring a store where a test begins."""

from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.formats.urls import url_to_origin
from notifier.core.model import Callback, ClaimedDelivery, NewWatch, Watch, WatchState
from notifier.store.protocol import Store
from notifier.store.values import WatchAdded
from tests.builders import DAY, PROVIDER, attempt, end, event, lease, new_watch
from tests.fakes import NOON

GIVE_UP = NOON + 3 * DAY


async def add(store: Store, *new: NewWatch, max_live: int = 1_000) -> list[Watch]:
    """Register; every one must be taken."""
    results = await store.add_watches(new or [new_watch()], give_up_at=GIVE_UP, max_live=max_live)
    return [result.watch for result in results if isinstance(result, WatchAdded)]


async def claim(
    store: Store, now: int = NOON, limit: int = 100, until: int | None = None, owner: str = "daemon-1"
) -> list[Watch]:
    """Claim what is due of the usual provider."""
    taken = lease(now + 20_000 if until is None else until, owner)
    return list((await store.claim_watches(PROVIDER, now=now, limit=limit, lease=taken)).watches)


async def finish(
    store: Store,
    watch: Watch,
    state: WatchState = WatchState.COMPLETED,
    *,
    now: int = NOON,
    result_expires_at: int | None = None,
    duration_ms: int | None = None,
) -> None:
    """End a claimed watch."""
    ending = end(state, result_expires_at=result_expires_at, duration_ms=duration_ms)
    told = event(watch, ending, at=now)
    assert await store.record_end(watch, lease(), ending, told, now=now, give_up_at=GIVE_UP)


async def finished(
    store: Store, *urls: str, task_id: str = "task-1", now: int = NOON, **over: object
) -> Watch:
    """A watch that has completed, with a delivery due at ``now`` for each URL."""
    callbacks = tuple(map(Callback, urls)) if urls else new_watch().callbacks
    (watch,) = await add(
        store, new_watch(task_id, callbacks=callbacks, registered_at=now, first_poll_at=now - 1)
    )
    claimed = {one.id: one for one in await claim(store, now)}
    await finish(store, claimed[watch.id], now=now, **over)  # type: ignore[arg-type]
    return claimed[watch.id]


async def proven(store: Store, *urls: str) -> None:
    """Have the origin of each URL accept something, so that its new endpoints are in good standing."""
    for n, url in enumerate(urls):
        origin = url_to_origin(url)
        await finished(store, f"{origin}/proof", task_id=f"proof-{n}", now=NOON - DAY)
        (dispatch,) = await take(store, NOON - DAY)
        assert await store.record_attempt(
            dispatch, lease(), attempt(status=204), Delivered(), AttemptAccepted(), now=NOON - DAY
        )


async def take(
    store: Store,
    now: int = NOON,
    *,
    limit: int = 100,
    per_origin: int = 100,
    busy: dict[str, int] | None = None,
    until: int | None = None,
) -> list[ClaimedDelivery]:
    """Claim deliveries."""
    taken = lease(now + 20_000 if until is None else until)
    claimed = await store.claim_deliveries(
        now=now, limit=limit, lease=taken, busy=busy or {}, per_origin=per_origin
    )
    return list(claimed.deliveries)
