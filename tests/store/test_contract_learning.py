"""What every store promises about how long tasks take: learned with each outcome, known where it matters."""

import random

import pytest

from notifier.core.model import NewWatch, Watch, WatchState
from notifier.core.polling.first_poll import PROMISE_MS, SCOUT_EVERY, SURE_SAMPLES
from notifier.core.polling.learned_schedule import MIN_SAMPLES, TaskDurations
from notifier.store.protocol import Store
from notifier.store.sqlite import durations
from tests.builders import API_PATH, HOUR, PROVIDER, SECOND, end, event, lease, new_watch, wait
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP, add, claim, finish, finished

OTHER_PATH = "/vendors/alibaba/v1/wan2.6-t2v/generation"
LATE = NOON + HOUR


async def teach(store: Store, *durations_ms: int, api_path: str = API_PATH, name: str = "past") -> None:
    """Have a task of the path end for each duration."""
    for number, duration_ms in enumerate(durations_ms):
        await add(store, new_watch(f"{name}-{number}", api_path=api_path, callbacks=()))
        (watch,) = await claim(store)
        await finish(store, watch, duration_ms=duration_ms)


def patient(task_id: str = "new", **over: object) -> NewWatch:
    """A registration whose first poll learning may put off."""
    fields: dict[str, object] = {"first_poll_at": NOON + 2_500, "first_poll_by": LATE, **over}
    return new_watch(task_id, **fields)


async def durations_of(store: Store) -> TaskDurations:
    """The one that is known."""
    (found,) = await store.learned(limit=100)
    assert (found.provider, found.api_path) == (PROVIDER, API_PATH)
    return found.durations


async def test_an_outcome_teaches_how_long_it_took(store: Store) -> None:
    await teach(store, *[100 * SECOND] * 5)
    found = await durations_of(store)
    assert found.finished_count == 5
    assert 88 * SECOND <= found.p5_ms <= found.p50_ms <= found.p90_ms <= 113 * SECOND


async def test_an_end_without_a_duration_teaches_nothing(store: Store) -> None:
    await finished(store)
    assert await store.learned(limit=100) == []


async def test_an_outcome_that_comes_second_teaches_nothing(store: Store) -> None:
    """What is not recorded as the outcome is not learned from either."""
    (watch,) = await add(store)
    await claim(store)
    await store.stop_watch(watch.id, now=NOON)
    ending = end(WatchState.COMPLETED, duration_ms=SECOND)
    told = event(watch, ending)
    assert not await store.record_end(watch, lease(), ending, told, now=NOON, give_up_at=GIVE_UP)
    assert await store.learned(limit=100) == []


async def test_an_outcome_that_is_not_kept_is_not_learned_from(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are one transaction."""
    await add(store)
    (watch,) = await claim(store)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("notifier.store.sqlite.store.watches.record_duration", fail)
    with pytest.raises(RuntimeError, match="planted"):
        await finish(store, watch, duration_ms=SECOND)
    detail = await store.watch(watch.id)
    assert detail is not None
    assert (detail.watch.state, detail.event, detail.deliveries) == (WatchState.WATCHING, None, ())


async def test_from_ten_outcomes_on_the_first_poll_waits_from_nineteen_on_until_tasks_end(
    store: Store,
) -> None:
    """Between them the wait grows with what is known (tests/core/test_first_poll.py)."""
    await teach(store, *[100 * SECOND] * (MIN_SAMPLES - 1))
    (cold,) = await add(store, patient("cold"))
    await teach(store, 100 * SECOND, name="tenth")
    (warm,) = await add(store, patient("warm"))
    await teach(store, *[100 * SECOND] * (SURE_SAMPLES - MIN_SAMPLES), name="later")
    (sure,) = await add(store, patient("sure"))
    found = await durations_of(store)
    assert (cold.due_at, sure.due_at) == (NOON + 2_500, NOON + found.p5_ms)
    assert NOON + 2_500 < (warm.due_at or 0) < (sure.due_at or 0)


async def test_a_first_poll_is_put_off_only_as_far_as_it_may_be(store: Store) -> None:
    await teach(store, *[100 * SECOND] * SURE_SAMPLES)
    bounded, unlearned, another = await add(
        store,
        patient("bounded", first_poll_by=NOON + 9 * SECOND),
        patient("unlearned", first_poll_by=None),
        patient("another", api_path=OTHER_PATH),
    )
    assert (bounded.due_at, unlearned.due_at, another.due_at) == (
        NOON + 9 * SECOND,
        NOON + 2_500,
        NOON + 2_500,
    )


async def test_a_claim_brings_what_is_known_of_each_path(store: Store) -> None:
    await teach(store, 5 * SECOND, 6 * SECOND)
    await add(store, new_watch("one"), new_watch("two"), new_watch("other", api_path=OTHER_PATH))
    claimed = await store.claim_watches(PROVIDER, now=NOON, limit=100, lease=lease())
    assert len(claimed.watches) == 3
    assert claimed.durations == {API_PATH: await durations_of(store)}


async def test_another_providers_tasks_of_the_same_path_are_another_kind(store: Store) -> None:
    await teach(store, 5 * SECOND)
    await add(store, new_watch("other", provider="runway"))
    claimed = await store.claim_watches("runway", now=NOON, limit=100, lease=lease())
    assert (len(claimed.watches), claimed.durations) == (1, {})


async def test_the_paths_with_most_outcomes_are_told_first(store: Store) -> None:
    await teach(store, 5 * SECOND)
    await teach(store, 5 * SECOND, 6 * SECOND, api_path=OTHER_PATH, name="other")
    assert [one.api_path for one in await store.learned(limit=100)] == [OTHER_PATH, API_PATH]
    assert [one.api_path for one in await store.learned(limit=1)] == [OTHER_PATH]


async def test_what_was_learned_outlives_its_watches(store: Store) -> None:
    await teach(store, *[100 * SECOND] * MIN_SAMPLES)
    kept = await durations_of(store)
    forever = NOON + 400 * HOUR
    assert (await store.prune(delivered_before=forever, dead_before=forever, limit=100)).count == MIN_SAMPLES
    assert await durations_of(store) == kept


async def test_only_so_many_paths_are_remembered_those_heard_of_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durations, "MAX_PATHS", 3)
    for number in range(5):
        await add(store, new_watch(api_path=f"/p{number}"))
        (watch,) = await claim(store)
        await finish(store, watch, now=NOON + number, duration_ms=SECOND)
    assert sorted(one.api_path for one in await store.learned(limit=100)) == ["/p2", "/p3", "/p4"]


async def test_what_was_learned_survives_a_restart(opening: OpenStore) -> None:
    first = await opening()
    await teach(first, *[100 * SECOND] * SURE_SAMPLES)
    kept = await durations_of(first)
    await first.close()
    again = await opening(rng=random.Random(2))
    assert await durations_of(again) == kept
    (watch,) = await add(again, patient())
    assert watch.due_at == NOON + kept.p5_ms


async def deferred(store: Store, count: int = 3, **over: object) -> list[Watch]:
    """Watches whose first poll waits for tasks of 100 s to end."""
    await teach(store, *[100 * SECOND] * SURE_SAMPLES)
    return await add(store, *(patient(f"deferred-{n}", **over) for n in range(count)))


async def due_of(store: Store, watch: Watch) -> int | None:
    detail = await store.watch(watch.id)
    assert detail is not None
    return detail.watch.due_at


async def test_one_new_task_in_eight_does_not_wait_in_one_batch_or_in_many(opening: OpenStore) -> None:
    """Nor does a restart begin the count anew."""
    first = await opening()
    watches = await deferred(first, 2 * SCOUT_EVERY - 2)
    await first.close()
    again = await opening(rng=random.Random(2))
    watches += [one for n in range(3) for one in await add(again, patient(f"later-{n}"))]
    scouts = [n for n, watch in enumerate(watches, 1) if watch.due_at == NOON + 2_500]
    assert scouts == [SCOUT_EVERY, 2 * SCOUT_EVERY]


async def test_a_task_that_ends_early_brings_forward_the_first_polls_of_its_path(store: Store) -> None:
    """Of its path at its provider; to where they would be had they been registered now."""
    (waiting,) = await deferred(store, 1)
    others = patient("of-runway", provider="runway"), patient("elsewhere", api_path=OTHER_PATH)
    runway, elsewhere = await add(store, *others)
    before = [await due_of(store, each) for each in (runway, elsewhere)]
    await teach(store, 20 * SECOND, name="early")
    assert await due_of(store, waiting) == NOON + 20 * SECOND
    assert [await due_of(store, each) for each in (runway, elsewhere)] == before
    await teach(store, 10 * SECOND, name="earlier")
    assert await due_of(store, waiting) == NOON + 10 * SECOND


@pytest.mark.parametrize("waited_ms", [19 * SECOND, 21 * SECOND])
async def test_none_is_brought_forward_into_the_past_or_before_first_after(
    store: Store, waited_ms: int
) -> None:
    (waiting,) = await deferred(store, 1, first_poll_at=NOON + 15 * SECOND)
    now = NOON + waited_ms
    await add(store, new_watch("early", registered_at=now - 20 * SECOND, first_poll_at=NOON))
    (early,) = await claim(store, now)
    await finish(store, early, now=now, duration_ms=5 * SECOND)
    assert await due_of(store, waiting) == now
    (other,) = await add(store, patient("other", first_poll_at=NOON + 50 * SECOND))
    assert other.due_at == NOON + 50 * SECOND


async def test_a_first_poll_that_was_asked_for_by_a_user_is_not_put_off_again(store: Store) -> None:
    (waiting,) = await deferred(store, 1)
    await store.poll_now(waiting.id, now=NOON + SECOND)
    asked = await due_of(store, waiting)
    await teach(store, 20 * SECOND, name="early")
    assert await due_of(store, waiting) == asked


async def test_what_was_polled_once_keeps_its_pace(store: Store) -> None:
    (waiting,) = await deferred(store, 1)
    (claimed,) = await claim(store, LATE)
    assert await store.record_wait(claimed, lease(), wait(LATE + 60 * SECOND), now=LATE)
    await teach(store, 20 * SECOND, name="early")
    assert await due_of(store, waiting) == LATE + 60 * SECOND


async def test_a_record_brings_only_so_many_forward_and_the_next_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are due by then or not: each step takes those that no step took before."""
    monkeypatch.setattr(durations, "MAX_BROUGHT_FORWARD", 2)
    waiting = await deferred(store, 5)
    counts = []
    for number in range(4):
        await teach(store, 20 * SECOND, name=f"early-{number}")
        dates = [await due_of(store, each) for each in waiting]
        counts.append(sum((due_at or 0) < NOON + 25 * SECOND for due_at in dates))
    assert counts == [2, 4, 5, 5]


async def test_a_wait_that_differs_by_less_than_is_promised_moves_nothing(store: Store) -> None:
    """Else each task that ends a little early would write the rows of all that wait."""
    (waiting,) = await deferred(store, 1)
    before = await due_of(store, waiting) or 0
    await teach(store, before - NOON - PROMISE_MS + SECOND, name="early")
    assert await due_of(store, waiting) == before


async def test_a_stepped_clock_brings_nothing_forward_and_keeps_what_can_be(store: Store) -> None:
    (waiting,) = await deferred(store, 1, first_poll_at=NOON + 15 * SECOND)
    before = await due_of(store, waiting) or 0
    await store.shift_times(HOUR)
    assert await due_of(store, waiting) == before + HOUR
    await add(store, new_watch("early", registered_at=NOON + HOUR, first_poll_at=NOON))
    (early,) = await claim(store, NOON + HOUR)
    await finish(store, early, now=NOON + HOUR, duration_ms=5 * SECOND)
    assert await due_of(store, waiting) == NOON + HOUR + 15 * SECOND


async def test_a_stop_and_a_resume_leave_nothing_to_bring_forward(store: Store) -> None:
    (waiting,) = await deferred(store, 1)
    await store.stop_watch(waiting.id, now=NOON)
    await teach(store, 20 * SECOND, name="early")
    assert await due_of(store, waiting) is None
    await store.resume_watch(waiting.id, now=LATE, expires_at=LATE + HOUR, max_live=100)
    await teach(store, 10 * SECOND, name="earlier")
    assert await due_of(store, waiting) == LATE
