"""What every store promises about pages: newest first, whole, and the same however often one asks."""

from collections.abc import Sequence

import pytest

from notifier.core.delivery.decision import Delivered, Retry
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import Delivery, DeliveryState, Watch, WatchState
from notifier.store.protocol import Store
from notifier.store.values import DeliveryQuery, WatchQuery
from tests.builders import HOOK, PROVIDER, REFUSED, attempt, lease, new_watch
from tests.fakes import NOON
from tests.store.steps import add, claim, finish, finished, take


def names(rows: Sequence[Watch]) -> list[str]:
    return [row.task_id for row in rows]


async def some_watches(store: Store) -> None:
    """Seven: of two providers and two paths, in three states."""
    await add(
        store,
        new_watch("a"),
        new_watch("b", provider="other"),
        new_watch("c"),
        new_watch("d", first_poll_at=NOON + 1),
        new_watch("e", provider="other"),
        new_watch("f", first_poll_at=NOON + 1),
        new_watch("a", provider="other"),
    )
    for watch in await claim(store):
        await finish(store, watch, WatchState.FAILED if watch.task_id == "c" else WatchState.COMPLETED)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (WatchQuery(), "afedcba"),
        (WatchQuery(state=WatchState.WATCHING), "afedb"),
        (WatchQuery(state=WatchState.COMPLETED), "a"),
        (WatchQuery(state=WatchState.LOST), ""),
        (WatchQuery(provider="other"), "aeb"),
        (WatchQuery(provider=PROVIDER, state=WatchState.WATCHING), "fd"),
        (WatchQuery(provider="nobody"), ""),
        (WatchQuery(task_id="a"), "aa"),
        (WatchQuery(task_id="a", provider=PROVIDER), "a"),
        (WatchQuery(task_id="a", state=WatchState.COMPLETED), "a"),
        (WatchQuery(task_id="nothing"), ""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 50])
async def test_pages_of_watches_make_up_the_whole_newest_first(
    store: Store, query: WatchQuery, expected: str, size: int
) -> None:
    await some_watches(store)
    seen: list[Watch] = []
    for _ in range(9):
        before = seen[-1].id if seen else None
        page = await store.watches(
            WatchQuery(query.state, query.provider, query.task_id, before=before, limit=size)
        )
        assert len(page) <= size
        seen += page
    assert "".join(names(seen)) == expected


@pytest.mark.fault(96)
async def test_a_page_goes_on_where_the_last_one_ended_whatever_came_or_went(store: Store) -> None:
    """New rows do not shift it, and a row that is gone meanwhile only leaves a gap."""
    await some_watches(store)
    first = await store.watches(WatchQuery(limit=5))
    assert names(first) == ["a", "f", "e", "d", "c"]
    await add(store, new_watch("z", registered_at=NOON + 1))
    while deliveries := await take(store):
        for one in deliveries:
            await store.record_attempt(
                one, lease(), attempt(status=200), Delivered(), AttemptAccepted(), now=NOON
            )
    assert (await store.prune(delivered_before=NOON + 1, dead_before=NOON + 1, limit=99)).count == 2
    assert await store.watch(first[-1].id) is None
    assert names(await store.watches(WatchQuery(before=first[-1].id))) == ["b"]


@pytest.mark.parametrize("before", ["", "nonsense", "wch_", "wch_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "' OR 1=1 --"])
async def test_a_forged_cursor_does_no_harm(store: Store, before: str) -> None:
    await some_watches(store)
    everything = await store.watches(WatchQuery()), await store.deliveries(DeliveryQuery())
    assert await store.watches(WatchQuery(before=before)) in ([], everything[0])
    assert await store.deliveries(DeliveryQuery(before=before)) in ([], everything[1])


async def some_deliveries(store: Store) -> list[str]:
    """Six deliveries; the second and the fifth are delivered. Returns the ids of their watches."""
    urls = [f"{HOOK}?1", f"{HOOK}?2", "http://b.example/x", f"{HOOK}?1", f"{HOOK}?1", HOOK]
    watches = [await finished(store, url, task_id=f"task-{n}") for n, url in enumerate(urls)]
    while deliveries := await take(store):
        for one in deliveries:
            is_taken = one.watch_id in (watches[1].id, watches[4].id)
            sequel, report = (Delivered(), AttemptAccepted()) if is_taken else (Retry(NOON + 1), REFUSED)
            await store.record_attempt(one, lease(), attempt(), sequel, report, now=NOON)
    return [watch.id for watch in watches]


@pytest.mark.parametrize(
    ("state", "url", "watch", "expected"),
    [
        (None, None, None, [5, 4, 3, 2, 1, 0]),
        (DeliveryState.PENDING, None, None, [5, 3, 2, 0]),
        (DeliveryState.DEAD, None, None, []),
        (None, f"{HOOK}?1", None, [4, 3, 0]),
        (None, HOOK, None, [5]),
        (DeliveryState.DELIVERED, f"{HOOK}?1", None, [4]),
        (None, "http://nobody.example/", None, []),
        (None, None, 3, [3]),
        (DeliveryState.DELIVERED, None, 3, []),
        (None, f"{HOOK}?2", 3, []),
    ],
)
@pytest.mark.parametrize("size", [1, 50])
async def test_pages_of_deliveries_make_up_the_whole_newest_first(
    *,
    store: Store,
    state: DeliveryState | None,
    url: str | None,
    watch: int | None,
    expected: list[int],
    size: int,
) -> None:
    """A URL is the one that was registered, query and all."""
    watch_ids = await some_deliveries(store)
    seen: list[Delivery] = []
    for _ in range(8):
        seen += await store.deliveries(
            DeliveryQuery(
                state=state,
                url=url,
                watch_id=None if watch is None else watch_ids[watch],
                before=seen[-1].id if seen else None,
                limit=size,
            )
        )
    assert [watch_ids.index(delivery.watch_id) for delivery in seen] == expected


async def test_deliveries_of_a_watch_that_is_not_there_are_none(store: Store) -> None:
    await some_deliveries(store)
    assert await store.deliveries(DeliveryQuery(watch_id="wch_0")) == []
