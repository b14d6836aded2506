"""What every store promises about deliveries: none lost, none pushed aside, none sent twice unmarked."""

import asyncio
from collections import Counter

import pytest

from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import Delivery, DeliveryState
from notifier.store.protocol import Store
from notifier.store.values import ChangeRefused
from tests.builders import DAY, HOOK, HOUR, MINUTE, REFUSED, attempt, lease
from tests.fakes import NOON
from tests.store.steps import GIVE_UP, finished, proven, take

A, B, C = "http://127.0.0.1:9001", "http://127.0.0.1:9002", "http://10.0.0.7"


async def see(store: Store, delivery_id: str) -> Delivery:
    detail = await store.delivery(delivery_id)
    assert detail is not None
    return detail.delivery


async def many(store: Store, url: str, count: int, *, now: int = NOON, tag: str = "") -> None:
    for n in range(count):
        await finished(store, url, task_id=f"{tag or url.partition('//')[2].replace('/', '-')}-{n}", now=now)


def paths(deliveries: list[object]) -> list[str]:
    return [dispatch.url.rpartition("/")[2] for dispatch in deliveries]  # type: ignore[attr-defined]


async def test_a_dispatch_is_all_that_an_attempt_needs(store: Store) -> None:
    watch = await finished(store, HOOK, result_expires_at=NOON + DAY)
    (dispatch,) = await take(store)
    detail = await store.watch(watch.id)
    assert detail is not None
    assert detail.event is not None
    assert (dispatch.delivery_id, dispatch.event_id) == (detail.deliveries[0].id, detail.event.id)
    assert (dispatch.watch_id, dispatch.url, dispatch.body) == (watch.id, HOOK, detail.event.body)
    assert (dispatch.number, dispatch.created_at, dispatch.give_up_at) == (1, NOON, GIVE_UP)
    assert (dispatch.result_expires_at, dispatch.is_maybe_duplicate) == (NOON + DAY, False)


async def test_what_is_claimed_is_handed_to_nobody_else(store: Store) -> None:
    await finished(store)
    first, second = await asyncio.gather(take(store), take(store))
    assert (len(first), len(second)) == (1, 0)
    claimed = await store.claim_deliveries(
        now=NOON + 19_999, limit=9, lease=lease(owner="daemon-2"), busy={}, per_origin=9
    )
    assert (claimed.deliveries, claimed.next_due_at) == ((), None)


@pytest.mark.fault(3)
async def test_a_claim_that_is_not_recorded_is_sent_again_as_a_maybe_duplicate(store: Store) -> None:
    """The mark stays until an attempt is recorded, however many claims are lost."""
    await finished(store)
    (first,) = await take(store)
    for lost in (1, 2):
        (again,) = await take(store, NOON + lost * 20_000)
        assert (again.delivery_id, again.number, again.body) == (first.delivery_id, 1, first.body)
        assert again.is_maybe_duplicate
    assert await store.record_attempt(
        again, lease(), attempt(), Retry(NOON + HOUR), REFUSED, now=NOON + 41_000
    )
    (fresh,) = await take(store, NOON + HOUR)
    assert (fresh.number, fresh.is_maybe_duplicate) == (2, False)


@pytest.mark.parametrize(
    ("sequel", "state", "due_at", "last_error"),
    [
        (Delivered(), DeliveryState.DELIVERED, None, None),
        (Retry(NOON + 9), DeliveryState.PENDING, NOON + 9, "HTTP 500"),
        (GiveUp("no time left"), DeliveryState.DEAD, None, "no time left"),
    ],
)
async def test_an_attempt_is_kept_with_what_follows(
    store: Store, sequel: AttemptDecision, state: DeliveryState, due_at: int | None, last_error: str | None
) -> None:
    await finished(store)
    (dispatch,) = await take(store)
    tried = attempt(status=500, answer="\u00e9\n")
    assert await store.record_attempt(dispatch, lease(), tried, sequel, REFUSED, now=NOON + 3)
    detail = await store.delivery(dispatch.delivery_id)
    assert detail is not None
    assert detail.attempts == (tried,)
    delivery = detail.delivery
    assert (delivery.state, delivery.attempts, delivery.due_at) == (state, 1, due_at)
    assert delivery.last_error == last_error
    assert delivery.ended_at == (None if state is DeliveryState.PENDING else NOON + 3)


async def test_a_retry_is_due_when_it_says_and_not_before(store: Store) -> None:
    await finished(store)
    (dispatch,) = await take(store)
    failed = attempt(status=None, error="connection refused")
    await store.record_attempt(dispatch, lease(), failed, Retry(NOON + 5), REFUSED, now=NOON)
    waiting = await store.claim_deliveries(now=NOON + 4, limit=9, lease=lease(), busy={}, per_origin=9)
    assert (waiting.deliveries, waiting.next_due_at) == ((), NOON + 5)
    (again,) = await take(store, NOON + 5)
    assert again.number == 2
    assert (await see(store, again.delivery_id)).last_error == "connection refused"


async def test_the_first_record_of_an_attempt_wins(store: Store) -> None:
    await finished(store)
    (dispatch,) = await take(store)
    assert await store.record_attempt(
        dispatch, lease(), attempt(status=200), Delivered(), AttemptAccepted(), now=NOON
    )
    for holder in (lease(), lease(owner="daemon-2")):
        assert not await store.record_attempt(dispatch, holder, attempt(), Retry(NOON), REFUSED, now=NOON)
    detail = await store.delivery(dispatch.delivery_id)
    assert detail is not None
    assert (detail.delivery.state, len(detail.attempts)) == (DeliveryState.DELIVERED, 1)
    assert await take(store, NOON + HOUR) == []


async def test_a_record_without_the_claim_changes_nothing(store: Store) -> None:
    await finished(store)
    (dispatch,) = await take(store)
    sequel = Delivered()
    assert not await store.record_attempt(dispatch, lease(owner="x"), attempt(), sequel, REFUSED, now=NOON)
    assert (await see(store, dispatch.delivery_id)).state is DeliveryState.PENDING


# ---- fairness


async def test_endpoints_take_turns(store: Store) -> None:
    """One with much waiting does not push aside one with little, whoever came first."""
    await proven(store, A)
    await many(store, f"{A}/long", 5)
    await many(store, f"{A}/short", 2, now=NOON + 1)
    assert paths([*await take(store, NOON + 1, limit=5)]) == ["long", "short", "long", "short", "long"]


async def test_an_endpoint_that_was_served_goes_to_the_back_of_the_line(store: Store) -> None:
    await proven(store, A, B)
    await many(store, f"{A}/a", 4)
    await many(store, f"{A}/b", 4)
    await many(store, f"{B}/c", 4)
    turns = [paths([*await take(store, NOON + tick, limit=1)])[0] for tick in range(1, 7)]
    assert turns == ["a", "b", "c", "a", "b", "c"]


async def test_new_work_neither_loses_nor_gains_an_endpoint_its_place(store: Store) -> None:
    """Else an endpoint that gets events all the time would always be last, or always first."""
    await proven(store, A)
    await many(store, f"{A}/a", 2)
    await many(store, f"{A}/b", 2, now=NOON + 1)
    await finished(store, f"{A}/a", task_id="a-more", now=NOON + 5)
    assert paths([*await take(store, NOON + 5, limit=1)]) == ["a"]
    await finished(store, f"{A}/a", task_id="a-still-more", now=NOON + 6)
    assert paths([*await take(store, NOON + 6, limit=1)]) == ["b"]


async def test_a_recorded_retry_does_not_bring_its_endpoint_forward(store: Store) -> None:
    await proven(store, A)
    await many(store, f"{A}/a", 3)
    await many(store, f"{A}/b", 3)
    (first,) = await take(store, NOON + 1, limit=1)
    await store.record_attempt(first, lease(), attempt(), Retry(NOON + MINUTE), REFUSED, now=NOON + 2)
    assert paths([*await take(store, NOON + 3, limit=2)]) == ["b", "a"]


async def test_queries_of_one_url_are_one_endpoint(store: Store) -> None:
    await proven(store, A)
    for n in range(3):
        await finished(store, f"{A}/one?n={n}", task_id=f"one-{n}")
    await finished(store, f"{A}/two", task_id="two")
    urls = [dispatch.url for dispatch in await take(store, NOON + 1, limit=3)]
    assert urls == [f"{A}/one?n=0", f"{A}/two", f"{A}/one?n=1"]


async def test_no_origin_gets_more_than_its_share(store: Store) -> None:
    """What is in flight already counts; another origin is not held up by it."""
    await proven(store, A, B)
    await many(store, f"{A}/a", 6)
    await many(store, f"{A}/b", 6)
    await many(store, f"{B}/c", 6)
    taken = await take(store, NOON, per_origin=4, busy={A: 1, C: 9})
    assert Counter(dispatch.url for dispatch in taken) == {f"{A}/a": 2, f"{A}/b": 1, f"{B}/c": 4}
    assert paths([*await take(store, NOON, per_origin=4, busy={A: 4, B: 3})]) == ["c"]


async def test_next_due_leaves_out_what_has_no_room(store: Store) -> None:
    """Otherwise a full origin would ring the bell without end."""
    await proven(store, A)
    await many(store, f"{A}/a", 3)
    full = await store.claim_deliveries(now=NOON, limit=9, lease=lease(), busy={}, per_origin=1)
    assert (len(full.deliveries), full.next_due_at) == (1, None)
    still = await store.claim_deliveries(now=NOON, limit=9, lease=lease(), busy={A: 1}, per_origin=1)
    assert (still.deliveries, still.next_due_at) == ((), None)
    more = await store.claim_deliveries(now=NOON, limit=1, lease=lease(), busy={A: 1}, per_origin=9)
    assert (len(more.deliveries), more.next_due_at) == (1, NOON)


async def test_results_that_expire_go_first_the_rest_by_age(store: Store) -> None:
    await proven(store, A)
    lives = {"never-1": None, "late": NOON + DAY, "never-2": None, "soon": NOON + HOUR}
    for age, (name, expires_at) in enumerate(lives.items()):
        await finished(store, f"{A}/q?{name}", task_id=name, now=NOON + age, result_expires_at=expires_at)
    order = [dispatch.url.partition("?")[2] for dispatch in await take(store, NOON + 9)]
    assert order == ["soon", "late", "never-1", "never-2"]


async def test_a_limit_of_none_claims_none(store: Store) -> None:
    await finished(store)
    claimed = await store.claim_deliveries(now=NOON, limit=0, lease=lease(), busy={}, per_origin=4)
    assert (claimed.deliveries, claimed.next_due_at) == ((), NOON)


# ---- again, by hand


@pytest.mark.parametrize("sequel", [Delivered(), GiveUp("given up"), Retry(NOON + DAY)])
async def test_a_redelivery_is_the_same_message_at_once_with_a_fresh_budget(
    store: Store, sequel: AttemptDecision
) -> None:
    await finished(store)
    (first,) = await take(store)
    await store.record_attempt(first, lease(), attempt(), sequel, REFUSED, now=NOON)
    again = await store.redeliver(first.delivery_id, now=NOON + 7, give_up_at=GIVE_UP + DAY)
    assert not isinstance(again, ChangeRefused)
    assert (again.state, again.due_at, again.ended_at) == (DeliveryState.PENDING, NOON + 7, None)
    (second,) = await take(store, NOON + 7)
    assert (second.event_id, second.body, second.number) == (first.event_id, first.body, 2)
    assert (second.give_up_at, second.is_maybe_duplicate) == (GIVE_UP + DAY, False)


async def test_a_redelivery_goes_before_all_that_waits_for_the_same_endpoint(store: Store) -> None:
    """Somebody is looking. However long the queue, and however soon the results in it expire."""
    await proven(store, A)
    await finished(store, A)
    (first,) = await take(store)
    await store.record_attempt(first, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON)
    for n in range(5):
        await finished(store, A, task_id=f"later-{n}", result_expires_at=NOON + HOUR)
    await store.redeliver(first.delivery_id, now=NOON + 7, give_up_at=GIVE_UP)
    foremost, other = await take(store, NOON + 7, limit=2)
    assert foremost.delivery_id == first.delivery_id
    assert other.delivery_id != first.delivery_id


async def test_a_redelivery_of_what_is_being_sent_does_not_send_it_twice_at_once(store: Store) -> None:
    await finished(store)
    (dispatch,) = await take(store)
    again = await store.redeliver(dispatch.delivery_id, now=NOON + 1, give_up_at=GIVE_UP + DAY)
    assert not isinstance(again, ChangeRefused)
    assert again.give_up_at == GIVE_UP + DAY
    assert await take(store, NOON + 1) == []
    assert await store.record_attempt(
        dispatch, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON + 2
    )


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    nobody = "dlv_00000000000000000000000000"
    assert await store.delivery(nobody) is None
    assert await store.redeliver(nobody, now=NOON, give_up_at=NOON) == ChangeRefused.UNKNOWN_ID
