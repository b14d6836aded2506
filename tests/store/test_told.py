"""A listener is notified of every change, and of nothing that is not on disk."""

import asyncio
import inspect
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import Trouble
from notifier.core.polling.learned_schedule import MIN_SAMPLES
from notifier.core.states import WatchAction
from notifier.errors import StoreUnavailable
from notifier.store.protocol import Store
from notifier.store.sqlite import maintenance, registration, watches
from notifier.store.sqlite.store import SqliteStore
from notifier.store.sqlite.transactions import Transaction
from notifier.store.values import DeliveryQuery, ReplayQuery, WatchChange, WatchQuery
from tests.builders import HOUR, PROVIDER, SERVER_ERROR, attempt, lease, new_watch, wait
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import GIVE_UP, add, claim, finish, finished, take

OF_SEVERAL_STEPS = {
    "give_up_overdue": maintenance.give_up,
    "prune": maintenance.delete_watches,
    "change_some_watches": watches.stop_watch,
}
"""Verbs that are no single function: the function of theirs that changes what is listed."""

UNLISTED = {
    "claim_watches",
    "claim_past_deadline",
    "record_breaker",
    "claim_deliveries",
    "start_replay",
    "start_watch_change",
    "heartbeat",
    "maintain",
    "add_listener",
    "until_closed",
    "close",
}
READING = {
    "polling_state",
    "watch",
    "payload",
    "history",
    "completion",
    "learned",
    "recent",
    "watches",
    "find",
    "providers",
    "deliveries",
    "delivery",
    "message",
    "endpoints",
    "counts",
}


class Ear:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def watch(self, watch_id: str) -> None:
        self.told.append(("watch", watch_id))

    def polled(self, watch_id: str) -> None:
        self.told.append(("polled", watch_id))

    def deliveries_of(self, watch_id: str) -> None:
        self.told.append(("deliveries_of", watch_id))

    def delivery(self, delivery_id: str) -> None:
        self.told.append(("delivery", delivery_id))

    def many(self) -> None:
        self.told.append(("many",))

    def take(self) -> list[tuple[str, ...]]:
        taken, self.told = self.told, []
        return taken


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def telling(store: Store, ear: Ear) -> Store:
    store.add_listener(ear)
    return store


def notes_a_change(verb: str) -> bool:
    """Whether the function behind the verb notes one, by itself or by the one that it returns from."""
    function: Any = OF_SEVERAL_STEPS.get(verb) or getattr(vars(SqliteStore)[verb], "__wrapped__", None)
    source = "" if function is None else inspect.getsource(function)
    return "transaction.changes." in source or "return _changed(transaction" in source


def test_every_verb_tells_or_changes_nothing_that_is_listed() -> None:
    """A new verb must be put on one side before anything can be changed by it in silence."""
    verbs = {name for name, verb in vars(Store).items() if callable(verb) and not name.startswith("_")}
    tells = {name for name in verbs if notes_a_change(name)}
    assert verbs == tells | UNLISTED | READING
    assert not tells & (UNLISTED | READING)


async def test_a_registration_is_told_and_what_it_adds_to_an_end(telling: Store, ear: Ear) -> None:
    (watch,) = await add(telling)
    assert ear.take() == [("watch", watch.id)]
    (claimed,) = await claim(telling)
    await finish(telling, claimed)
    assert ear.take() == [("watch", watch.id), ("deliveries_of", watch.id)]
    await add(telling)
    assert ear.take() == [("watch", watch.id), ("deliveries_of", watch.id)]


async def test_a_first_poll_that_is_brought_forward_is_told_as_a_poll(telling: Store, ear: Ear) -> None:
    """Its date changes and nothing else, as with a poll."""
    for number in range(MIN_SAMPLES + 1):
        await add(telling, new_watch(f"past-{number}"))
        (past,) = await claim(telling)
        await finish(telling, past, duration_ms=HOUR)
    first = new_watch("waits", first_poll_at=NOON + 1, first_poll_by=NOON + HOUR)
    (watch,) = await add(telling, first)
    await add(telling, new_watch("early"))
    (early,) = await claim(telling)
    ear.take()
    await finish(telling, early, duration_ms=1)
    assert ("polled", watch.id) in ear.take()


async def test_a_poll_that_changed_nothing_is_told_apart(telling: Store, ear: Ear) -> None:
    (watch,) = await add(telling)
    ear.take()
    for changed, how in (
        (wait(NOON), "watch"),
        (wait(NOON), "polled"),
        (wait(NOON, trouble=Trouble(SERVER_ERROR, NOON)), "watch"),
        (wait(NOON, trouble=Trouble(SERVER_ERROR, NOON)), "polled"),
        (wait(NOON), "watch"),
    ):
        (claimed,) = await claim(telling)
        assert await telling.record_wait(claimed, lease(), changed, now=NOON)
        assert ear.take() == [(how, watch.id)]


async def test_the_users_word_is_told(telling: Store, ear: Ear) -> None:
    (watch,) = await add(telling)
    await telling.poll_now(watch.id, now=NOON)
    await telling.stop_watch(watch.id, now=NOON)
    await telling.resume_watch(watch.id, now=NOON, expires_at=NOON + HOUR, max_live=1_000)
    assert ear.take() == [("watch", watch.id)] * 4


async def test_attempts_and_redeliveries_are_told(telling: Store, ear: Ear) -> None:
    await finished(telling)
    ear.take()
    (dispatch,) = await take(telling)
    await telling.record_attempt(
        dispatch, lease(), attempt(status=200), Delivered(), AttemptAccepted(), now=NOON
    )
    await telling.redeliver(dispatch.delivery_id, now=NOON, give_up_at=GIVE_UP)
    assert ear.take() == [("delivery", dispatch.delivery_id)] * 2


async def test_each_watch_of_a_bulk_change_is_told(telling: Store, ear: Ear) -> None:
    first, second = await add(telling, new_watch("a"), new_watch("b"))
    ear.take()
    names: dict[str, Any] = {"now": NOON, "expire_after_ms": {PROVIDER: HOUR}, "max_live": 9}
    for action in (WatchAction.STOP, WatchAction.RESUME):
        assert await telling.start_watch_change(WatchChange(action), dry_run=False, **names) == 2
        assert ear.take() == []
        await telling.change_some_watches(limit=5, **names)
        assert ear.take() == [("watch", first.id), ("watch", second.id)]


async def test_what_cannot_be_named_is_told_as_many(telling: Store, ear: Ear) -> None:
    """Replays, a clock that was set, an endpoint that is held or opened, old ones forgotten."""
    await finished(telling)
    (dispatch,) = await take(telling)
    await telling.record_attempt(
        dispatch, lease(), attempt(status=200), Delivered(), AttemptAccepted(), now=NOON
    )
    (endpoint,) = await telling.endpoints(before=None, limit=1)
    ear.take()
    await telling.start_replay(ReplayQuery(), now=NOON, dry_run=False)
    assert ear.take() == []
    steps: list[Callable[[], Awaitable[Any]]] = [
        lambda: telling.replay_some(now=NOON, give_up_at=GIVE_UP, limit=5),
        lambda: telling.pause_endpoint(endpoint.id),
        lambda: telling.resume_endpoint(endpoint.id, now=NOON),
        lambda: telling.shift_times(5),
    ]
    for step in steps:
        await step()
        assert ear.take() == [("many",)]
    (dispatch,) = await take(telling, NOON + 5)
    await telling.record_attempt(dispatch, lease(), attempt(2), Delivered(), AttemptAccepted(), now=NOON + 5)
    ear.take()
    pruned = await telling.prune(delivered_before=NOON + HOUR, dead_before=NOON + HOUR, limit=5)
    assert (pruned.count, ear.take()) == (1, [("many",)])


async def test_what_was_not_done_is_not_told(telling: Store, ear: Ear) -> None:
    """Refused, stale, of nothing, or nothing to do."""
    (watch,) = await add(telling)
    (claimed,) = await claim(telling)
    await telling.stop_watch(watch.id, now=NOON)
    ear.take()
    assert not await telling.record_wait(claimed, lease(), wait(), now=NOON)
    await telling.poll_now(watch.id, now=NOON)
    await telling.redeliver("dlv_0", now=NOON, give_up_at=GIVE_UP)
    await telling.pause_endpoint("ep_0")
    await telling.replay_some(now=NOON, give_up_at=GIVE_UP, limit=5)
    await telling.give_up_overdue(now=NOON, limit=5)
    await telling.prune(delivered_before=0, dead_before=0, limit=5)
    assert await telling.deliveries(DeliveryQuery()) == []
    assert ear.take() == []


async def test_what_did_not_reach_the_disk_is_not_told(tmp_path: Path, ear: Ear, opening: OpenStore) -> None:
    """Another program holds the database: nothing is written, and nothing told."""
    full = await opening()
    full.add_listener(ear)
    with closing(sqlite3.connect(tmp_path / "notifier.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await full.add_watches([new_watch()], give_up_at=GIVE_UP, max_live=5)
        with pytest.raises(StoreUnavailable):
            await full.stop_watch("wch_1", now=NOON)
    assert ear.take() == []


async def test_what_is_told_is_on_disk_and_told_before_the_caller_goes_on(
    tmp_path: Path, opening: OpenStore
) -> None:
    """Any program finds it at the moment of the notice."""
    store = await opening()
    kept: list[list[str]] = []

    class Looking(Ear):
        def watch(self, watch_id: str) -> None:
            super().watch(watch_id)
            with closing(sqlite3.connect(tmp_path / "notifier.db")) as other:
                kept.append([row[0] for row in other.execute("SELECT id FROM watches")])

    store.add_listener(looking := Looking())
    (watch,) = await add(store)
    assert (looking.take(), kept) == ([("watch", watch.id)], [[watch.id]])


async def test_a_change_is_told_though_its_caller_was_cancelled(opening: OpenStore, ear: Ear) -> None:
    """The unit of a cancelled caller is committed, so its change is one like any other."""
    store = await opening()
    store.add_listener(ear)
    adding = asyncio.ensure_future(add(store))
    await asyncio.sleep(0)
    adding.cancel()
    await asyncio.gather(adding, return_exceptions=True)
    await store.heartbeat(now=NOON)
    (watch,) = await store.watches(WatchQuery())
    assert ear.take() == [("watch", watch.id)]


async def test_of_a_batch_only_what_was_kept_is_told_and_once(opening: OpenStore, ear: Ear) -> None:
    """A unit that throws has all others run again: no notice of its own, none of theirs twice."""
    store = await opening()
    store.add_listener(ear)

    def half_done(transaction: Transaction) -> None:
        registration.add_watches(transaction, [new_watch("half")], give_up_at=GIVE_UP, max_live=5)
        raise LookupError("planted")

    first = asyncio.create_task(add(store, new_watch("task-1")))
    failing = asyncio.ensure_future(store._writer.submit(half_done))
    second = asyncio.create_task(add(store, new_watch("task-2")))
    with pytest.raises(LookupError):
        await failing
    added = [*await first, *await second]
    assert ear.take() == [("watch", watch.id) for watch in added]


async def test_every_listener_is_told(store: Store) -> None:
    ears = [Ear(), Ear()]
    for ear in ears:
        store.add_listener(ear)
    (watch,) = await add(store)
    assert [ear.take() for ear in ears] == [[("watch", watch.id)]] * 2


async def test_finding_by_id_brings_what_there_is(store: Store) -> None:
    """In the order in which they came, each once; ids of nothing are passed over."""
    first = await finished(store)
    (second,) = await add(store, new_watch("task-2"))
    (delivery,) = await store.deliveries(DeliveryQuery())
    found = await store.find(
        [second.id, first.id, "wch_0"], [delivery.id, "dlv_0"], deliveries_of=[first.id, second.id]
    )
    assert [watch.id for watch in found.watches] == [first.id, second.id]
    assert found.deliveries == (delivery,)
