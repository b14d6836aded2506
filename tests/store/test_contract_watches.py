"""What every store promises about watches."""

import asyncio
from dataclasses import replace

import pytest

from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import (
    MAX_CALLBACKS,
    Callback,
    EventType,
    MissingStreak,
    TaskError,
    Trouble,
    Watch,
    WatchState,
)
from notifier.core.states import WatchAction, next_watch_state
from notifier.store.protocol import Store
from notifier.store.values import (
    MAX_ROUNDS,
    CallbackLimitReached,
    ChangeRefused,
    WatchAdded,
    WatchDetail,
    WatchLimitReached,
)
from tests.builders import HOOK, HOUR, KEY_REFUSED, PROVIDER, attempt, end, event, lease, new_watch, wait
from tests.fakes import NOON
from tests.store.steps import GIVE_UP, add, claim, finish, finished, proven, take

OTHER = "http://127.0.0.1:9002/other"
ENDS = [state for state in WatchState if state is not WatchState.WATCHING]
TOLD = [state for state in ENDS if state is not WatchState.STOPPED]


async def see(store: Store, watch_id: str) -> WatchDetail:
    detail = await store.watch(watch_id)
    assert detail is not None
    return detail


async def in_state(store: Store, state: WatchState) -> str:
    (watch,) = await add(store)
    if state is WatchState.STOPPED:
        await store.stop_watch(watch.id, now=NOON)
    elif state is not WatchState.WATCHING:
        (claimed,) = await claim(store)
        await finish(store, claimed, state)
    return watch.id


@pytest.mark.parametrize("state", WatchState)
@pytest.mark.parametrize("action", [WatchAction.STOP, WatchAction.RESUME])
async def test_a_user_moves_a_watch_as_the_table_says(
    store: Store, state: WatchState, action: WatchAction
) -> None:
    """``core/states.py``; what it does not allow is a conflict and changes nothing."""
    watch_id = await in_state(store, state)
    moved: Watch | ChangeRefused | WatchLimitReached
    if action is WatchAction.STOP:
        moved = await store.stop_watch(watch_id, now=NOON)
    else:
        moved = await store.resume_watch(watch_id, now=NOON, expires_at=NOON + HOUR, max_live=1_000)
    expected = next_watch_state(state, action)
    assert moved is ChangeRefused.CONFLICT if expected is None else not isinstance(moved, ChangeRefused)
    assert (await see(store, watch_id)).watch.state is (expected or state)


# ---- registering


async def test_a_registration_comes_back_as_it_was_given(store: Store) -> None:
    """Unicode, key order and spacing of metadata, events and headers of callbacks: nothing is rewritten."""
    callbacks = (
        Callback(HOOK, (EventType.COMPLETED, EventType.LOST), (("X-Order", "42"), ("x-order", "ü"))),
        Callback(OTHER),
    )
    given = new_watch(metadata='{"b": 1.0,  "a": "\U0001f984 \u202e"}', callbacks=callbacks)
    (result,) = await store.add_watches([given], give_up_at=GIVE_UP, max_live=1)
    assert isinstance(result, WatchAdded)
    assert result.is_new
    seen = (await see(store, result.watch.id)).watch
    assert seen == result.watch
    assert (seen.metadata, seen.callbacks) == (given.metadata, callbacks)
    assert (seen.provider, seen.api_path, seen.task_id) == (PROVIDER, given.api_path, given.task_id)
    assert (seen.state, seen.due_at, seen.expires_at) == (WatchState.WATCHING, NOON, NOON + HOUR)


@pytest.mark.fault(90)
async def test_a_known_task_keeps_metadata_and_deadline(store: Store) -> None:
    """Whatever the second registration says of them."""
    (first,) = await add(store)
    later = new_watch(metadata='{"other": 1}', expires_at=NOON + 9 * HOUR, registered_at=NOON + 1)
    (again,) = await store.add_watches([later], give_up_at=GIVE_UP, max_live=1_000)
    assert again == WatchAdded(first, is_new=False)


async def test_a_known_task_is_known_even_when_no_more_are_taken(store: Store) -> None:
    """A client that repeats itself after a lost answer gets its watch, not a refusal."""
    (first,) = await add(store)
    assert await store.add_watches([new_watch()], give_up_at=GIVE_UP, max_live=1) == [
        WatchAdded(first, False)
    ]


async def test_the_same_task_of_another_path_or_provider_is_another(store: Store) -> None:
    watches = await add(
        store, new_watch(), new_watch(api_path="/another"), new_watch(provider="another"), new_watch("task-2")
    )
    assert len({watch.id for watch in watches}) == 4


async def test_a_known_task_gains_the_urls_that_are_new(store: Store) -> None:
    await add(store)
    narrower = Callback(HOOK, (EventType.FAILED,))
    (watch,) = await add(store, new_watch(callbacks=(narrower, Callback(OTHER), Callback(OTHER))))
    assert watch.callbacks == (Callback(HOOK), Callback(OTHER))
    assert (await see(store, watch.id)).watch.callbacks == watch.callbacks


async def test_a_url_that_stands_twice_in_a_registration_is_told_once(store: Store) -> None:
    await finished(store, HOOK, HOOK)
    assert [dispatch.url for dispatch in await take(store)] == [HOOK]


async def test_no_watch_gains_callbacks_without_limit(store: Store) -> None:
    """Nothing of a registration that would bring too many is kept; what is known comes back all the same."""
    most = [Callback(f"{OTHER}/{n}") for n in range(MAX_CALLBACKS)]
    (watch,) = await add(store, new_watch(callbacks=tuple(most[:-1])))
    wanted = [
        new_watch(callbacks=(most[-1], Callback(HOOK))),
        new_watch(callbacks=(most[-1],)),
        new_watch(callbacks=(Callback(HOOK),)),
        new_watch(callbacks=tuple(most)),
        new_watch("task-2", callbacks=(*most, Callback(HOOK))),
    ]
    results = await store.add_watches(wanted, give_up_at=GIVE_UP, max_live=1_000)
    assert [type(result) for result in results] == [
        CallbackLimitReached, WatchAdded, CallbackLimitReached, WatchAdded, CallbackLimitReached,
    ]  # fmt: skip
    assert results[0] == results[2] == CallbackLimitReached(MAX_CALLBACKS + 1)
    assert (await see(store, watch.id)).watch.callbacks == tuple(most)


@pytest.mark.parametrize("state", TOLD)
async def test_a_url_gained_after_the_end_gets_the_very_event(store: Store, state: WatchState) -> None:
    """The others' event, to the byte and by its id, due when the late one registered."""
    watch_id = await in_state(store, state)
    (first,) = await take(store)
    await add(store, new_watch(callbacks=(Callback(OTHER),), registered_at=NOON + 5))
    (late,) = await take(store, NOON + 5)
    assert (late.url, late.body, late.event_id) == (OTHER, first.body, first.event_id)
    assert (late.created_at, late.give_up_at) == (NOON + 5, GIVE_UP)
    assert [one.url for one in (await see(store, watch_id)).deliveries] == [HOOK, OTHER]


async def test_a_url_gained_after_the_end_that_wants_other_events_gets_none(store: Store) -> None:
    await finished(store)
    await add(store, new_watch(callbacks=(Callback(OTHER, (EventType.FAILED,)),)))
    assert [dispatch.url for dispatch in await take(store)] == [HOOK]


async def test_a_stopped_watch_tells_nobody_not_even_late(store: Store) -> None:
    """An event of an earlier round is not told to who came after the watch had been taken up again."""
    watch_id = await in_state(store, WatchState.EXPIRED)
    await store.resume_watch(watch_id, now=NOON, expires_at=NOON + HOUR, max_live=1_000)
    await store.stop_watch(watch_id, now=NOON)
    await add(store, new_watch(callbacks=(Callback(OTHER),)))
    assert [dispatch.url for dispatch in await take(store)] == [HOOK]


async def test_no_more_than_max_live_are_taken(store: Store) -> None:
    """Each entry stands alone; one that ends makes room."""
    wanted = [new_watch(f"task-{n}") for n in range(4)]
    results = await store.add_watches(wanted, give_up_at=GIVE_UP, max_live=2)
    assert [type(result) for result in results] == [
        WatchAdded,
        WatchAdded,
        WatchLimitReached,
        WatchLimitReached,
    ]
    assert results[2] == WatchLimitReached(2)
    (watch, *_) = await claim(store)
    await finish(store, watch)
    assert len(await add(store, *wanted[2:], max_live=2)) == 1


@pytest.mark.fault(89)
async def test_fifty_at_once_make_one_watch(store: Store) -> None:
    """All get the same id."""
    results = await asyncio.gather(
        *(store.add_watches([new_watch()], give_up_at=GIVE_UP, max_live=9) for _ in range(50))
    )
    added = [result for (result,) in results if isinstance(result, WatchAdded)]
    assert len({one.watch.id for one in added}) == 1
    assert [one.is_new for one in added].count(True) == 1


# ---- claiming


async def test_only_what_is_due_is_claimed_most_overdue_first(store: Store) -> None:
    instants = [NOON + 1, NOON - 5, NOON, NOON - 9]
    await add(store, *(new_watch(f"task-{at - NOON}", first_poll_at=at) for at in instants))
    claimed = await store.claim_watches(PROVIDER, now=NOON, limit=10, lease=lease())
    assert [watch.due_at for watch in claimed.watches] == [NOON - 9, NOON - 5, NOON]
    assert claimed.next_due_at == NOON + 1


@pytest.mark.fault(11)
async def test_a_claim_takes_no_more_than_the_limit_and_says_when_the_next_is_due(store: Store) -> None:
    """However much is overdue, no more of it is in memory than is asked for."""
    await add(store, *(new_watch(f"task-{n}", first_poll_at=NOON - n) for n in range(3)))
    claimed = await store.claim_watches(PROVIDER, now=NOON, limit=2, lease=lease())
    assert [watch.task_id for watch in claimed.watches] == ["task-2", "task-1"]
    assert (claimed.next_due_at, claimed.has_more) == (None, True)
    (rest,) = await claim(store)
    assert rest.task_id == "task-0"
    await store.record_wait(rest, lease(), wait(NOON), now=NOON - 10)
    nothing = await store.claim_watches(PROVIDER, now=NOON - 10, limit=0, lease=lease())
    assert (nothing.watches, nothing.next_due_at) == ((), NOON)


async def test_each_provider_is_claimed_by_itself(store: Store) -> None:
    await add(store, new_watch(), new_watch(provider="other"))
    assert [watch.provider for watch in await claim(store)] == [PROVIDER]
    unheard_of = await store.claim_watches("unheard-of", now=NOON, limit=9, lease=lease())
    assert (unheard_of.watches, unheard_of.next_due_at) == ((), None)


async def test_what_is_claimed_is_handed_to_nobody_else(store: Store) -> None:
    await add(store)
    assert len(await claim(store, owner="daemon-1")) == 1
    for owner in ("daemon-1", "daemon-2"):
        again = await store.claim_watches(PROVIDER, now=NOON + 19_999, limit=9, lease=lease(owner=owner))
        assert (again.watches, again.next_due_at) == ((), None)


async def test_a_claim_that_is_not_recorded_comes_due_again_when_its_lease_ends(store: Store) -> None:
    await add(store)
    (first,) = await claim(store, owner="daemon-1")
    (again,) = await claim(store, NOON + 20_000, owner="daemon-2")
    assert again.id == first.id
    assert not await store.record_wait(first, lease(owner="daemon-1"), wait(), now=NOON)


async def test_two_claims_at_once_share_nothing(store: Store) -> None:
    await add(store, *(new_watch(f"task-{n}") for n in range(40)))
    halves = await asyncio.gather(*(claim(store, limit=20, owner=f"daemon-{n}") for n in range(3)))
    assert [len(half) for half in halves] == [20, 20, 0]
    assert len({watch.id for half in halves for watch in half}) == 40


async def test_by_deadline_only_those_between_are_claimed(store: Store) -> None:
    """A paused provider is asked nothing, but deadlines go on."""
    await add(
        store,
        new_watch("past", expires_at=NOON, first_poll_at=NOON - 1),
        new_watch("claimed", expires_at=NOON - 9, first_poll_at=NOON - 9),
        new_watch("due", first_poll_at=NOON - 5),
        new_watch("soon", expires_at=NOON + 7, first_poll_at=NOON - 2),
    )
    assert [watch.task_id for watch in await claim(store, NOON - 9)] == ["claimed"]
    taken = await store.claim_past_deadline(PROVIDER, now=NOON, limit=9, lease=lease(), deadline_from=0)
    assert [watch.task_id for watch in taken.watches] == ["past"]
    assert taken.next_due_at is None


# ---- recording


async def test_a_wait_is_kept_in_full(store: Store) -> None:
    await add(store)
    (claimed,) = await claim(store)
    found = wait(NOON + 60, trouble=Trouble(KEY_REFUSED, NOON - 3), missing=MissingStreak(2, NOON - 4))
    assert await store.record_wait(claimed, lease(), found, now=NOON + 10)
    seen = (await see(store, claimed.id)).watch
    assert seen == replace(
        claimed,
        due_at=NOON + 60,
        interval_ms=2_500,
        polls=1,
        last_polled_at=NOON + 10,
        upstream_status="processing",
        task_created_at=NOON - 1,
        trouble=found.trouble,
        missing=found.missing,
    )
    (again,) = await claim(store, NOON + 60)
    assert await store.record_wait(again, lease(), wait(), now=NOON + 61)
    cleared = (await see(store, claimed.id)).watch
    assert (cleared.trouble, cleared.missing, cleared.polls) == (None, None, 2)


@pytest.mark.parametrize("state", TOLD)
async def test_an_end_is_kept_in_full_with_its_event(store: Store, state: WatchState) -> None:
    await add(store)
    (claimed,) = await claim(store)
    error = (
        TaskError("provider", "E\u00fc", "No", "because \ud800")
        if state is not WatchState.COMPLETED
        else None
    )
    ending = end(state, result_expires_at=NOON + HOUR, error=error)
    told = event(claimed, ending, at=NOON + 2)
    assert await store.record_end(claimed, lease(), ending, told, now=NOON + 3, give_up_at=GIVE_UP)
    detail = await see(store, claimed.id)
    assert detail.event == told
    assert detail.watch == replace(
        claimed,
        state=state,
        due_at=None,
        polls=1,
        last_polled_at=NOON + 3,
        upstream_status=state.value,
        task_created_at=NOON - 1,
        ended_at=NOON + 2,
        outputs=ending.outputs,
        result_expires_at=NOON + HOUR,
        error=error,
    )
    (delivery,) = detail.deliveries
    assert (delivery.type, delivery.url, delivery.event_id) == (told.type, HOOK, told.id)
    assert (delivery.due_at, delivery.give_up_at, delivery.attempts) == (NOON + 3, GIVE_UP, 0)
    assert delivery.result_expires_at == NOON + HOUR


async def test_an_end_without_a_poll_counts_none(store: Store) -> None:
    await add(store)
    (claimed,) = await claim(store)
    ending = end(WatchState.EXPIRED, is_polled=False)
    assert await store.record_end(
        claimed, lease(), ending, event(claimed, ending), now=NOON, give_up_at=GIVE_UP
    )
    seen = (await see(store, claimed.id)).watch
    assert (seen.polls, seen.last_polled_at) == (0, None)


async def test_only_who_wants_the_event_is_told(store: Store) -> None:
    callbacks = (
        Callback(HOOK, (EventType.FAILED,)),
        Callback(OTHER, (EventType.COMPLETED,), (("X-Key", "1"),)),
        Callback(f"{OTHER}?2", ()),
    )
    await add(store, new_watch(callbacks=callbacks))
    (claimed,) = await claim(store)
    await finish(store, claimed)
    (dispatch,) = await take(store)
    assert (dispatch.url, dispatch.headers) == (OTHER, (("X-Key", "1"),))


async def test_a_url_gained_while_the_watch_is_polled_is_told_too(store: Store) -> None:
    await add(store)
    (claimed,) = await claim(store)
    await add(store, new_watch(callbacks=(Callback(OTHER),)))
    await finish(store, claimed)
    assert {dispatch.url for dispatch in await take(store)} == {HOOK, OTHER}


@pytest.mark.fault(60)
async def test_the_first_outcome_wins(store: Store) -> None:
    """Whatever comes second, an end or a wait, changes nothing and makes no second event."""
    await add(store)
    (claimed,) = await claim(store)
    await finish(store, claimed)
    before = await see(store, claimed.id)
    failed = end(WatchState.FAILED)
    assert not await store.record_end(
        claimed, lease(), failed, event(claimed, failed, id="evt_2"), now=NOON, give_up_at=GIVE_UP
    )
    assert not await store.record_wait(claimed, lease(), wait(), now=NOON)
    assert await see(store, claimed.id) == before
    assert len(await take(store)) == 1


@pytest.mark.parametrize("changed", ["owner", "polls", "round", "state"])
async def test_a_record_whose_row_has_moved_on_changes_nothing(store: Store, changed: str) -> None:
    await add(store)
    (claimed,) = await claim(store)
    stale, holder = claimed, lease()
    if changed == "owner":
        holder = lease(owner="daemon-2")
    elif changed == "polls":
        stale = replace(claimed, polls=7)
    elif changed == "round":
        stale = replace(claimed, round=1)
    else:
        await store.stop_watch(claimed.id, now=NOON)
    before = await see(store, claimed.id)
    ending = end()
    told = event(stale, ending)
    assert not await store.record_end(stale, holder, ending, told, now=NOON, give_up_at=GIVE_UP)
    assert not await store.record_wait(stale, holder, wait(), now=NOON)
    assert await see(store, claimed.id) == before
    assert await take(store) == []


async def test_an_unclaimed_watch_cannot_be_recorded(store: Store) -> None:
    (watch,) = await add(store)
    assert not await store.record_wait(watch, lease(), wait(), now=NOON)


async def test_a_wait_recorded_twice_counts_once(store: Store) -> None:
    await add(store)
    (claimed,) = await claim(store)
    both = await asyncio.gather(*(store.record_wait(claimed, lease(), wait(), now=NOON) for _ in range(2)))
    assert sorted(both) == [False, True]
    assert (await see(store, claimed.id)).watch.polls == 1


@pytest.mark.fault(1)
async def test_an_event_that_cannot_be_kept_leaves_the_watch_as_it_was(store: Store) -> None:
    """State, event and deliveries are one transaction: none of them alone."""
    await add(store)
    (claimed,) = await claim(store)
    broken = event(claimed, body=b"x", result_expires_at=2**70)
    with pytest.raises(OverflowError):
        await store.record_end(claimed, lease(), end(), broken, now=NOON, give_up_at=GIVE_UP)
    detail = await see(store, claimed.id)
    assert (detail.watch.state, detail.event, detail.deliveries) == (WatchState.WATCHING, None, ())
    await finish(store, claimed)


# ---- the user's word


async def test_a_stop_ends_the_watch_without_an_event(store: Store) -> None:
    (watch,) = await add(store)
    stopped = await store.stop_watch(watch.id, now=NOON + 4)
    assert stopped == replace(watch, state=WatchState.STOPPED, due_at=None, ended_at=NOON + 4)
    assert await store.stop_watch(watch.id, now=NOON + 9) == stopped
    detail = await see(store, watch.id)
    assert (detail.watch, detail.event, detail.deliveries) == (stopped, None, ())
    assert await claim(store, NOON + HOUR) == []


@pytest.mark.fault(91)
async def test_a_stop_wins_over_a_poll_under_way(store: Store) -> None:
    """What the poll brings is not recorded, and told to nobody."""
    await add(store)
    (claimed,) = await claim(store)
    await store.stop_watch(claimed.id, now=NOON)
    assert not await store.record_end(claimed, lease(), end(), event(claimed), now=NOON, give_up_at=GIVE_UP)
    assert await take(store) == []


@pytest.mark.parametrize("state", WatchState)
async def test_what_may_be_stopped_resumed_and_polled_follows_the_table(
    store: Store, state: WatchState
) -> None:
    watch_id = await in_state(store, state)
    before = (await see(store, watch_id)).watch
    polled = await store.poll_now(watch_id, now=NOON)
    assert (polled == ChangeRefused.CONFLICT) == (state is not WatchState.WATCHING)
    if state not in (WatchState.WATCHING, WatchState.STOPPED):
        assert await store.stop_watch(watch_id, now=NOON) == ChangeRefused.CONFLICT
    resumed = await store.resume_watch(watch_id, now=NOON + 1, expires_at=NOON + 2 * HOUR, max_live=1_000)
    if state not in (WatchState.EXPIRED, WatchState.LOST, WatchState.STOPPED):
        assert resumed == ChangeRefused.CONFLICT
        assert (await see(store, watch_id)).watch == before


async def test_no_more_are_resumed_than_may_be_live(store: Store) -> None:
    """As with registrations; what cannot be resumed anyway is told so."""
    stopped = await in_state(store, WatchState.STOPPED)
    (live,) = await add(store, new_watch("live"))
    until = NOON + HOUR
    assert await store.resume_watch(stopped, now=NOON, expires_at=until, max_live=1) == WatchLimitReached(1)
    assert (await see(store, stopped)).watch.state is WatchState.STOPPED
    assert await store.resume_watch(live.id, now=NOON, expires_at=until, max_live=1) is ChangeRefused.CONFLICT
    assert isinstance(await store.resume_watch(stopped, now=NOON, expires_at=until, max_live=2), Watch)


@pytest.mark.parametrize("state", [WatchState.EXPIRED, WatchState.LOST, WatchState.STOPPED])
async def test_a_resumed_watch_starts_a_new_round_and_ends_again(store: Store, state: WatchState) -> None:
    await proven(store, HOOK)
    watch_id = await in_state(store, state)
    told_before = len(await take(store))
    resumed = await store.resume_watch(watch_id, now=NOON + 1, expires_at=NOON + 2 * HOUR, max_live=1_000)
    assert isinstance(resumed, Watch)
    assert (resumed.state, resumed.round, resumed.due_at) == (WatchState.WATCHING, 1, NOON + 1)
    assert (resumed.expires_at, resumed.ended_at, resumed.error) == (NOON + 2 * HOUR, None, None)
    assert (resumed.outputs, resumed.interval_ms, resumed.trouble) == ((), 0, None)
    (claimed,) = await claim(store, NOON + 1)
    await finish(store, claimed, now=NOON + 2)
    detail = await see(store, watch_id)
    assert detail.event is not None
    assert (detail.event.round, detail.event.type) == (1, EventType.COMPLETED)
    assert len(detail.deliveries) == told_before + 1
    assert len(await take(store, NOON + 2)) == 1


@pytest.mark.fault(142)
async def test_a_watch_is_resumed_a_bounded_number_of_times(store: Store) -> None:
    """Each round makes an event for each callback, and all of them are kept until the watch is forgotten."""
    (watch,) = await add(store)
    for number in range(1, MAX_ROUNDS):
        await store.stop_watch(watch.id, now=NOON + number)
        resumed = await store.resume_watch(watch.id, now=NOON + number, expires_at=NOON + HOUR, max_live=9)
        assert isinstance(resumed, Watch)
        assert resumed.round == number
    await store.stop_watch(watch.id, now=NOON + 99)
    refused = await store.resume_watch(watch.id, now=NOON + 99, expires_at=NOON + HOUR, max_live=9)
    assert refused is ChangeRefused.TOO_MANY_ROUNDS
    assert (await see(store, watch.id)).watch.state is WatchState.STOPPED


async def test_a_poll_now_makes_a_waiting_watch_due_and_leaves_a_polled_one_alone(store: Store) -> None:
    (watch,) = await add(store, new_watch(first_poll_at=NOON + 999))
    assert await store.poll_now(watch.id, now=NOON) == replace(watch, due_at=NOON)
    (claimed,) = await claim(store)
    await store.poll_now(watch.id, now=NOON + 1)
    assert await claim(store, NOON + 1) == []
    assert await store.record_wait(claimed, lease(), wait(), now=NOON)


async def test_a_poll_now_does_not_put_off_what_is_overdue(store: Store) -> None:
    (watch,) = await add(store, new_watch(first_poll_at=NOON - 50))
    assert await store.poll_now(watch.id, now=NOON) == watch


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    nobody = "wch_00000000000000000000000000"
    assert await store.watch(nobody) is None
    assert await store.stop_watch(nobody, now=NOON) == ChangeRefused.UNKNOWN_ID
    assert (
        await store.resume_watch(nobody, now=NOON, expires_at=NOON, max_live=1_000)
        == ChangeRefused.UNKNOWN_ID
    )
    assert await store.poll_now(nobody, now=NOON) == ChangeRefused.UNKNOWN_ID


async def test_a_resumed_watch_shows_the_event_of_its_last_end(store: Store) -> None:
    watch_id = await in_state(store, WatchState.EXPIRED)
    await store.resume_watch(watch_id, now=NOON, expires_at=NOON + HOUR, max_live=1_000)
    detail = await see(store, watch_id)
    assert detail.event is not None
    assert (detail.watch.round, detail.event.round) == (1, 0)


async def test_a_delivered_outcome_stays_when_more_is_told(store: Store) -> None:
    watch = await finished(store)
    (dispatch,) = await take(store)
    await store.record_attempt(
        dispatch, lease(), attempt(status=200), Delivered(), AttemptAccepted(), now=NOON
    )
    await add(store, new_watch(callbacks=(Callback(OTHER),)))
    assert [one.state.value for one in (await see(store, watch.id)).deliveries] == ["delivered", "pending"]


async def test_a_trace_is_kept_with_the_watch_and_comes_with_what_is_claimed(store: Store) -> None:
    """The first registration's: one that finds the watch known changes nothing of it."""
    await add(
        store,
        new_watch(traceparent="00-a"),
        new_watch("task-2", callbacks=(Callback("http://127.0.0.1:9002/hook"),)),
    )
    await add(store, new_watch(traceparent="00-b"))
    claimed = {watch.task_id: watch for watch in await claim(store)}
    assert {task_id: watch.traceparent for task_id, watch in claimed.items()} == {
        "task-1": "00-a",
        "task-2": None,
    }
    for watch in claimed.values():
        await finish(store, watch)
    assert sorted(str(dispatch.traceparent) for dispatch in await take(store)) == ["00-a", "None"]
