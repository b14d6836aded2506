"""What every store tells of what happened last: bounded, and nothing that would mislead."""

from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import ClaimedDelivery
from notifier.core.task_statistics import FinishedTask
from notifier.store.protocol import Store
from tests.builders import DOWN, HOUR, MINUTE, SECOND, attempt, end, event, lease, new_watch
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP, add, claim, finished, take


async def ended(store: Store, task_id: str, *, at: int, finished_at: int | None) -> None:
    await add(store, new_watch(task_id))
    (watch,) = await claim(store)
    ending = end(finished_at=finished_at)
    told = event(watch, ending, at=at)
    assert await store.record_end(watch, lease(), ending, told, now=at, give_up_at=GIVE_UP)


async def accepted(store: Store, dispatch: ClaimedDelivery, *, at: int, duration_ms: int = 20) -> None:
    made = attempt(number=dispatch.number, at=at, duration_ms=duration_ms, status=204)
    assert await store.record_attempt(dispatch, lease(), made, Delivered(), AttemptAccepted(), now=at)


async def test_an_end_is_told_with_when_it_was_noticed_and_when_it_was_over(store: Store) -> None:
    await ended(store, "task-1", at=NOON + 12 * SECOND, finished_at=NOON + 10 * SECOND)
    await ended(store, "task-2", at=NOON + 20 * SECOND, finished_at=None)
    assert (await store.recent(limit=10)).ends == (
        FinishedTask(NOON, NOON + 20 * SECOND, None, 1),
        FinishedTask(NOON, NOON + 12 * SECOND, NOON + 10 * SECOND, 1),
    )


async def test_no_more_are_looked_at_than_are_asked_for(store: Store) -> None:
    """Those that ended last."""
    for number in range(5):
        await finished(store, task_id=f"task-{number}", now=NOON + number * SECOND)
    found = (await store.recent(limit=2)).ends
    assert [each.ended_at for each in found] == [NOON + 4 * SECOND, NOON + 3 * SECOND]


async def test_what_a_user_stopped_or_resumed_says_nothing_of_us(store: Store) -> None:
    """A resumed one keeps no finish of the round before."""
    await add(store, new_watch("stopped"), new_watch("resumed"))
    stopped, resumed = await claim(store)
    for each in (stopped, resumed):
        await store.stop_watch(each.id, now=NOON)
    await store.resume_watch(resumed.id, now=NOON, expires_at=NOON + HOUR, max_live=1_000)
    (again,) = await claim(store)
    ending = end(finished_at=NOON)
    told = event(again, ending, at=NOON)
    assert await store.record_end(again, lease(), ending, told, now=NOON, give_up_at=GIVE_UP)
    assert (await store.recent(limit=10)).ends == ()


async def test_a_callback_took_until_its_first_2xx(store: Store) -> None:
    """The failed attempts before count, a redelivery after does not."""
    await finished(store)
    (first,) = await take(store)
    refused = attempt(at=NOON, duration_ms=10, status=503)
    assert await store.record_attempt(first, lease(), refused, Retry(NOON + SECOND), DOWN, now=NOON)
    (second,) = await take(store, NOON + SECOND)
    await accepted(store, second, at=NOON + SECOND, duration_ms=30)
    assert (await store.recent(limit=10)).callbacks_ms == (1_030,)
    await store.redeliver(second.delivery_id, now=NOON + HOUR, give_up_at=GIVE_UP)
    assert (await store.recent(limit=10)).callbacks_ms == ()  # on its way again
    (third,) = await take(store, NOON + HOUR)
    await accepted(store, third, at=NOON + HOUR)
    assert (await store.recent(limit=10)).callbacks_ms == (1_030,)


async def test_a_clock_that_was_set_back_makes_no_negative_delay(store: Store) -> None:
    await finished(store, now=NOON + MINUTE)
    (dispatch,) = await take(store, NOON + MINUTE)
    await accepted(store, dispatch, at=NOON)
    assert (await store.recent(limit=10)).callbacks_ms == (0,)


async def test_what_happened_is_known_after_a_restart(opening: OpenStore) -> None:
    first = await opening()
    await ended(first, "task-1", at=NOON + SECOND, finished_at=NOON)
    told = await first.recent(limit=10)
    await first.close()
    assert told.ends
    assert await (await opening()).recent(limit=10) == told
