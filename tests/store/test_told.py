"""Who listens is told of every change, and of nothing that is not on disk."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from notifier.core.delivery.decision import Delivered
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.model import Trouble
from notifier.errors import StoreUnavailable
from notifier.store.observed import _Told, told
from notifier.store.protocol import Store
from notifier.store.values import DeliveryQuery, ReplayQuery
from tests.builders import DISK_FULL, HOUR, SERVER_ERROR, attempt, lease, new_watch, wait
from tests.fakes import NOON
from tests.store.steps import GIVE_UP, add, claim, finish, finished, take

UNLISTED = {
    "claim_watches",
    "claim_deliveries",
    "start_replay",
    "heartbeat",
    "maintain",
    "until_closed",
    "close",
}
READING = {
    "watch",
    "history",
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
    return told(store, ear)


def test_every_verb_tells_or_changes_nothing_that_is_listed() -> None:
    """A new verb must be put on one side before anything can be changed by it in silence."""
    verbs = {name for name, verb in vars(Store).items() if callable(verb) and not name.startswith("_")}
    tells = {name for name in vars(_Told) if not name.startswith("_")}
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
    assert (pruned, ear.take()) == (1, [("many",)])


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


async def test_what_did_not_reach_the_disk_is_not_told(ear: Ear) -> None:
    class Full:
        def __getattr__(self, _name: str) -> Callable[..., Awaitable[Any]]:
            async def verb(*_args: object, **_named: object) -> None:
                raise StoreUnavailable(DISK_FULL)

            return verb

    full: Any = Full()
    with pytest.raises(StoreUnavailable):
        await told(full, ear).add_watches([new_watch()], give_up_at=GIVE_UP, max_live=5)
    with pytest.raises(StoreUnavailable):
        await told(full, ear).stop_watch("wch_1", now=NOON)
    assert ear.take() == []


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
