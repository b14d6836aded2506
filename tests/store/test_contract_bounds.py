"""What every store promises about what is kept of attempts, and about results that are about to die."""

import pytest

from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.store.protocol import Store
from notifier.store.sqlite import maintenance
from tests.builders import DAY, HOUR, REFUSED, attempt, lease
from tests.fakes import NOON
from tests.store.steps import finished, take

A, B = "http://127.0.0.1:9001/a", "http://127.0.0.1:9002/b"


async def fail(store: Store, times: int, *, at: int = NOON) -> str:
    """Have the one due delivery refused so often; returns its id."""
    for _ in range(times):
        (dispatch,) = await take(store, at)
        tried = attempt(dispatch.number, at=at)
        again = Retry(at, is_refusal=True)
        await store.record_attempt(dispatch, lease(at + 20_000), tried, again, REFUSED, now=at)
    return dispatch.delivery_id


async def numbers(store: Store, delivery_id: str) -> list[int]:
    detail = await store.delivery(delivery_id)
    assert detail is not None
    return [one.number for one in detail.attempts]


async def test_a_delivery_keeps_its_newest_fifty_attempts(store: Store) -> None:
    """It knows even so how many there were."""
    await finished(store, A)
    delivery_id = await fail(store, 53)
    assert await numbers(store, delivery_id) == list(range(4, 54))
    detail = await store.delivery(delivery_id)
    assert detail is not None
    assert detail.delivery.attempts == 53


async def test_the_oldest_attempts_of_all_go_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By when they were made, not by whose they are: an old delivery may have been tried just now."""
    monkeypatch.setattr(maintenance.trim_attempts, "__kwdefaults__", {"most": 4})
    monkeypatch.setattr(maintenance, "TRIM_LIMIT", 2)
    await finished(store, A, task_id="old")
    old = await fail(store, 3)
    (dispatch,) = await take(store)
    await finished(store, B, task_id="new", now=NOON + 1)
    new = await fail(store, 5, at=NOON + 1)
    await store.record_attempt(
        dispatch, lease(), attempt(4, at=NOON + HOUR), Delivered(), AttemptAccepted(), now=NOON + 1
    )
    steps = [await store.prune(delivered_before=NOON, dead_before=NOON, limit=9) for _ in range(3)]
    assert [step.has_excess for step in steps] == [True, True, False]
    assert (await numbers(store, old), await numbers(store, new)) == ([4], [3, 4, 5])
    await store.prune(delivered_before=NOON, dead_before=NOON, limit=9)
    assert (await numbers(store, old), await numbers(store, new)) == ([4], [3, 4, 5])


async def test_attempts_that_go_with_their_watch_count_no_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the bound would come nearer with every watch that is forgotten."""
    monkeypatch.setattr(maintenance.trim_attempts, "__kwdefaults__", {"most": 3})
    for n in range(4):
        await finished(store, A, task_id=f"gone-{n}")
        (dispatch,) = await take(store)
        await store.record_attempt(dispatch, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON)
        await store.prune(delivered_before=NOON + 1, dead_before=NOON, limit=9)
    await finished(store, A)
    delivery_id = await fail(store, 3)
    await store.prune(delivered_before=NOON, dead_before=NOON, limit=9)
    assert await numbers(store, delivery_id) == [1, 2, 3]


async def test_an_undelivered_result_in_the_last_quarter_of_its_life_is_counted(store: Store) -> None:
    """From three quarters of the way on, past the expiry too; a result of unknown life never is."""
    await finished(store, A, task_id="a day", result_expires_at=NOON + DAY)
    await finished(store, A, task_id="unknown")
    for now, expected in (
        (NOON, 0),
        (NOON + 18 * HOUR - 1, 0),
        (NOON + 18 * HOUR, 1),
        (NOON + 2 * DAY, 1),
    ):
        assert (await store.counts(now=now)).expiring == expected


async def test_what_is_delivered_is_not_counted_and_what_is_in_flight_is(store: Store) -> None:
    await finished(store, A, result_expires_at=NOON + 1)
    (dispatch,) = await take(store)
    assert (await store.counts(now=NOON + 1)).expiring == 1
    await store.record_attempt(dispatch, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON)
    assert (await store.counts(now=NOON + 1)).expiring == 0
    await store.redeliver(dispatch.delivery_id, now=NOON, give_up_at=NOON + DAY)
    assert (await store.counts(now=NOON + 1)).expiring == 0  # its receiver had it in time
