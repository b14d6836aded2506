"""What every store promises about the queues of polls, and about what survives a restart of the poller."""

from dataclasses import replace
from typing import Any

import pytest

from notifier.core.causes.table import Code
from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.model import Trouble, Watch, WatchState
from notifier.core.polling.poll_choice import ClaimRules, PathProbe
from notifier.store.protocol import Store
from notifier.store.sqlite import poll_claims
from notifier.store.values import ClaimedWatches, DeferredPath, PollingState, ProviderBreaker, WatchQuery
from tests.builders import (
    API_PATH,
    DAY,
    HOUR,
    MINUTE,
    PROVIDER,
    SERVER_ERROR,
    THROTTLED,
    end,
    event,
    lease,
    new_watch,
    wait,
)
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP, add, claim

A, B, C = "/vendor/a", "/vendor/b", "/vendor/c"
LIMIT = 100
EVERYTHING = WatchQuery(limit=500)


def rules(**over: Any) -> ClaimRules:
    return ClaimRules(
        **{"max_in_flight": 32, "suspect_room": 16, "probe_room": 24, "is_shared": True, **over}
    )


def blocked(*paths: str, probe: PathProbe = PathProbe.NONE) -> ClaimRules:
    return rules(blocked=dict.fromkeys(paths, probe), suspects=set(paths))


async def put(store: Store, path: str, count: int, *, since: int = 0, **over: Any) -> list[Watch]:
    """Register watches of a path that are due since about then, one after the other."""
    name = path.rpartition("/")[2]
    at = [NOON - since - count + n for n in range(count)]
    return await add(
        store,
        *(new_watch(f"{name}-{n}", api_path=path, first_poll_at=at[n], **over) for n in range(count)),
    )


async def take(store: Store, how: ClaimRules, *, now: int = NOON, limit: int = LIMIT) -> ClaimedWatches:
    return await store.claim_watches(PROVIDER, now=now, limit=limit, lease=lease(now + 20_000), rules=how)


def names(claimed: ClaimedWatches) -> list[str]:
    return [watch.task_id for watch in claimed.watches]


async def fail(store: Store, watch: Watch, *, due_at: int = NOON, **over: Any) -> None:
    """Record a poll of a claimed watch that failed."""
    failed = wait(due_at, failures=watch.failures + 1, trouble=Trouble(SERVER_ERROR, NOON), **over)
    assert await store.record_wait(watch, lease(), failed, now=NOON)


# ---- what failed last


async def test_how_often_a_watch_failed_is_kept_until_it_is_told(store: Store) -> None:
    await put(store, A, 1)
    for number in range(3):
        (watch,) = (await take(store, rules())).watches
        assert watch.failures == number
        await fail(store, watch)
    (watch,) = (await take(store, rules())).watches
    await store.record_wait(watch, lease(), wait(NOON), now=NOON)
    (watch,) = (await take(store, rules())).watches
    assert watch.failures == 0


@pytest.mark.parametrize("how", [rules(suspect_room=2), replace(rules(suspect_room=2), is_shared=False)])
async def test_what_failed_last_goes_last_and_within_its_part(store: Store, how: ClaimRules) -> None:
    """However long it has been due; when the next is looked for, it is not named as if it could go."""
    await put(store, A, 3, since=MINUTE)
    for watch in (await take(store, rules())).watches:
        await fail(store, watch, due_at=NOON - HOUR)
    await put(store, B, 2)
    claimed = await take(store, how, limit=10)
    assert names(claimed) == ["b-0", "b-1", "a-0", "a-1"]
    assert (claimed.next_due_at, claimed.has_more) == (None, True)


# ---- blocked paths


@pytest.mark.fault(11)
async def test_a_blocked_path_is_passed_over_and_named_by_no_next_tick(store: Store) -> None:
    """Its watches are due, and cannot go: whoever went by their instant would turn in circles."""
    await put(store, A, 5, since=MINUTE)
    await put(store, B, 2)
    await add(store, new_watch("later", api_path=B, first_poll_at=NOON + 7))
    claimed = await take(store, blocked(A))
    assert names(claimed) == ["b-0", "b-1"]
    assert (claimed.next_due_at, claimed.has_more) == (NOON + 7, False)
    again = await take(store, blocked(A))
    assert (names(again), again.next_due_at) == ([], NOON + 7)


async def test_the_probe_is_what_failed_least_and_of_that_what_is_due_longest(store: Store) -> None:
    await put(store, A, 3, since=MINUTE)
    first, second, third = (await take(store, rules())).watches
    await fail(store, first, due_at=NOON - 9)
    await fail(store, second, due_at=NOON - 8)
    await store.record_wait(third, lease(), wait(NOON - 7), now=NOON)
    probe = blocked(A, probe=PathProbe.ANY)
    found = []
    for _ in range(3):
        (watch,) = (await take(store, probe)).watches
        found.append(watch.task_id)
        await fail(store, watch, due_at=NOON + HOUR)
    assert found == ["a-2", "a-0", "a-1"]
    assert names(await take(store, probe)) == []


async def test_a_probe_of_what_never_failed_leaves_the_rest_alone(store: Store) -> None:
    await put(store, A, 2)
    (first, _) = (await take(store, rules())).watches
    await fail(store, first)
    fresh = blocked(A, probe=PathProbe.FRESH)
    await add(store, new_watch("fresh", api_path=A, first_poll_at=NOON - 1))
    assert names(await take(store, fresh)) == ["fresh"]
    assert names(await take(store, fresh)) == []


async def test_what_was_held_goes_when_its_path_is_allowed_again(store: Store) -> None:
    """Nothing needs to be woken: each claim takes from the queue of the path what has room."""
    await put(store, A, 9, since=MINUTE)
    await take(store, blocked(A))
    first = await take(store, rules(), limit=4)
    assert names(first) == ["a-0", "a-1", "a-2", "a-3"]
    assert first.has_more
    assert names(await take(store, rules())) == [f"a-{n}" for n in range(4, 9)]


async def test_a_restart_finds_what_was_held(opening: OpenStore) -> None:
    store = await opening()
    await put(store, A, 3, since=MINUTE)
    await take(store, blocked(A))
    await store.close()
    assert names(await take(await opening(), rules())) == ["a-0", "a-1", "a-2"]


async def test_a_user_may_stop_or_end_or_poll_what_is_held(store: Store) -> None:
    """A poll that is asked for goes first, and counts as one that never failed."""
    for watch in await put(store, A, 4, since=MINUTE):
        (claimed,) = await claim(store, limit=1)
        assert claimed.id == watch.id
        await fail(store, claimed, due_at=NOON - MINUTE)
    assert names(await take(store, blocked(A))) == []
    by_name = {watch.task_id: watch for watch in await store.watches(EVERYTHING)}
    await store.stop_watch(by_name["a-0"].id, now=NOON)
    await store.poll_now(by_name["a-2"].id, now=NOON)
    (forced,) = (await take(store, blocked(A, probe=PathProbe.FRESH))).watches
    assert (forced.task_id, forced.failures) == ("a-2", 0)
    ending = end(WatchState.EXPIRED)
    assert await store.record_end(
        forced, lease(), ending, event(forced, ending), now=NOON, give_up_at=GIVE_UP
    )
    assert names(await take(store, rules())) == ["a-1", "a-3"]
    resumed = await store.resume_watch(forced.id, now=NOON, expires_at=NOON + HOUR, max_live=9)
    assert isinstance(resumed, Watch)
    assert names(await take(store, rules())) == ["a-2"]


# ---- paths that would take the room of others


async def test_a_path_takes_half_of_what_the_others_leave(store: Store) -> None:
    await put(store, A, 40, since=MINUTE)
    await put(store, B, 40)
    claimed = await take(store, rules(), limit=32)
    paths = [watch.api_path for watch in claimed.watches]
    assert (paths.count(A), paths.count(B)) == (11, 11)
    assert claimed.has_more
    full = await take(store, rules(in_flight={A: 16, B: 8}), limit=8)
    assert (full.watches, full.has_more) == ((), True)


async def test_a_backlog_keeps_no_other_path_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far more is due than a claim looks through; one may start at a time, and the paths take turns."""
    monkeypatch.setattr(poll_claims, "SCAN_LIMIT", 8)
    await put(store, A, 50, since=HOUR)
    await put(store, B, 3)
    served: dict[str, int] = {}
    order = []
    for number in range(14):
        (watch,) = (await take(store, rules(served=dict(served)), limit=1)).watches
        served[watch.api_path] = number
        order.append(watch.task_id)
        await store.record_wait(watch, lease(), wait(NOON + HOUR), now=NOON)
    assert [each for each in order if each.startswith("b")] == ["b-0", "b-1", "b-2"]
    assert order.index("b-0") <= 8
    assert order.index("b-2") <= order.index("b-0") + 4
    assert [each for each in order if each.startswith("a")] == [f"a-{n}" for n in range(11)]


async def test_a_backlog_of_the_only_path_is_moved_nowhere(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits behind it."""
    monkeypatch.setattr(poll_claims, "SCAN_LIMIT", 8)
    await put(store, A, 20, since=HOUR)
    alone = rules(is_shared=False)
    assert names(await take(store, alone, limit=5)) == [f"a-{n}" for n in range(5)]
    assert names(await take(store, alone)) == [f"a-{n}" for n in range(5, 20)]


# ---- deadlines behind a blocked path


async def test_by_deadline_of_a_path_only_what_it_holds_is_claimed(store: Store) -> None:
    """Each path has its own earliest deadline: what was past it before the block may have finished."""
    for path in (A, B, C):
        await put(store, path, 2, expires_at=NOON)
    await add(store, new_watch("old", api_path=A, expires_at=NOON - HOUR, first_poll_at=NOON - HOUR))
    await add(store, new_watch("young", api_path=A, expires_at=NOON + HOUR))
    assert names(await take(store, blocked(A, B), limit=9)) == ["c-0", "c-1"]
    late = lease(NOON + 20_000)
    claimed = await store.claim_past_deadline(
        PROVIDER, now=NOON + 1, limit=9, lease=late, paths={A: NOON - 5, "/no/such/path": 0}
    )
    assert sorted(names(claimed)) == ["a-0", "a-1"]
    claimed = await store.claim_past_deadline(
        PROVIDER, now=NOON + 1, limit=9, lease=late, paths={A: 0, B: NOON + 1}
    )
    assert names(claimed) == ["old"]


# ---- what a Retry-After put off


async def deferred(store: Store, path: str, name: str, *, is_throttled: bool = False) -> Watch:
    """Have a watch put off for an hour that would be due in a minute."""
    await add(store, new_watch(name, api_path=path))
    (watch,) = await claim(store)
    cause = THROTTLED if is_throttled else SERVER_ERROR
    put_off = wait(NOON + HOUR, failures=1, paced_due_at=NOON + MINUTE, trouble=Trouble(cause, NOON))
    assert await store.record_wait(watch, lease(), put_off, now=NOON)
    return watch


async def due_times(store: Store) -> dict[str, int]:
    return {watch.task_id: (watch.due_at or 0) - NOON for watch in await store.watches(EVERYTHING)}


async def test_what_was_put_off_is_brought_back_to_its_own_instant(store: Store) -> None:
    """Of one path, or of the whole provider where a 429 did it; and only once."""
    await deferred(store, A, "a")
    await deferred(store, A, "a-throttled", is_throttled=True)
    await deferred(store, B, "b")
    await deferred(store, B, "b-throttled", is_throttled=True)
    assert (await store.polling_state()).deferred == (
        DeferredPath(PROVIDER, A, is_throttled=False),
        DeferredPath(PROVIDER, A, is_throttled=True),
        DeferredPath(PROVIDER, B, is_throttled=False),
        DeferredPath(PROVIDER, B, is_throttled=True),
    )
    assert await store.recall_deferred(PROVIDER, api_path=None, limit=9) == 2
    assert await due_times(store) == {
        "a": HOUR, "a-throttled": MINUTE, "b": HOUR, "b-throttled": MINUTE,
    }  # fmt: skip
    assert await store.recall_deferred(PROVIDER, api_path=A, limit=9) == 1
    assert await store.recall_deferred(PROVIDER, api_path=A, limit=9) == 0
    assert (await due_times(store))["a"] == MINUTE
    assert [one.api_path for one in (await store.polling_state()).deferred] == [B]


async def test_bringing_back_goes_in_steps_and_leaves_what_is_polled(store: Store) -> None:
    for n in range(3):
        await deferred(store, A, f"a-{n}")
    (polled,) = await claim(store, NOON + HOUR, limit=1, until=NOON + DAY)
    assert await store.recall_deferred(PROVIDER, api_path=A, limit=1) == 1
    assert await store.recall_deferred(PROVIDER, api_path=A, limit=9) == 1
    times = await due_times(store)
    assert times.pop(polled.task_id) == DAY
    assert set(times.values()) == {MINUTE}


async def test_a_poll_that_is_asked_for_ends_what_put_it_off(store: Store) -> None:
    watch = await deferred(store, A, "a")
    await store.poll_now(watch.id, now=NOON)
    assert await store.recall_deferred(PROVIDER, api_path=A, limit=9) == 0
    assert await due_times(store) == {"a": 0}


# ---- breakers


BREAKER = CircuitBreaker(
    failures=4, since=NOON - 9, reason=SERVER_ERROR, probe_at=NOON + 5_000, probes=1, paused_until=NOON + 3
)
OF_PATH = ProviderBreaker(PROVIDER, API_PATH, BREAKER, NOON - 10)
OF_PROVIDER = ProviderBreaker(PROVIDER, None, replace(BREAKER, reason=THROTTLED), None)


async def test_what_blocks_is_read_back_as_it_was(opening: OpenStore) -> None:
    """Over a restart; the latest state of each counts, and what allows again is forgotten."""
    store = await opening()
    assert await store.polling_state() == PollingState((), ())
    await store.record_breaker(replace(OF_PATH, breaker=replace(BREAKER, probes=0)))
    await store.record_breaker(OF_PATH)
    await store.record_breaker(OF_PROVIDER)
    await store.close()
    again = await opening(now=NOON)
    assert set((await again.polling_state()).breakers) == {OF_PROVIDER, OF_PATH}
    await again.record_breaker(replace(OF_PATH, breaker=CircuitBreaker()))
    assert (await again.polling_state()).breakers == (OF_PROVIDER,)


@pytest.mark.fault(34, 35)
async def test_a_block_moves_with_the_clock(store: Store) -> None:
    """So does the instant that a Retry-After has put off."""
    await deferred(store, A, "a")
    await store.record_breaker(OF_PATH)
    await store.shift_times(-DAY)
    (moved,) = (await store.polling_state()).breakers
    assert moved.failing_since == NOON - 10 - DAY
    assert (moved.breaker.since, moved.breaker.probe_at) == (NOON - 9 - DAY, NOON + 5_000 - DAY)
    assert moved.breaker.paused_until == NOON + 3 - DAY
    await store.recall_deferred(PROVIDER, api_path=A, limit=9)
    assert await due_times(store) == {"a": MINUTE - DAY}


async def test_a_pause_from_a_wrong_clock_is_cut_to_the_longest_that_is_honoured(opening: OpenStore) -> None:
    """CONTRACT, The callback: an hour."""
    store = await opening()
    far = replace(BREAKER, probe_at=NOON + 9 * DAY, paused_until=NOON + 9 * DAY)
    await store.record_breaker(replace(OF_PATH, breaker=far))
    await store.close()
    (cut,) = (await (await opening(now=NOON)).polling_state()).breakers
    assert (cut.breaker.probe_at, cut.breaker.paused_until) == (NOON + HOUR, NOON + HOUR)


def test_the_code_of_a_429_is_what_recalls_look_for() -> None:
    assert THROTTLED.code is Code.PROVIDER_THROTTLED
