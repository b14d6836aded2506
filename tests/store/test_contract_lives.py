"""What every store keeps of a watch's life: enough to tell what happened and why, and no more."""

from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.timeline import MAX_POLLS, TimelineKind, WatchHistory
from notifier.store.protocol import Store
from tests.builders import attempt, lease, wait
from tests.fakes import NOON
from tests.store.steps import add, claim, finished, take


async def history(store: Store, watch_id: str) -> WatchHistory:
    found = await store.history(watch_id)
    assert found is not None
    return found


async def polled(store: Store, at: int, said: str) -> None:
    """One poll that ends nothing, recorded at ``at``; the next is due in a second."""
    (watch,) = await claim(store, at)
    assert await store.record_wait(watch, lease(), wait(at + 1_000, summary=said), now=at)


async def test_an_unknown_watch_has_no_life(store: Store) -> None:
    assert await store.history("wch_1") is None


async def test_each_poll_is_kept_with_what_followed(store: Store) -> None:
    """In the transaction that moves the watch."""
    (watch,) = await add(store)
    await polled(store, NOON, "provider answers HTTP 503")
    (moment,) = (await history(store, watch.id)).entries
    assert (moment.at, moment.kind) == (NOON, TimelineKind.POLL)
    assert moment.text.startswith("provider answers HTTP 503: kept, next in 1.0 s")


async def test_the_last_fifty_polls_are_kept(store: Store) -> None:
    """However long a task runs, its life takes so much and no more."""
    (watch,) = await add(store)
    for n in range(MAX_POLLS + 3):
        await polled(store, NOON + n * 1_000, f"poll {n}")
    told = sorted(moment.at for moment in (await history(store, watch.id)).entries)
    assert told == [NOON + n * 1_000 for n in range(3, MAX_POLLS + 3)]


async def test_a_record_that_comes_too_late_leaves_no_trace(store: Store) -> None:
    """The watch was stopped meanwhile: that is told, the poll is not."""
    (watch,) = await add(store)
    (claimed,) = await claim(store)
    await store.stop_watch(watch.id, now=NOON)
    assert not await store.record_wait(claimed, lease(), wait(summary="late"), now=NOON + 1)
    assert [moment.kind for moment in (await history(store, watch.id)).entries] == [TimelineKind.STOPPED]


async def test_stops_and_resumes_are_told_each_once(store: Store) -> None:
    """A stop of what is stopped is none."""
    (watch,) = await add(store)
    await store.stop_watch(watch.id, now=NOON)
    await store.stop_watch(watch.id, now=NOON + 1)
    await store.resume_watch(watch.id, now=NOON + 2, expires_at=NOON + 60_000, max_live=1_000)
    moments = sorted((await history(store, watch.id)).entries, key=lambda moment: moment.at)
    assert [(moment.at - NOON, moment.kind) for moment in moments] == [
        (0, TimelineKind.STOPPED),
        (2, TimelineKind.RESUMED),
    ]
    assert moments[1].text == "by a user, until 2026-11-23T12:01:00.000Z"


async def test_an_end_is_told_with_its_deliveries_and_attempts(store: Store) -> None:
    watch = await finished(store)
    (dispatch,) = await take(store)
    tried = attempt(status=204)
    assert await store.record_attempt(dispatch, lease(), tried, Delivered(), AttemptAccepted(), now=NOON)
    told = await history(store, watch.id)
    assert [(ending.at, ending.type) for ending in told.round_ends] == [(NOON, "task.completed")]
    ((delivery, attempts),) = told.deliveries
    assert (delivery.id, attempts) == (dispatch.delivery_id, (tried,))


async def test_a_forgotten_watch_takes_its_life_along(store: Store) -> None:
    """Nothing of it is left when retention is over."""
    watch = await finished(store)
    (dispatch,) = await take(store)
    await store.record_attempt(
        dispatch, lease(), attempt(status=204), Delivered(), AttemptAccepted(), now=NOON
    )
    await store.prune(delivered_before=NOON + 1, dead_before=NOON + 1, limit=10)
    assert await store.history(watch.id) is None
