"""What every store promises about stopping and resuming all watches that match: each once, some at a time."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from notifier.core.model import Watch, WatchState
from notifier.core.states import WatchAction
from notifier.core.timeline import TimelineKind
from notifier.store.protocol import Store
from notifier.store.sqlite import bulk
from notifier.store.values import (
    MAX_BULK_CHANGES,
    BulkLimitReached,
    ReplayQuery,
    WatchChange,
    WatchesChanged,
    WatchLimitReached,
)
from tests.builders import API_PATH, DAY, HOUR, PROVIDER, new_watch
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import add, claim, finish

LATER = NOON + HOUR
OTHER_PATH = "/vendors/other/v1/model"
CONFIGURED = {PROVIDER: 2 * HOUR, "runway": 3 * HOUR}
RESUME = WatchChange(WatchAction.RESUME)
STOP = WatchChange(WatchAction.STOP)


async def ended(
    store: Store, name: str, state: WatchState, *, at: int = NOON, api_path: str = API_PATH
) -> Watch:
    """A watch that was registered before noon and ended at ``at`` in this state."""
    new = new_watch(name, api_path=api_path, registered_at=NOON - 1, first_poll_at=NOON - 1)
    (watch,) = await add(store, new)
    if state is WatchState.STOPPED:
        await store.stop_watch(watch.id, now=at)
    else:
        (claimed,) = [each for each in await claim(store, at) if each.id == watch.id]
        await finish(store, claimed, state, now=at)
    return watch


async def live(store: Store, name: str, at: int = NOON, **over: object) -> Watch:
    """A watch that was registered at ``at``, and is not due yet."""
    (watch,) = await add(store, new_watch(name, registered_at=at, first_poll_at=NOON + DAY, **over))
    return watch


async def start(
    store: Store,
    change: WatchChange,
    *,
    now: int = LATER,
    dry_run: bool = False,
    max_live: int = 1_000,
    configured: Mapping[str, int] = CONFIGURED,
) -> int | BulkLimitReached | WatchLimitReached:
    return await store.start_watch_change(
        change, now=now, expire_after_ms=configured, max_live=max_live, dry_run=dry_run
    )


async def step(
    store: Store, limit: int = 9, *, max_live: int = 1_000, configured: Mapping[str, int] = CONFIGURED
) -> WatchesChanged | None:
    return await store.change_some_watches(
        now=LATER, expire_after_ms=configured, max_live=max_live, limit=limit
    )


async def finish_all(store: Store, limit: int = 9) -> list[tuple[str, ...]]:
    """Work off all that is under way; returns the ids of each step."""
    steps = []
    while (changed := await step(store, limit)) is not None:
        steps.append(changed.ids)
    return steps


async def state_of(store: Store, watch: Watch) -> WatchState:
    return (await reread(store, watch)).state


async def reread(store: Store, watch: Watch) -> Watch:
    detail = await store.watch(watch.id)
    assert detail is not None
    return detail.watch


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (RESUME, "0123"),
        (replace(RESUME, state=WatchState.LOST), "02"),
        (replace(RESUME, state=WatchState.EXPIRED), "1"),
        (replace(RESUME, state=WatchState.STOPPED), "3"),
        (replace(RESUME, state=WatchState.COMPLETED), ""),
        (replace(RESUME, state=WatchState.WATCHING), ""),
        (replace(RESUME, since=NOON + 1), "123"),
        (replace(RESUME, until=NOON + 1), "0"),
        (replace(RESUME, since=NOON + 1, until=NOON + 3), "12"),
        (replace(RESUME, provider=PROVIDER), "0123"),
        (replace(RESUME, provider="runway"), ""),
        (replace(RESUME, provider="never-seen"), ""),
        (replace(RESUME, api_path=OTHER_PATH), "2"),
        (replace(RESUME, api_path="/never/seen"), ""),
        (replace(RESUME, since=NOON + 1, state=WatchState.LOST, api_path=OTHER_PATH), "2"),
    ],
)
async def test_a_resume_takes_what_matches_and_nothing_else(
    store: Store, change: WatchChange, expected: str
) -> None:
    """What ended in [since, until), in this state, of this provider and path. A dry run only counts."""
    watches = [
        await ended(store, "0", WatchState.LOST),
        await ended(store, "1", WatchState.EXPIRED, at=NOON + 1),
        await ended(store, "2", WatchState.LOST, at=NOON + 2, api_path=OTHER_PATH),
        await ended(store, "3", WatchState.STOPPED, at=NOON + 3),
        await ended(store, "4", WatchState.COMPLETED, at=NOON + 4),
        await live(store, "5"),
    ]
    assert await start(store, change, dry_run=True) == len(expected)
    assert await step(store) is None
    assert await start(store, change) == len(expected)
    ids = [each for some in await finish_all(store) for each in some]
    assert ids == [watches[int(place)].id for place in expected]
    for watch in watches:
        is_live = watch.id in ids or watch is watches[5]
        assert (await state_of(store, watch) is WatchState.WATCHING) == is_live


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (STOP, "0123"),
        (replace(STOP, since=NOON + 1), "123"),
        (replace(STOP, until=NOON + 2), "01"),
        (replace(STOP, provider="runway"), "2"),
        (replace(STOP, api_path=OTHER_PATH), "3"),
        (replace(STOP, provider="runway", api_path=OTHER_PATH), ""),
        (replace(STOP, state=WatchState.LOST), ""),
    ],
)
async def test_a_stop_takes_what_is_live_and_matches(
    store: Store, change: WatchChange, expected: str
) -> None:
    """Registered in [since, until). Those of a provider that is not configured any more can be stopped."""
    watches = [
        await live(store, "0"),
        await live(store, "1", NOON + 1),
        await live(store, "2", NOON + 2, provider="runway"),
        await live(store, "3", NOON + 3, api_path=OTHER_PATH),
        await ended(store, "4", WatchState.LOST, at=NOON + 4),
    ]
    assert await start(store, change, configured={}) == len(expected)
    while (await step(store, configured={})) is not None:
        pass
    stopped = [n for n, each in enumerate(watches) if await state_of(store, each) is WatchState.STOPPED]
    assert stopped == [int(place) for place in expected]


async def test_each_watch_is_changed_as_one_alone_is(store: Store) -> None:
    """A resume starts a round, due now, with the deadline of the provider; its timeline says so."""
    watch = await ended(store, "a", WatchState.LOST)
    await start(store, RESUME)
    await finish_all(store)
    resumed = await reread(store, watch)
    assert (resumed.round, resumed.due_at, resumed.expires_at) == (1, LATER, LATER + CONFIGURED[PROVIDER])
    await start(store, STOP)
    await finish_all(store)
    stopped = await reread(store, watch)
    assert (stopped.due_at, stopped.ended_at) == (None, LATER)
    history = await store.history(watch.id)
    assert history is not None
    acts = {each.kind for each in history.entries} - {TimelineKind.POLL}
    assert acts == {TimelineKind.RESUMED, TimelineKind.STOPPED}


async def test_a_deadline_of_its_own_holds_for_all_watches_of_a_resume(store: Store) -> None:
    watch = await ended(store, "a", WatchState.LOST)
    await start(store, replace(RESUME, expire_after_ms=5 * HOUR))
    await finish_all(store)
    assert (await reread(store, watch)).expires_at == LATER + 5 * HOUR


async def test_what_was_polled_while_it_was_stopped_is_not_told(store: Store) -> None:
    """The record of the poll finds no claim, as after the stop of one watch."""
    watch = await live(store, "a")
    await store.poll_now(watch.id, now=NOON)
    (claimed,) = await claim(store)
    await start(store, STOP)
    await finish_all(store)
    with pytest.raises(AssertionError):
        await finish(store, claimed)
    assert await state_of(store, watch) is WatchState.STOPPED


async def test_the_watches_of_a_provider_that_was_removed_are_not_resumed(store: Store) -> None:
    """Neither counted at the start, nor resumed if it is removed while the change is under way."""
    watch = await ended(store, "a", WatchState.LOST)
    assert await start(store, RESUME, configured={"runway": HOUR}) == 0
    assert await start(store, RESUME) == 1
    assert await step(store, configured={"runway": HOUR}) == WatchesChanged(())
    assert await step(store) is None
    assert await state_of(store, watch) is WatchState.LOST


async def test_a_change_goes_in_steps_of_the_limit_oldest_first(store: Store) -> None:
    ids = [(await live(store, str(n))).id for n in range(5)]
    await start(store, STOP)
    assert await finish_all(store, 2) == [(ids[0], ids[1]), (ids[2], ids[3]), (ids[4],)]


async def test_changes_are_worked_off_in_turn_and_not_behind_replays(store: Store) -> None:
    """A replay of a hundred thousand deliveries takes hours."""
    watch = await ended(store, "a", WatchState.LOST)
    assert await store.start_replay(ReplayQuery(), now=LATER, dry_run=False) == 0
    await start(store, RESUME)
    await start(store, STOP, dry_run=True)
    assert await step(store, 1) == WatchesChanged((watch.id,))
    await start(store, STOP)
    await start(store, replace(RESUME, state=WatchState.EXPIRED))
    assert await finish_all(store) == [(watch.id,)]
    assert await state_of(store, watch) is WatchState.STOPPED


async def test_a_change_survives_a_restart_at_its_place(opening: OpenStore) -> None:
    store = await opening()
    ids = [(await ended(store, str(n), WatchState.LOST)).id for n in range(5)]
    await start(store, replace(RESUME, state=WatchState.LOST, expire_after_ms=5 * HOUR, api_path=API_PATH))
    assert await step(store, 2) == WatchesChanged(tuple(ids[:2]))
    await store.close()
    store = await opening()
    assert await finish_all(store) == [tuple(ids[2:])]
    detail = await store.watch(ids[4])
    assert detail is not None
    assert detail.watch.expires_at == LATER + 5 * HOUR


async def test_no_watch_is_resumed_twice_and_none_that_ended_after_the_request(store: Store) -> None:
    first, second = [await ended(store, name, WatchState.LOST) for name in ("a", "b")]
    later = await live(store, "c")
    await start(store, RESUME)
    assert await step(store, 1) == WatchesChanged((first.id,))
    for watch in (first, later):
        await store.stop_watch(watch.id, now=LATER + 5)
    assert await finish_all(store) == [(second.id,)]
    assert await state_of(store, first) is WatchState.STOPPED
    assert await state_of(store, later) is WatchState.STOPPED


async def test_what_is_registered_after_a_stop_began_is_not_stopped(store: Store) -> None:
    before = await live(store, "before")
    await start(store, STOP)
    after = await live(store, "after")
    assert await finish_all(store) == [(before.id,)]
    assert await state_of(store, after) is WatchState.WATCHING


async def test_a_change_crosses_a_wide_gap_in_bounded_steps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that finds nothing in its window changes nothing, and the next one looks further."""
    monkeypatch.setattr(bulk, "SCAN_LIMIT", 2)
    monkeypatch.setattr(bulk, "COUNT_WINDOW", 2)
    paths = [API_PATH, *[OTHER_PATH] * 5, API_PATH]
    watches = [await live(store, str(n), api_path=path) for n, path in enumerate(paths)]
    assert await start(store, replace(STOP, api_path=API_PATH)) == 2
    assert await finish_all(store) == [(watches[0].id,), (), (), (watches[6].id,)]


async def test_more_than_may_be_live_are_not_resumed(store: Store) -> None:
    """None of them, if that is known at the start; later those that find room, and the others are counted."""
    watches = [await ended(store, str(n), WatchState.LOST) for n in range(3)]
    await live(store, "d")
    assert await start(store, RESUME, max_live=3) == WatchLimitReached(1)
    assert await start(store, RESUME, max_live=3, dry_run=True) == 3
    assert await step(store) is None
    assert await start(store, RESUME, max_live=4) == 3
    assert await step(store, max_live=3) == WatchesChanged((watches[0].id, watches[1].id), refused=1)
    assert await state_of(store, watches[2]) is WatchState.LOST


async def test_changes_that_wait_have_a_limit_of_their_own(store: Store) -> None:
    """Beyond it none is kept; replays have another."""
    await live(store, "a")
    for _ in range(MAX_BULK_CHANGES):
        assert await start(store, STOP) == 1
    assert await start(store, STOP) == BulkLimitReached(MAX_BULK_CHANGES)
    assert await start(store, STOP, dry_run=True) == 1
    assert await store.start_replay(ReplayQuery(), now=LATER, dry_run=False) == 0
    await step(store)
    assert await start(store, STOP) == 0


@pytest.mark.parametrize("delta_ms", [DAY, -DAY])
async def test_a_stepped_clock_changes_nothing_about_what_matches(store: Store, delta_ms: int) -> None:
    """The ends of watches move, and so do the bounds that they are compared with."""
    first = await ended(store, "a", WatchState.LOST)
    await ended(store, "b", WatchState.LOST, at=NOON + 5)
    assert await start(store, replace(RESUME, since=NOON, until=NOON + 5)) == 1
    await store.shift_times(delta_ms)
    assert await finish_all(store) == [(first.id,)]
