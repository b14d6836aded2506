"""What every store promises of trials: few at once, one to each origin, and in nobody's way."""

from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import ClaimedDelivery
from notifier.store.protocol import Store
from notifier.store.values import ClaimedDeliveries
from tests.builders import DOWN, HOUR, attempt, lease
from tests.fakes import NOON
from tests.store.steps import finished, proven

A, B, C = "http://127.0.0.1:9001", "http://127.0.0.1:9002", "http://127.0.0.1:9003"


async def claim(
    store: Store, now: int = NOON, *, trials: tuple[str, ...] = (), max_trials: int = 9, limit: int = 99
) -> ClaimedDeliveries:
    return await store.claim_deliveries(
        now=now,
        limit=limit,
        lease=lease(now + 20_000),
        busy=dict.fromkeys(trials, 1),
        per_origin=4,
        trials=trials,
        max_trials=max_trials,
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
    assert all(dispatch.is_trial for dispatch in claimed.deliveries)


async def test_an_origin_with_a_trial_under_way_gets_no_second_one_and_rings_no_bell(store: Store) -> None:
    await waiting(store, f"{A}/x", f"{A}/y")
    await claim(store)
    assert await claim(store, trials=(A,)) == ClaimedDeliveries((), None)


async def test_trials_have_a_limit_of_their_own(store: Store) -> None:
    """Beyond it they wait as rows, do not ring, and hide nothing of what is in good standing."""
    await proven(store, C)
    await waiting(store, A, B, f"{C}/x")
    claimed = await claim(store, max_trials=1, limit=3)
    assert sorted(urls(claimed)) == [A, f"{C}/x", f"{C}/x"]
    await waiting(store, f"{C}/later")
    claimed = await claim(store, NOON + 1, trials=(A,), max_trials=1)
    assert (urls(claimed), claimed.next_due_at) == ([f"{C}/later"] * 2, None)


async def test_one_acceptance_ends_the_trial(store: Store) -> None:
    await waiting(store, A, each=4)
    (first,) = (await claim(store)).deliveries
    await record(store, first, is_taken=True)
    claimed = await claim(store, NOON + 1)
    assert [dispatch.is_trial for dispatch in claimed.deliveries] == [False, False]


async def test_a_failure_begins_one(store: Store) -> None:
    """For the endpoint that failed; its neighbours in good standing go on as before."""
    await proven(store, A)
    await waiting(store, f"{A}/x", f"{A}/y")
    for dispatch in (await claim(store)).deliveries:
        await record(store, dispatch, is_taken=dispatch.url == f"{A}/y")
    await finished(store, f"{A}/y", task_id="more", now=NOON)
    claimed = await claim(store, NOON + 1)
    assert sorted((each.url, each.is_trial) for each in claimed.deliveries) == [
        (f"{A}/x", True),
        (f"{A}/y", False),
    ]


async def test_a_new_endpoint_has_the_name_of_its_origin(store: Store) -> None:
    """Good after an acceptance, none after a failure."""
    await proven(store, A)
    await finished(store, f"{A}/1", task_id="task-1", now=NOON)
    (good,) = (await claim(store)).deliveries
    await record(store, good, is_taken=False)
    await finished(store, f"{A}/2", task_id="task-2", now=NOON)
    bad = [dispatch for dispatch in (await claim(store, NOON + HOUR)).deliveries if dispatch.url == f"{A}/2"]
    assert (good.is_trial, [dispatch.is_trial for dispatch in bad]) == (False, [])
    assert [each.is_trial for each in (await claim(store, NOON + HOUR)).deliveries] == [True]


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
            now=now, limit=9, lease=lease(now + 20_000), busy={A: 3}, per_origin=4, max_trials=9
        )
        for dispatch in claimed.deliveries:
            await record(store, dispatch, is_taken=True, now=now)
            taken.append(dispatch.url)
    assert f"{A}/x" in taken[:3]
