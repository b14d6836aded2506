"""What every store promises about large items: kept once, claimed within a sum, listed within a size."""

import pytest

from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.event_body import build_event
from notifier.core.model import Callback, Watch, WatchState
from notifier.store.protocol import Store
from notifier.store.values import (
    MAX_CLAIMED_BYTES,
    MAX_DELIVERIES,
    MAX_PAGE_BYTES,
    ClaimedDeliveries,
    DeliveryQuery,
    WatchAdded,
    WatchQuery,
    is_page_full,
)
from tests.builders import attempt, end, event, lease, new_watch
from tests.fakes import NOON
from tests.store.steps import GIVE_UP, add, claim, finished, proven

MiB = 1 << 20
PAYLOAD = '{"task_info": {"n": 1.0}, "images": []}'
A, B, C = "http://127.0.0.1:9001/a", "http://127.0.0.1:9001/b", "http://127.0.0.1:9001/c"


async def told(store: Store, task_id: str = "task-1", *, max_payload: int, state: WatchState) -> Watch:
    """End a watch with ``PAYLOAD``."""
    await add(store, new_watch(task_id))
    watch = next(each for each in await claim(store) if each.task_id == task_id)
    ending = end(state, payload=PAYLOAD)
    made = build_event(watch, ending, event_id=f"evt_{task_id}", now=NOON, max_payload=max_payload)
    assert await store.record_end(watch, lease(), ending, made, now=NOON, give_up_at=GIVE_UP)
    return watch


# ---- payloads


@pytest.mark.fault(112)
@pytest.mark.parametrize("max_payload", [1, 1_000])
async def test_a_payload_comes_back_to_the_byte_from_where_it_is_stored(
    store: Store, max_payload: int
) -> None:
    """From the event where it fits into the callback, else from beside it; never from both."""
    watch = await told(store, max_payload=max_payload, state=WatchState.COMPLETED)
    assert await store.payload(watch.id) == PAYLOAD.encode()
    detail = await store.watch(watch.id)
    assert detail is not None
    assert detail.event is not None
    assert (PAYLOAD.encode() in detail.event.body) == (max_payload == 1_000)


@pytest.mark.parametrize("state", [WatchState.EXPIRED, WatchState.LOST])
async def test_an_end_that_is_not_the_providers_word_has_no_payload(store: Store, state: WatchState) -> None:
    watch = await told(store, max_payload=1, state=state)
    assert await store.payload(watch.id) is None


async def test_a_live_unknown_or_resumed_watch_has_no_payload(store: Store) -> None:
    """What an earlier round brought is no word about this one."""
    (live,) = await add(store, new_watch("live"))
    assert await store.payload(live.id) is None
    assert await store.payload("wch_1") is None
    resumed = await told(store, "resumed", max_payload=1, state=WatchState.EXPIRED)
    await store.resume_watch(resumed.id, now=NOON, expires_at=NOON + 1_000, max_live=10)
    assert await store.payload(resumed.id) is None


async def test_a_payload_is_deleted_with_its_watch(store: Store) -> None:
    watch = await told(store, max_payload=1, state=WatchState.COMPLETED)
    (delivery,) = (await claim_bodies(store)).deliveries
    await store.record_attempt(
        delivery, lease(), attempt(status=204), Delivered(), AttemptAccepted(), now=NOON
    )
    step = await store.prune(delivered_before=NOON + 9, dead_before=NOON + 9, limit=10)
    assert step.count == 1
    assert await store.payload(watch.id) is None


# ---- claims


async def with_body(store: Store, url: str, size: int, task_id: str) -> None:
    """A delivery that is due, with a body of this size."""
    await add(store, new_watch(task_id, callbacks=(Callback(url),)))
    watch = next(each for each in await claim(store) if each.task_id == task_id)
    made = event(watch, end(), body=b"x" * size)
    assert await store.record_end(watch, lease(), end(), made, now=NOON, give_up_at=GIVE_UP)


async def claim_bodies(store: Store, max_bytes: int = MAX_CLAIMED_BYTES) -> ClaimedDeliveries:
    return await store.claim_deliveries(
        now=NOON, limit=100, lease=lease(NOON + 20_000), busy={}, per_origin=100, max_bytes=max_bytes
    )


def sizes(claimed: ClaimedDeliveries) -> list[int]:
    return sorted(len(delivery.body) for delivery in claimed.deliveries)


@pytest.mark.fault(111)
async def test_claimed_bodies_fit_into_what_is_free_and_short_ones_always_go(store: Store) -> None:
    """The claim says that others have to wait, and the next one takes them."""
    await proven(store, A)
    for n, size in enumerate([3 * MiB, 1_000, 3 * MiB, 2 * MiB, 1_000]):
        await with_body(store, A, size, f"task-{n}")
    claimed = await claim_bodies(store, 5 * MiB)
    assert sizes(claimed) == [1_000, 1_000, 3 * MiB]
    assert claimed.lacks_memory
    rest = await claim_bodies(store, 5 * MiB)
    assert sizes(rest) == [2 * MiB, 3 * MiB]
    assert not rest.lacks_memory


@pytest.mark.fault(111)
async def test_a_body_that_waits_holds_up_those_behind_it_so_that_its_turn_comes(store: Store) -> None:
    """Else a stream of smaller ones, each of which fits, would keep it waiting for ever."""
    await proven(store, A)
    for n, size in enumerate([3 * MiB, 1 * MiB, 1 * MiB]):
        await with_body(store, A, size, f"task-{n}")
    claimed = await claim_bodies(store, 2 * MiB)
    assert (sizes(claimed), claimed.lacks_memory) == ([], True)


@pytest.mark.fault(111)
async def test_a_body_larger_than_all_memory_goes_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only while no other is in flight."""
    monkeypatch.setattr("notifier.store.sqlite.claiming.MAX_CLAIMED_BYTES", 4 * MiB)
    await proven(store, A)
    for n, size in enumerate([5 * MiB, 1 * MiB]):
        await with_body(store, A, size, f"task-{n}")
    assert sizes(await claim_bodies(store, 3 * MiB)) == []
    assert sizes(await claim_bodies(store, 4 * MiB)) == [5 * MiB]


# ---- lists


async def ended(store: Store, count: int, size: int) -> list[Watch]:
    """Watches that have ended, each with outputs of this many characters."""
    await add(store, *(new_watch(f"task-{n}") for n in range(count)))
    watches = await claim(store)
    ending = end(outputs=("u" * (size // 2), "v" * (size // 2)))
    for watch in watches:
        made = event(watch, ending)
        assert await store.record_end(watch, lease(), ending, made, now=NOON, give_up_at=GIVE_UP)
    return watches


@pytest.mark.fault(113)
async def test_a_page_of_watches_ends_where_it_is_full(store: Store) -> None:
    """It has at most one row more than fit, however many are asked for; the next page goes on after it."""
    await ended(store, 10, MiB)
    seen: list[Watch] = []
    pages: list[list[Watch]] = []
    while not pages or is_page_full(pages[-1]):
        page = await store.watches(WatchQuery(before=seen[-1].id if seen else None, limit=500))
        pages.append(page)
        seen += page
    assert [len(page) for page in pages] == [4, 4, 2]
    assert len({watch.id for watch in seen}) == 10


async def test_a_row_larger_than_a_page_is_a_page(store: Store) -> None:
    await ended(store, 2, 2 * MAX_PAGE_BYTES)
    page = await store.watches(WatchQuery(limit=500))
    assert (len(page), is_page_full(page)) == (1, True)


@pytest.mark.fault(113)
async def test_a_page_of_deliveries_ends_where_it_is_full(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long URL counts, as the outputs of a watch do."""
    for module in ("notifier.store.values", "notifier.store.sqlite.listing"):
        monkeypatch.setattr(f"{module}.MAX_PAGE_BYTES", len(A) + len(B))
    await finished(store, A, B, C)
    page = await store.deliveries(DeliveryQuery())
    assert ([each.url for each in page], is_page_full(page)) == ([C, B], True)


@pytest.mark.fault(113)
async def test_what_is_read_back_for_the_feed_ends_where_it_is_full(store: Store) -> None:
    """The feed then publishes a reset instead."""
    watches = await ended(store, 10, MiB)
    rows = await store.find([watch.id for watch in watches], [], deliveries_of=[])
    assert (len(rows.watches), rows.is_cut) == (4, True)
    rows = await store.find([watch.id for watch in watches[:3]], [], deliveries_of=[])
    assert (len(rows.watches), rows.is_cut) == (3, False)


@pytest.mark.fault(113)
async def test_a_batch_of_known_watches_leaves_out_the_outputs_that_do_not_fit(store: Store) -> None:
    """The watches themselves are all there."""
    await ended(store, 10, MiB)
    again = [new_watch(f"task-{n}") for n in range(10)]
    results = await store.add_watches(again, give_up_at=GIVE_UP, max_live=100)
    added = [result for result in results if isinstance(result, WatchAdded)]
    assert [result.is_cut for result in added] == [False] * 3 + [True] * 7
    assert [bool(result.watch.outputs) for result in added] == [True] * 3 + [False] * 7
    assert len({result.watch.id for result in added}) == 10


@pytest.mark.fault(113)
async def test_a_watch_is_shown_with_its_newest_deliveries(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oldest first; the others are in the list of deliveries."""
    watch = await finished(store, A, B, C)
    monkeypatch.setattr("notifier.store.sqlite.deliveries.MAX_DELIVERIES", 2)
    monkeypatch.setattr("notifier.store.sqlite.history.MAX_TIMELINE_DELIVERIES", 1)
    detail, history = await store.watch(watch.id), await store.history(watch.id)
    assert detail is not None
    assert history is not None
    assert [each.url for each in detail.deliveries] == [B, C]
    assert [each.url for each, _ in history.deliveries] == [C]
    assert MAX_DELIVERIES == 500
