"""What every store promises about totals, forgetting, and clocks that are set."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import Callback, DeliveryState, MissingStreak, Trouble, WatchState
from notifier.errors import StoreUnavailable
from notifier.store.protocol import Store
from notifier.store.sqlite.store import SqliteStore
from notifier.store.values import WatchQuery
from tests.builders import (
    DAY,
    HOOK,
    HOUR,
    PROVIDER,
    REFUSED,
    SERVER_ERROR,
    attempt,
    end,
    event,
    lease,
    new_watch,
    wait,
)
from tests.fakes import NOON
from tests.store.steps import GIVE_UP, add, claim, finish, finished, take

OTHER = "http://127.0.0.1:9002/other"


async def test_counts_of_an_empty_store_are_noughts(store: Store) -> None:
    counts = await store.counts(now=NOON)
    assert dict(counts.watches) == dict.fromkeys(WatchState, 0)
    assert dict(counts.deliveries) == dict.fromkeys(DeliveryState, 0)
    assert counts.oldest_pending_at is None


async def test_counts_follow_every_change(store: Store) -> None:
    await finished(store, HOOK, OTHER)
    await finished(store, HOOK, task_id="task-2", now=NOON + 5)
    (stopped,) = await add(store, new_watch("task-3"))
    await store.stop_watch(stopped.id, now=NOON)
    await add(store, new_watch("task-4"))
    for dispatch in await take(store, NOON, per_origin=1):
        sequel: AttemptDecision = Delivered() if dispatch.url == HOOK else GiveUp("no")
        await store.record_attempt(dispatch, lease(), attempt(), sequel, REFUSED, now=NOON)
    counts = await store.counts(now=NOON)
    assert {state.value: n for state, n in counts.watches.items() if n} == {
        "completed": 2,
        "stopped": 1,
        "watching": 1,
    }
    assert {state.value: n for state, n in counts.deliveries.items()} == {
        "pending": 1,
        "delivered": 1,
        "dead": 1,
    }
    assert counts.oldest_pending_at == NOON + 5


async def test_an_old_delivery_that_waits_again_is_the_oldest_again(store: Store) -> None:
    await finished(store)
    (dispatch,) = await take(store)
    await store.record_attempt(
        dispatch, lease(), attempt(status=200), Delivered(), AttemptAccepted(), now=NOON
    )
    await finished(store, task_id="task-2", now=NOON + 5)
    await store.redeliver(dispatch.delivery_id, now=NOON + 9, give_up_at=GIVE_UP)
    assert (await store.counts(now=NOON)).oldest_pending_at == NOON


# ---- forgetting


async def settle(store: Store, task_id: str, *sequels: AttemptDecision, ended_at: int = NOON) -> str:
    """A watch that ended at NOON, each of its deliveries ended as told at ``ended_at``."""
    urls = [f"http://10.0.0.{n}/" for n in range(len(sequels))]
    watch = await finished(store, *urls, task_id=task_id)
    deliveries = sorted(await take(store), key=lambda dispatch: dispatch.url)
    for dispatch, sequel in zip(deliveries, sequels, strict=True):
        await store.record_attempt(dispatch, lease(), attempt(), sequel, REFUSED, now=ended_at)
    return watch.id


@pytest.mark.parametrize(
    ("sequels", "delivered_before", "dead_before", "is_forgotten"),
    [
        ([Delivered()], NOON + 6, NOON - DAY, True),
        ([Delivered()], NOON + 5, NOON + DAY, False),
        ([GiveUp("x")], NOON + DAY, NOON + 6, True),
        ([GiveUp("x")], NOON + DAY, NOON + 5, False),
        ([GiveUp("x")], NOON, NOON + DAY, False),
        ([Delivered(), GiveUp("x")], NOON + 6, NOON + 6, True),
        ([Delivered(), GiveUp("x")], NOON + 6, NOON + 5, False),
        ([Delivered(), Retry(NOON + DAY)], NOON + DAY, NOON + DAY, False),
        ([Retry(NOON + DAY)], NOON + DAY, NOON + DAY, False),
    ],
)
async def test_a_watch_is_forgotten_when_all_of_it_is_old_enough(
    store: Store, sequels: list[AttemptDecision], delivered_before: int, dead_before: int, is_forgotten: bool
) -> None:
    """What is still to be delivered is never forgotten, however old."""
    watch_id = await settle(store, "task-1", *sequels, ended_at=NOON + 5)
    step = await store.prune(delivered_before=delivered_before, dead_before=dead_before, limit=9)
    assert step.count == int(is_forgotten)
    assert (await store.watch(watch_id) is None) == is_forgotten


async def test_what_is_forgotten_leaves_nothing_behind(store: Store) -> None:
    """Its deliveries and attempts are gone with it, and the same task may come anew."""
    watch_id = await settle(store, "task-1", Delivered(), GiveUp("x"))
    detail = await store.watch(watch_id)
    assert detail is not None
    assert (await store.prune(delivered_before=NOON + 1, dead_before=NOON + 1, limit=9)).count == 1
    for delivery in detail.deliveries:
        assert await store.delivery(delivery.id) is None
    counts = await store.counts(now=NOON)
    assert sum(counts.watches.values()) + sum(counts.deliveries.values()) == 0
    (again,) = await add(store)
    assert again.id != watch_id


async def test_what_is_watched_or_told_nobody_is_judged_by_its_end_alone(store: Store) -> None:
    (stopped, watching) = await add(store, new_watch("task-1"), new_watch("task-2"))
    await store.stop_watch(stopped.id, now=NOON)
    assert (await store.prune(delivered_before=NOON, dead_before=NOON, limit=9)).count == 0
    assert (await store.prune(delivered_before=NOON + 1, dead_before=NOON - DAY, limit=9)).count == 1
    assert await store.watch(watching.id) is not None


async def test_no_more_than_the_limit_is_forgotten_oldest_first(store: Store) -> None:
    watches = await add(store, *(new_watch(f"task-{n}") for n in range(5)))
    for age, watch in enumerate(watches):
        await store.stop_watch(watch.id, now=NOON - age)
    assert (await store.prune(delivered_before=NOON + 1, dead_before=NOON, limit=2)).count == 2
    assert [await store.watch(watch.id) is None for watch in watches] == [False, False, False, True, True]


async def test_many_that_may_not_go_do_not_hide_those_that_may(store: Store) -> None:
    """More than are looked at in one step end before the one that goes, and stay."""
    many = [new_watch(f"task-{n}") for n in range(1_100)]
    await add(store, *many, max_live=9_999)
    for watch in await claim(store, limit=2_000):
        if watch.task_id == "task-1099":
            await store.stop_watch(watch.id, now=NOON + 1)
        else:
            await finish(store, watch)
    first = await store.prune(delivered_before=NOON + 2, dead_before=NOON + 2, limit=50)
    assert first.count == 0
    last = await store.prune(delivered_before=NOON + 2, dead_before=NOON + 2, limit=50, place=first.place)
    assert (last.count, last.place) == (1, None)


async def test_one_step_forgets_four_megabytes_of_bodies_at_most(store: Store) -> None:
    """Each page of a body is freed by itself, and other writes wait for it. A larger one has a step alone."""
    for n, mebibytes in enumerate((1, 2, 3, 6, 1)):
        await add(store, new_watch(f"task-{n}", callbacks=()))
        (claimed,) = await claim(store)
        told = event(claimed, at=NOON, body=b"x" * (mebibytes * 1_048_576))
        assert await store.record_end(claimed, lease(), end(), told, now=NOON, give_up_at=GIVE_UP)
    counts: list[int] = []
    place = None
    while not counts or place is not None:
        step = await store.prune(delivered_before=NOON + 1, dead_before=NOON + 1, limit=50, place=place)
        counts.append(step.count)
        place = step.place
    assert counts == [2, 1, 1, 1]


async def test_what_a_user_sends_again_meanwhile_is_not_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader found that it may go; the delete looks again."""
    watch = await finished(store)
    (dispatch,) = await take(store)
    await store.record_attempt(dispatch, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON)
    assert isinstance(store, SqliteStore)
    read = store._read

    async def read_then_redeliver(function: Callable[..., Any]) -> Any:
        found = await read(function)
        await store.redeliver(dispatch.delivery_id, now=NOON, give_up_at=GIVE_UP)
        return found

    monkeypatch.setattr(store, "_read", read_then_redeliver)
    assert (await store.prune(delivered_before=NOON + 1, dead_before=NOON + 1, limit=9)).count == 0
    monkeypatch.undo()
    assert await store.watch(watch.id) is not None


# ---- clocks


async def test_a_stepped_clock_moves_every_waiting_instant(store: Store) -> None:
    """Deadlines, leases and what durations are counted from move; what happened stays when it happened."""
    await finished(store, HOOK, task_id="told", now=NOON - 1)
    (sent,) = await take(store)
    await store.record_attempt(sent, lease(), attempt(), Retry(NOON + HOUR), REFUSED, now=NOON)
    await add(store, new_watch("due", first_poll_at=NOON + 5), new_watch("polled", first_poll_at=NOON))
    (claimed,) = await claim(store)
    found = wait(NOON + 60, trouble=Trouble(SERVER_ERROR, NOON - 3), missing=MissingStreak(2, NOON - 4))
    await store.record_wait(claimed, lease(), found, now=NOON)
    before = await store.watch(claimed.id)
    ended_before = await store.watch(sent.watch_id)
    assert before is not None
    assert ended_before is not None

    await store.shift_times(-DAY)

    after = await store.watch(claimed.id)
    assert after is not None
    assert after.watch == replace(
        before.watch,
        registered_at=NOON - DAY,
        last_polled_at=NOON - DAY,
        due_at=NOON + 60 - DAY,
        expires_at=NOON + HOUR - DAY,
        trouble=Trouble(SERVER_ERROR, NOON - 3 - DAY),
        missing=MissingStreak(2, NOON - 4 - DAY),
    )
    ended_after = await store.watch(sent.watch_id)
    assert ended_after is not None
    (moved,) = ended_after.deliveries
    assert ended_after.watch == ended_before.watch
    assert moved == replace(ended_before.deliveries[0], due_at=NOON + HOUR - DAY, give_up_at=GIVE_UP - DAY)
    assert [watch.task_id for watch in await claim(store, NOON + 5 - DAY)] == ["due"]
    assert [one.delivery_id for one in await take(store, NOON + HOUR - DAY)] == [moved.id]


async def test_what_ended_by_the_wrong_clock_is_kept_for_its_time(store: Store) -> None:
    """The machine woke in the past and was then told the time: what ended meanwhile is as young as before."""
    watch_id = await settle(store, "task-1", Delivered(), GiveUp("x"), ended_at=NOON + 5)
    for _ in range(2):  # by two steps, each of which finds it
        await store.shift_times(30 * DAY)
    now = NOON + 60 * DAY
    assert (await store.prune(delivered_before=now, dead_before=now, limit=9)).count == 0
    assert (await store.prune(delivered_before=now + 6, dead_before=now + 5, limit=9)).count == 0
    assert (await store.prune(delivered_before=now + 6, dead_before=now + 6, limit=9)).count == 1
    assert await store.watch(watch_id) is None


async def test_the_age_of_what_has_ended_is_counted_in_time_that_has_passed_too(store: Store) -> None:
    """Figures are made of it, and it may be resumed: it began when it did by the clock that it ended by."""
    await add(store, new_watch("new", registered_at=NOON + 1), new_watch("old", registered_at=NOON - HOUR))
    for claimed in await claim(store, NOON + 2):
        await store.record_wait(claimed, lease(), wait(NOON + 60), now=NOON + 3)
        await store.stop_watch(claimed.id, now=NOON + 4)
    for _ in range(2):
        await store.shift_times(DAY)
    old, new = await store.watches(WatchQuery())
    assert (new.registered_at, new.last_polled_at, new.ended_at) == (
        NOON + 1 + 2 * DAY,
        NOON + 3 + 2 * DAY,
        NOON + 4 + 2 * DAY,
    )
    assert (old.registered_at, old.ended_at) == (NOON - HOUR, NOON + 4 + 2 * DAY)


async def test_what_ended_before_the_start_is_not_moved(store: Store) -> None:
    """It ended by another clock, that of an earlier start, and is none of this one's."""
    (watch,) = await add(store)
    await store.stop_watch(watch.id, now=NOON - 1)
    await store.shift_times(30 * DAY)
    detail = await store.watch(watch.id)
    assert detail is not None
    assert detail.watch.ended_at == NOON - 1


async def test_the_age_of_what_is_watched_is_counted_in_time_that_has_passed(store: Store) -> None:
    """What came since the start moves with the clock; what came before it was told by another one."""
    await add(store, new_watch("new", registered_at=NOON + 1), new_watch("old", registered_at=NOON - HOUR))
    for claimed in await claim(store, NOON + 2):
        await store.record_wait(claimed, lease(), wait(NOON + 60), now=NOON + 3)
    for _ in range(2):
        await store.shift_times(DAY)
    new, old = await claim(store, NOON + 60 + 2 * DAY)
    assert (new.registered_at, new.last_polled_at) == (NOON + 1 + 2 * DAY, NOON + 3 + 2 * DAY)
    assert (old.registered_at, old.last_polled_at) == (NOON - HOUR, NOON + 3 + 2 * DAY)


async def test_leases_move_with_the_clock(store: Store) -> None:
    await finished(store)
    await add(store, new_watch("task-2"))
    assert len(await claim(store)) == len(await take(store)) == 1
    await store.shift_times(DAY)
    assert await claim(store, NOON + DAY + 19_999) == []
    assert await take(store, NOON + DAY + 19_999) == []
    assert len(await claim(store, NOON + DAY + 20_000)) == len(await take(store, NOON + DAY + 20_000)) == 1


# ---- the rest


async def test_heartbeats_and_maintenance_go_through(store: Store) -> None:
    await add(store, new_watch(callbacks=(Callback(HOOK),)))
    await store.heartbeat(now=NOON + 1)
    await store.maintain()
    assert len(await claim(store)) == 1


async def test_a_closed_store_refuses_in_words(store: Store) -> None:
    await add(store)
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.counts(now=NOON)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.claim_watches(PROVIDER, now=NOON, limit=1, lease=lease())
