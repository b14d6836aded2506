"""What every store promises about replays: what matched, once each, some at a time, across restarts."""

import pytest

from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import DeliveryState
from notifier.store.protocol import Store
from notifier.store.sqlite import bulk
from notifier.store.values import MAX_BULK_CHANGES, BulkLimitReached, ReplayQuery
from tests.builders import DAY, DOWN, HOUR, REFUSED, attempt, lease
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP, finished, take

A, B = "http://127.0.0.1:9001/a", "http://127.0.0.1:9002/b"
LATER = NOON + HOUR
FRESH = LATER + 3 * DAY


async def settled(
    store: Store, name: str, url: str = A, sequel: AttemptDecision | None = None, *, at: int = NOON
) -> str:
    """A delivery made at ``at`` that has ended, in success unless told otherwise; returns its id."""
    await finished(store, url, task_id=name, now=at)
    (dispatch,) = await take(store, at)
    report = REFUSED if isinstance(sequel, GiveUp) else AttemptAccepted()
    assert await store.record_attempt(
        dispatch, lease(at + 20_000), attempt(), sequel or Delivered(), report, now=at
    )
    return dispatch.delivery_id


async def replay(store: Store, query: ReplayQuery, *, limit: int = 10) -> list[int]:
    """Start it and work it off; returns the size of each step."""
    await store.start_replay(query, now=LATER, dry_run=False)
    sizes = []
    while (count := await store.replay_some(now=LATER, give_up_at=FRESH, limit=limit)) is not None:
        sizes.append(count)
    return sizes


async def sent(store: Store, now: int = LATER) -> list[str]:
    """What goes out now, in the order of the deliveries."""
    return sorted(one.delivery_id for one in await take(store, now))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (ReplayQuery(), "0123"),
        (ReplayQuery(state=DeliveryState.DEAD), "13"),
        (ReplayQuery(state=DeliveryState.DELIVERED), "02"),
        (ReplayQuery(state=DeliveryState.PENDING), ""),
        (ReplayQuery(url=A), "01"),
        (ReplayQuery(url=f"{B}?q=1"), "3"),
        (ReplayQuery(url="http://127.0.0.1:9009/none"), ""),
        (ReplayQuery(since=NOON + 1), "123"),
        (ReplayQuery(until=NOON + 1), "0"),
        (ReplayQuery(since=NOON + 1, until=NOON + 3), "12"),
        (ReplayQuery(since=NOON + 1, state=DeliveryState.DEAD, url=A), "1"),
    ],
)
async def test_a_replay_sends_what_matches_and_nothing_else(
    store: Store, query: ReplayQuery, expected: str
) -> None:
    """Made in [since, until), in this state, to this very URL. A dry run counts, and changes nothing."""
    ids = [
        await settled(store, "0"),
        await settled(store, "1", A, GiveUp("x"), at=NOON + 1),
        await settled(store, "2", B, at=NOON + 2),
        await settled(store, "3", f"{B}?q=1", GiveUp("x"), at=NOON + 3),
    ]
    assert await store.start_replay(query, now=LATER, dry_run=True) == len(expected)
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=9) is None
    assert await store.start_replay(query, now=LATER, dry_run=False) == len(expected)
    while await store.replay_some(now=LATER, give_up_at=FRESH, limit=9) is not None:
        pass
    assert await sent(store) == [ids[int(place)] for place in expected]


async def test_a_replayed_delivery_is_the_same_message_with_a_fresh_budget(store: Store) -> None:
    delivery_id = await settled(store, "a", sequel=GiveUp("x"))
    assert await replay(store, ReplayQuery(state=DeliveryState.DEAD)) == [1]
    detail = await store.delivery(delivery_id)
    assert detail is not None
    delivery = detail.delivery
    assert (delivery.state, delivery.due_at, delivery.ended_at) == (DeliveryState.PENDING, LATER, None)
    (again,) = await take(store, LATER)
    assert (again.number, again.refusals, again.give_up_at) == (2, 0, FRESH)
    assert not again.is_maybe_duplicate


async def test_a_replay_goes_in_steps_of_the_limit_oldest_first(store: Store) -> None:
    ids = [await settled(store, str(n), at=NOON + n) for n in range(5)]
    await store.start_replay(ReplayQuery(since=NOON), now=LATER, dry_run=False)
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=2) == 2
    assert await sent(store) == ids[:2]
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=2) == 2
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=2) == 1
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=2) is None


async def test_nothing_is_replayed_twice_however_soon_it_is_delivered_again(store: Store) -> None:
    await settled(store, "a")
    await settled(store, "b", at=NOON + 1)
    await store.start_replay(ReplayQuery(state=DeliveryState.DELIVERED), now=LATER, dry_run=False)
    told = 0
    while await store.replay_some(now=LATER, give_up_at=FRESH, limit=1) is not None:
        for one in await take(store, LATER):
            tried = attempt(one.number)
            await store.record_attempt(
                one, lease(LATER + 20_000), tried, Delivered(), AttemptAccepted(), now=LATER
            )
            told += 1
    assert told == 2


async def test_what_waits_or_is_in_flight_is_passed_over(store: Store) -> None:
    """It is sent anyway; its budget and its place in the queue stay."""
    await finished(store, A, B)
    (flying, waiting) = await take(store)
    assert await store.start_replay(ReplayQuery(), now=LATER, dry_run=False) == 0
    assert await store.record_attempt(flying, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON)
    assert await replay(store, ReplayQuery()) == [1]
    detail = await store.delivery(waiting.delivery_id)
    assert detail is not None
    assert detail.delivery.give_up_at == GIVE_UP


async def test_what_comes_after_the_start_is_not_replayed(store: Store) -> None:
    await settled(store, "before")
    await store.start_replay(ReplayQuery(), now=LATER, dry_run=False)
    await settled(store, "after", at=LATER)
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=9) == 1
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=9) is None


async def test_replays_are_worked_off_in_turn(store: Store) -> None:
    first, second = await settled(store, "a"), await settled(store, "b", B, at=NOON + 1)
    for url in (B, A):
        await store.start_replay(ReplayQuery(url=url), now=LATER, dry_run=False)
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=1) == 1
    assert await sent(store) == [second]
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=1) == 1
    assert await sent(store) == [first]


async def test_a_replay_survives_a_restart_at_its_place(opening: OpenStore) -> None:
    store = await opening()
    ids = [await settled(store, str(n), at=NOON + n) for n in range(3)]
    await store.start_replay(ReplayQuery(url=A), now=LATER, dry_run=False)
    assert await store.replay_some(now=LATER, give_up_at=FRESH, limit=1) == 1
    await store.close()
    store = await opening()
    while await store.replay_some(now=LATER, give_up_at=FRESH, limit=9) is not None:
        pass
    assert await sent(store) == ids


async def test_a_replay_crosses_a_wide_gap_in_bounded_steps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that finds nothing in its window returns 0, and the next one looks further."""
    monkeypatch.setattr(bulk, "SCAN_LIMIT", 2)
    monkeypatch.setattr(bulk, "COUNT_WINDOW", 2)
    urls = [A, B, B, B, B, B, A]
    for n, url in enumerate(urls):
        await settled(store, str(n), url, at=NOON + n)
    assert await store.start_replay(ReplayQuery(url=A), now=LATER, dry_run=True) == 2
    assert await replay(store, ReplayQuery(url=A)) == [1, 0, 0, 1]


async def test_a_replay_does_not_go_past_a_closed_gate(store: Store) -> None:
    """It makes deliveries pending; when they go out is the gate's to say."""
    await settled(store, "a")
    for n in range(3):
        await finished(store, A, task_id=f"down-{n}", now=NOON)
        for one in await take(store):
            await store.record_attempt(one, lease(), attempt(), GiveUp("x"), DOWN, now=NOON)
    await replay(store, ReplayQuery(state=DeliveryState.DELIVERED))
    assert len(await take(store, LATER)) == 1, "the one probe"


async def test_replays_that_wait_have_a_limit(store: Store) -> None:
    """Beyond it none is kept; what only counts or matches nothing needs no place; an end makes room."""
    await settled(store, "a")
    for _ in range(MAX_BULK_CHANGES):
        assert await store.start_replay(ReplayQuery(), now=LATER, dry_run=False) == 1
    assert await store.start_replay(ReplayQuery(), now=LATER, dry_run=False) == BulkLimitReached(
        MAX_BULK_CHANGES
    )
    assert await store.start_replay(ReplayQuery(), now=LATER, dry_run=True) == 1
    assert await store.start_replay(ReplayQuery(url=B), now=LATER, dry_run=False) == 0
    await store.replay_some(now=LATER, give_up_at=FRESH, limit=10)
    await settled(store, "b")
    assert await store.start_replay(ReplayQuery(), now=LATER, dry_run=False) == 1
