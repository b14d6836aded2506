"""What every store promises of trials: few at once, one to each origin, and in nobody's way."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.delivery.slots import SlotUsage
from notifier.core.model import ClaimedDelivery, SlotClass
from notifier.store.protocol import Store
from notifier.store.values import ClaimedDeliveries
from tests.builders import DOWN, HOUR, attempt, lease
from tests.fakes import NOON
from tests.store.steps import finished, proven

A, B, C = "http://127.0.0.1:9001", "http://127.0.0.1:9002", "http://127.0.0.1:9003"


async def claim(
    store: Store,
    now: int = NOON,
    *,
    total: int = 99,
    limit: int = 99,
    in_flight: Mapping[SlotClass, tuple[str, ...]] = MappingProxyType({}),
) -> ClaimedDeliveries:
    return await store.claim_deliveries(
        now=now,
        limit=limit,
        lease=lease(now + 20_000),
        busy=Counter(origin for origins in in_flight.values() for origin in origins),
        per_origin=4,
        slots=SlotUsage(total, in_flight),
    )


async def waiting(store: Store, *urls: str, each: int = 2) -> None:
    for at, url in enumerate(urls):
        for n in range(each):
            await finished(store, url, task_id=f"{url[-12:].replace('/', '-')}-{at}-{n}", now=NOON)


async def record(store: Store, dispatch: ClaimedDelivery, *, is_taken: bool, now: int = NOON) -> None:
    sequel, report = (Delivered(), AttemptAccepted()) if is_taken else (Retry(now), DOWN)
    assert await store.record_attempt(dispatch, lease(), attempt(dispatch.number), sequel, report, now=now)


def urls(claimed: ClaimedDeliveries) -> list[str]:
    return [dispatch.url for dispatch in claimed.deliveries]


async def test_an_unknown_origin_gets_one_message_whatever_waits_there(store: Store) -> None:
    """Also when it has several endpoints."""
    await waiting(store, f"{A}/x", f"{A}/y", f"{B}/x")
    claimed = await claim(store)
    assert urls(claimed) == [f"{A}/x", f"{B}/x"]
    assert {dispatch.slot_class for dispatch in claimed.deliveries} == {SlotClass.NEW}


async def test_an_origin_with_a_trial_under_way_gets_no_second_one_and_rings_no_bell(store: Store) -> None:
    await waiting(store, f"{A}/x", f"{A}/y")
    await claim(store)
    assert await claim(store, in_flight={SlotClass.NEW: (A,)}) == ClaimedDeliveries((), None)


async def test_trials_have_a_limit_of_their_own(store: Store) -> None:
    """Beyond it they wait as rows, do not ring, and hide nothing of what is in good standing."""
    await proven(store, C)
    await waiting(store, A, B, f"{C}/x")
    claimed = await claim(store, total=3, limit=3)
    assert sorted(urls(claimed)) == [A, f"{C}/x", f"{C}/x"]
    await waiting(store, f"{C}/later")
    claimed = await claim(store, NOON + 1, in_flight={SlotClass.NEW: (A,)}, total=3)
    assert (urls(claimed), claimed.next_due_at) == ([f"{C}/later"] * 2, None)


async def test_one_acceptance_ends_the_trial(store: Store) -> None:
    await waiting(store, A, each=4)
    (first,) = (await claim(store)).deliveries
    await record(store, first, is_taken=True)
    claimed = await claim(store, NOON + 1)
    assert [dispatch.slot_class for dispatch in claimed.deliveries] == [SlotClass.PROVEN] * 2


async def test_an_acceptance_lets_the_other_new_endpoints_of_its_origin_go_together(store: Store) -> None:
    """As where each task has a URL of its own: they go as many at once as the origin may get."""
    await waiting(store, *(f"{A}/{n}" for n in range(7)), each=1)
    (first,) = (await claim(store)).deliveries
    await record(store, first, is_taken=True)
    claimed = (await claim(store, NOON + 1)).deliveries
    assert [dispatch.slot_class for dispatch in claimed] == [SlotClass.NEW] * 4
    await record(store, claimed[0], is_taken=False, now=NOON + 1)
    claimed = (await claim(store, NOON + 1, in_flight={SlotClass.NEW: (A,)})).deliveries
    assert [dispatch.slot_class for dispatch in claimed] == [SlotClass.RECOVERING], "no new one beside it"


async def test_a_failure_begins_one(store: Store) -> None:
    """For the endpoint that failed; its neighbours in good standing go on as before."""
    await proven(store, A)
    await waiting(store, f"{A}/x", f"{A}/y")
    for dispatch in (await claim(store)).deliveries:
        await record(store, dispatch, is_taken=dispatch.url == f"{A}/y")
    await finished(store, f"{A}/y", task_id="more", now=NOON)
    claimed = await claim(store, NOON + 1)
    assert sorted((each.url, each.slot_class) for each in claimed.deliveries) == [
        (f"{A}/x", SlotClass.RECOVERING),
        (f"{A}/y", SlotClass.PROVEN),
    ]


async def test_a_new_endpoint_has_the_name_of_its_origin(store: Store) -> None:
    """Good after an acceptance, none after a failure."""
    await proven(store, A)
    await finished(store, f"{A}/1", task_id="task-1", now=NOON)
    (good,) = (await claim(store)).deliveries
    await record(store, good, is_taken=False)
    await finished(store, f"{A}/2", task_id="task-2", now=NOON)
    claimed = (await claim(store, NOON + HOUR)).deliveries
    bad = [dispatch for dispatch in claimed if dispatch.url == f"{A}/2"]
    assert (good.slot_class, [dispatch.slot_class for dispatch in bad]) == (SlotClass.PROVEN, [SlotClass.NEW])


async def test_a_trial_has_its_turn_however_much_waits_elsewhere(store: Store) -> None:
    """Where slots are few, one that was looked at but got none keeps its place in the line."""
    await proven(store, B, C)
    await waiting(store, f"{B}/x", f"{C}/x", each=4)
    await waiting(store, A, each=1)
    taken = []
    for now in range(NOON + 1, NOON + 4):
        (dispatch,) = (await claim(store, now, limit=1)).deliveries
        await record(store, dispatch, is_taken=True, now=now)
        taken.append(dispatch.url)
    assert sorted(taken) == [A, f"{B}/x", f"{C}/x"]


async def test_a_trial_has_its_turn_beside_a_busy_neighbour(store: Store) -> None:
    """Also where its origin has room for one more only, and a good endpoint of it has much to send."""
    await proven(store, A)
    await waiting(store, f"{A}/x", f"{A}/y", each=6)
    for dispatch in (await claim(store)).deliveries:
        await record(store, dispatch, is_taken=dispatch.url == f"{A}/y")
    taken = []
    for now in range(NOON + 1, NOON + 5):
        claimed = await store.claim_deliveries(
            now=now, limit=9, lease=lease(now + 20_000), busy={A: 3}, per_origin=4
        )
        for dispatch in claimed.deliveries:
            await record(store, dispatch, is_taken=True, now=now)
            taken.append(dispatch.url)
    assert f"{A}/x" in taken[:3]


async def test_what_hangs_uses_a_quarter_of_the_slots_and_hides_no_new_endpoint(store: Store) -> None:
    """However many hang and however long they are due: the new one has its slot at once."""
    hanging = [f"http://10.0.0.{n}/hook" for n in range(12)]
    await waiting(store, *hanging, each=1)
    for dispatch in (await claim(store)).deliveries:
        slow = replace(DOWN, is_slow=True)
        assert await store.record_attempt(dispatch, lease(), attempt(), Retry(NOON), slow, now=NOON)
    await finished(store, B, task_id="new", now=NOON + 1)
    claimed = (await claim(store, NOON + 1, total=16)).deliveries
    assert Counter(each.slot_class for each in claimed) == {SlotClass.HANGING: 4, SlotClass.NEW: 1}
    busy = {SlotClass.HANGING: tuple(hanging[:4])}
    assert (await claim(store, NOON + 2, total=16, in_flight=busy)).deliveries == ()


async def test_a_redelivery_has_a_slot_of_its_own(store: Store) -> None:
    """Though all others are in use, and its endpoint has a delivery in flight that hangs."""
    await waiting(store, A, each=1)
    (dispatch,) = (await claim(store)).deliveries
    slow = replace(DOWN, is_slow=True)
    await store.record_attempt(dispatch, lease(), attempt(), Retry(NOON + HOUR), slow, now=NOON)
    await finished(store, B, task_id="other", now=NOON)
    busy = {SlotClass.HANGING: (A, *(f"http://10.0.0.{n}" for n in range(6)))}
    assert (await claim(store, NOON + 1, total=8, limit=1, in_flight=busy)).deliveries == ()
    await store.redeliver(dispatch.delivery_id, now=NOON + 1, give_up_at=NOON + HOUR)
    (forced,) = (await claim(store, NOON + 1, total=8, limit=1, in_flight=busy)).deliveries
    assert (forced.delivery_id, forced.slot_class) == (dispatch.delivery_id, SlotClass.FORCED)
