"""What every store promises of changes to all that waits for an endpoint: in steps, all of it, once."""

import pytest

from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import Delivery, DeliveryState
from notifier.store.protocol import Store
from notifier.store.sqlite import sweeps
from notifier.store.values import ChangeRefused, DeliveryQuery
from tests.builders import DAY, DOWN, MINUTE, attempt, lease
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP, finished, take

A, B = "http://127.0.0.1:9001/a", "http://127.0.0.1:9002/b"
STEP = 3


@pytest.fixture(autouse=True)
def _short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "SWEEP_STEP", STEP)


async def parked(store: Store, count: int) -> int:
    """Have so many wait for a day, each after a failure, and one that is due; return the time."""
    for n in range(count):
        await finished(store, f"{A}?{n}", task_id=f"task-{n}", now=NOON)
    now = NOON
    for _ in range(count):
        await record(store, Retry(NOON + DAY), now=now)
        now += 2 * MINUTE
    await finished(store, f"{A}?due", task_id="due", now=NOON)
    return now


async def record(store: Store, decision: Delivered | Retry, *, now: int) -> None:
    (dispatch,) = await take(store, now, limit=1)
    report = AttemptAccepted() if isinstance(decision, Delivered) else DOWN
    assert await store.record_attempt(
        dispatch, lease(now + 20_000), attempt(dispatch.number), decision, report, now=now
    )


async def only_endpoint(store: Store) -> str:
    (endpoint,) = await store.endpoints(before=None, limit=2)
    return endpoint.id


async def dead(store: Store) -> dict[str, str | None]:
    found = await store.deliveries(DeliveryQuery(state=DeliveryState.DEAD))
    return {each.url: each.last_error for each in found}


async def test_all_that_waits_behind_a_gate_wakes_in_steps(store: Store) -> None:
    """The first step is made where the gate opens, each claim makes the next, and wants to come again."""
    now = await parked(store, 8)
    await record(store, Delivered(), now=now)
    waiting = DeliveryQuery(state=DeliveryState.PENDING)
    awake = []
    for _ in range(3):
        awake.append(sum(each.due_at == now for each in await store.deliveries(waiting)))
        claimed = await store.claim_deliveries(now=now, limit=0, lease=lease(), busy={}, per_origin=9)
        assert claimed.next_due_at == now
    assert awake == [STEP, 2 * STEP, 8]
    assert (await store.deliveries(waiting))[0].due_at == now


async def test_all_of_an_endpoint_is_given_up_in_steps(store: Store) -> None:
    """What comes later is sent as usual, and what waits elsewhere is left alone."""
    for n in range(7):
        await finished(store, f"{A}?{n}", task_id=f"task-{n}", now=NOON)
    endpoint_id = await only_endpoint(store)
    await finished(store, B, task_id="elsewhere", now=NOON)
    assert await store.give_up_endpoint(endpoint_id, now=NOON) == 7
    assert len(await dead(store)) == STEP
    await finished(store, f"{A}?later", task_id="later", now=NOON)
    sent = [each.url for _ in range(4) for each in await take(store, NOON + 1)]
    assert {f"{A}?later", B} <= set(sent)
    given_up = {url for url, reason in (await dead(store)).items() if reason == "given up by a user"}
    assert given_up | set(sent) == {f"{A}?{n}" for n in range(7)} | {f"{A}?later", B}
    assert len(given_up) == 7


async def test_a_sweep_goes_on_after_a_restart(opening: OpenStore) -> None:
    """It is a row: what was answered 202 is done."""
    store = await opening()
    for n in range(7):
        await finished(store, f"{A}?{n}", task_id=f"task-{n}", now=NOON)
    assert await store.give_up_endpoint(await only_endpoint(store), now=NOON) == 7
    await store.close()
    store = await opening()
    assert [await take(store, NOON + 1, limit=0) for _ in range(2)] == [[], []]
    assert len(await dead(store)) == 7


async def test_a_delivery_is_given_up_even_while_it_is_in_flight(store: Store) -> None:
    """Its result is not recorded any more, and what waits behind it goes on."""
    await finished(store, f"{A}?1", task_id="first", now=NOON)
    await finished(store, f"{A}?2", task_id="second", now=NOON)
    (dispatch,) = await take(store)
    given_up = await store.give_up_delivery(dispatch.delivery_id, now=NOON)
    assert isinstance(given_up, Delivery)
    assert (given_up.state, given_up.last_error) == (DeliveryState.DEAD, "given up by a user")
    late = await store.record_attempt(
        dispatch, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON + 1
    )
    assert late is None
    assert [each.url for each in await take(store, NOON + 1)] == [f"{A}?2"]


async def test_only_what_is_pending_can_be_given_up(store: Store) -> None:
    """A dead one stays as it is, with its reason; a delivered one is a conflict."""
    await finished(store, A)
    (dispatch,) = await take(store)
    await store.record_attempt(dispatch, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON)
    assert await store.give_up_delivery(dispatch.delivery_id, now=NOON) is ChangeRefused.CONFLICT
    assert await store.give_up_delivery("dlv_x", now=NOON) is ChangeRefused.UNKNOWN_ID
    await store.redeliver(dispatch.delivery_id, now=NOON, give_up_at=GIVE_UP)
    first = await store.give_up_delivery(dispatch.delivery_id, now=NOON)
    assert await store.give_up_delivery(dispatch.delivery_id, now=NOON + 1) == first
