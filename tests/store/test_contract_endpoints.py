"""What every store promises of endpoints: a true account, pause, resume, no endless wait."""

import pytest

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code
from notifier.core.delivery.decision import AttemptDecision, Delivered, GiveUp, Retry
from notifier.core.delivery.endpoint import (
    AttemptAccepted,
    AttemptFailed,
    AttemptResult,
    FailureScope,
    Suspension,
    describe_gate,
)
from notifier.core.model import Delivery, DeliveryHold, DeliveryState
from notifier.store.protocol import Store
from notifier.store.sqlite import maintenance
from notifier.store.values import ChangeRefused, DeliveryQuery, EndpointDetail
from tests.builders import DAY, DOWN, HOUR, MINUTE, REFUSED, SECOND, answered, attempt, lease
from tests.fakes import NOON
from tests.store.steps import GIVE_UP, finished, proven, take

A, B = "http://127.0.0.1:9001/a", "http://127.0.0.1:9002/b"
NOBODY = "ep_00000000000000000000000000"
GONE = AttemptFailed(FailureScope.GONE, answered(410), None, MINUTE)
PAUSED = DeliveryHold("paused by a user", Cause(Code.ENDPOINT_PAUSED))
OVERDUE = GIVE_UP + 1


async def endpoint(store: Store, url: str = A) -> EndpointDetail:
    return next(one for one in await store.endpoints(before=None, limit=500) if one.url == url)


async def pause(store: Store, url: str = A) -> EndpointDetail:
    held = await store.pause_endpoint((await endpoint(store, url)).id)
    assert not isinstance(held, ChangeRefused)
    return held


async def resume(store: Store, url: str = A, *, now: int) -> EndpointDetail:
    opened = await store.resume_endpoint((await endpoint(store, url)).id, now=now)
    assert not isinstance(opened, ChangeRefused)
    return opened


async def end_one(store: Store, sequel: AttemptDecision, report: AttemptResult, *, now: int = NOON) -> str:
    """Take one delivery and record this of it; returns its id."""
    (dispatch,) = await take(store, now, limit=1)
    tried = attempt(dispatch.number)
    assert await store.record_attempt(dispatch, lease(), tried, sequel, report, now=now)
    return dispatch.delivery_id


async def closed(store: Store, url: str = A) -> None:
    """Have its gate closed by three failures of the one delivery that is due."""
    for _ in range(3):
        await end_one(store, Retry(NOON), DOWN)
    assert (await endpoint(store, url)).health.gate.since == NOON


async def see(store: Store, delivery_id: str) -> Delivery:
    detail = await store.delivery(delivery_id)
    assert detail is not None
    return detail.delivery


# ---- the account


async def test_an_endpoint_is_shown_with_what_there_is_of_it(store: Store) -> None:
    """Its URL has no query, and its deliveries are counted over all queries."""
    await proven(store, A)
    for n in range(4):
        await finished(store, f"{A}?n={n}", task_id=f"a-{n}", now=NOON + n)
    await finished(store, B, task_id="b", now=NOON + 9)
    await end_one(store, Delivered(), AttemptAccepted())
    await end_one(store, GiveUp("no"), REFUSED, now=NOON + 1)
    await take(store, NOON + 2, limit=1)
    newest, oldest, _ = await store.endpoints(before=None, limit=9)
    assert (newest.url, newest.pending, newest.delivered, newest.dead) == (B, 1, 0, 0)
    assert (oldest.url, oldest.pending, oldest.delivered, oldest.dead) == (A, 2, 1, 1)
    assert (newest.oldest_pending_at, oldest.oldest_pending_at) == (NOON + 9, NOON + 2)
    assert describe_gate(oldest.health) == "open"


async def test_an_endpoint_with_nothing_waiting_has_no_oldest(store: Store) -> None:
    await finished(store, A)
    await end_one(store, Delivered(), AttemptAccepted())
    assert (await endpoint(store)).oldest_pending_at is None


async def test_endpoints_come_in_pages_newest_first(store: Store) -> None:
    for n in range(5):
        await finished(store, f"http://10.0.0.{n}/", task_id=f"task-{n}", now=NOON + n)
    first = await store.endpoints(before=None, limit=2)
    rest = await store.endpoints(before=first[-1].id, limit=9)
    assert [one.url[-2] for one in (*first, *rest)] == ["4", "3", "2", "1", "0"]


async def test_a_closed_gate_is_shown_with_its_reason(store: Store) -> None:
    await finished(store, A)
    await closed(store)
    standing = (await endpoint(store)).health
    assert describe_gate(standing) == "closed: HTTP 503"
    assert standing.gate.probe_at == NOON + 5 * SECOND


# ---- pause


async def test_nothing_is_sent_to_a_paused_endpoint_and_nothing_of_it_is_lost(store: Store) -> None:
    """Neither what waits nor what comes later goes out; others are not held up."""
    await finished(store, A)
    assert (await pause(store)).health.suspension is Suspension.PAUSED
    await finished(store, A, B, task_id="later", now=NOON + 1)
    assert [dispatch.url for dispatch in await take(store, NOON + DAY)] == [B]
    assert (await endpoint(store)).pending == 2
    listed = await store.deliveries(DeliveryQuery(state=DeliveryState.PENDING, limit=9))
    assert [(each.url, each.held) for each in listed if each.url == A] == [(A, PAUSED)] * 2


async def test_a_paused_endpoint_rings_no_bell(store: Store) -> None:
    await finished(store, A)
    await pause(store)
    claimed = await store.claim_deliveries(now=NOON, limit=9, lease=lease(), busy={}, per_origin=9)
    assert (claimed.deliveries, claimed.next_due_at) == ((), None)


async def test_what_is_in_flight_ends_and_opens_no_pause(store: Store) -> None:
    await finished(store, A)
    (dispatch,) = await take(store)
    await pause(store)
    assert await store.record_attempt(dispatch, lease(), attempt(), Delivered(), AttemptAccepted(), now=NOON)
    await finished(store, A, task_id="task-2", now=NOON + 1)
    assert await take(store, NOON + DAY) == []


async def test_what_a_user_forces_goes_to_a_paused_endpoint_once(store: Store) -> None:
    await finished(store, A)
    await finished(store, A, task_id="task-2")
    told = await end_one(store, Delivered(), AttemptAccepted())
    await store.redeliver(told, now=NOON + MINUTE, give_up_at=GIVE_UP)
    await pause(store)
    assert [one.delivery_id for one in await take(store, NOON + MINUTE)] == [told]
    assert await take(store, NOON + MINUTE) == []


async def test_an_endpoint_parked_by_410_stays_so_when_a_user_pauses_it(store: Store) -> None:
    await finished(store, A)
    await end_one(store, Retry(NOON), GONE)
    assert (await pause(store)).health.suspension is Suspension.GONE


async def test_a_pause_outlives_the_last_delivery(store: Store) -> None:
    """Otherwise pruning would open what a user has closed."""
    await finished(store, A)
    await end_one(store, Delivered(), AttemptAccepted())
    await pause(store)
    assert (await store.prune(delivered_before=NOON + DAY, dead_before=NOON + DAY, limit=9)).count == 1
    held = await endpoint(store)
    assert (held.health.suspension, held.delivered) == (Suspension.PAUSED, 0)


async def test_a_pause_that_is_over_keeps_no_endpoint_without_deliveries(store: Store) -> None:
    """It was kept for the pause alone; nothing would ever forget it."""
    await finished(store, A)
    await end_one(store, Delivered(), AttemptAccepted())
    await pause(store)
    await store.prune(delivered_before=NOON + DAY, dead_before=NOON + DAY, limit=9)
    assert (await resume(store, now=NOON + DAY)).health.suspension is None
    assert await store.endpoints(before=None, limit=9) == []


# ---- resume


async def test_a_resumed_endpoint_gets_all_that_waits_at_once_but_slowly(store: Store) -> None:
    """Whatever was to wait (a retry in a day, too) is due; the first goes alone."""
    for n in range(3):
        await finished(store, A, task_id=f"task-{n}")
    await end_one(store, Retry(NOON + DAY), REFUSED)
    await pause(store)
    opened = await resume(store, now=NOON + HOUR)
    assert describe_gate(opened.health) == "open, starting slowly"
    sizes = []
    while deliveries := await take(store, NOON + HOUR):
        sizes.append(len(deliveries))
        for one in deliveries:
            tried = attempt(one.number)
            await store.record_attempt(one, lease(), tried, Delivered(), AttemptAccepted(), now=NOON + HOUR)
    assert sizes == [1, 2]


async def test_resume_opens_whatever_held_it(store: Store) -> None:
    """A closed gate and a 410 alike; what it did wrong is forgotten."""
    await finished(store, A, B)
    await store.pause_endpoint((await endpoint(store, B)).id)
    await closed(store)
    assert (await resume(store, now=NOON)).health.gate.since is None
    await end_one(store, Retry(NOON), GONE)
    assert (await endpoint(store)).health.suspension is Suspension.GONE
    assert (await resume(store, now=NOON + 1)).health.suspension is None
    assert len(await take(store, NOON + 1)) == 1


async def test_held_endpoints_are_counted_by_what_ends_it(store: Store) -> None:
    """A user's word, or the next probe; one that is both waits for the user."""

    async def shut() -> tuple[int, int, int]:
        told = (await store.counts(now=NOON)).shut
        return told["closed"], told["paused"], told["gone"]

    await finished(store, A, B)
    assert await shut() == (0, 0, 0)
    await closed(store)
    assert await shut() == (1, 0, 0)
    await pause(store, B)
    assert await shut() == (1, 1, 0)
    await pause(store)
    assert await shut() == (0, 2, 0)


async def test_a_closed_endpoint_with_nothing_waiting_holds_nothing_back(store: Store) -> None:
    """All its deliveries have died; a user's hold stands for what may come."""
    await finished(store, A)
    await closed(store)
    assert (await store.counts(now=NOON)).shut["closed"] == 1
    await end_one(store, GiveUp("given up"), DOWN, now=NOON + HOUR)
    assert (await endpoint(store)).health.gate.since is not None
    assert (await store.counts(now=NOON)).shut["closed"] == 0
    await pause(store)
    assert (await store.counts(now=NOON)).shut["paused"] == 1


async def test_resume_never_puts_anything_off(store: Store) -> None:
    """What is due already keeps its age, and what is being sent its claim."""
    await finished(store, A)
    await finished(store, A, task_id="task-2", now=NOON + 1)
    (flying,) = await take(store, NOON + 1, limit=1)
    await pause(store)
    await resume(store, now=NOON + HOUR)
    (waiting,) = [one for one in await deliveries(store) if one.id != flying.delivery_id]
    assert waiting.due_at == NOON + 1
    assert (await see(store, flying.delivery_id)).due_at == NOON + 20_001


async def deliveries(store: Store) -> list[Delivery]:
    return await store.deliveries(DeliveryQuery())


async def test_an_unknown_endpoint_is_not_found(store: Store) -> None:
    assert await store.pause_endpoint(NOBODY) is ChangeRefused.UNKNOWN_ID
    assert await store.resume_endpoint(NOBODY, now=NOON) is ChangeRefused.UNKNOWN_ID


# ---- given up behind a closed gate


async def test_what_waits_behind_a_closed_gate_past_its_time_is_dead_with_the_reason(store: Store) -> None:
    """No probe is needed for it, and at most the limit goes at once."""
    for n in range(3):
        await finished(store, A, task_id=f"task-{n}")
    await closed(store)
    assert await store.give_up_overdue(now=GIVE_UP - 1, limit=9) == 0
    assert await store.give_up_overdue(now=OVERDUE, limit=2) == 2
    assert await store.give_up_overdue(now=OVERDUE, limit=2) == 1
    assert await store.give_up_overdue(now=OVERDUE, limit=2) == 0
    ended = await deliveries(store)
    assert {(one.state, one.ended_at, one.due_at) for one in ended} == {(DeliveryState.DEAD, OVERDUE, None)}
    assert {one.last_error for one in ended} == {
        "given up after 3 attempts, its endpoint being closed: HTTP 503",
        "given up after 0 attempts, its endpoint being closed: HTTP 503",
    }
    assert (await store.counts(now=OVERDUE)).deliveries[DeliveryState.DEAD] == 3


async def test_what_is_held_or_in_flight_or_open_is_not_given_up(store: Store) -> None:
    await finished(store, A)
    assert await store.give_up_overdue(now=OVERDUE, limit=9) == 0
    await closed(store)
    await pause(store)
    assert await store.give_up_overdue(now=OVERDUE, limit=9) == 0
    await resume(store, now=NOON)
    await closed(store)
    (probe,) = await take(store, NOON + HOUR, until=GIVE_UP + HOUR)
    assert probe.is_probe
    assert await store.give_up_overdue(now=OVERDUE, limit=9) == 0


async def test_many_that_are_held_do_not_hide_what_is_to_be_given_up(store: Store) -> None:
    """Nor do those whose gate is open: the limit is for what can be given up."""
    await finished(store, B, task_id="held")
    await closed(store, B)
    await pause(store, B)
    await finished(store, f"{B}/open", task_id="open")
    await end_one(store, Retry(GIVE_UP), REFUSED)
    await finished(store, A)
    await closed(store)
    assert await store.give_up_overdue(now=OVERDUE, limit=1) == 1
    assert (await endpoint(store)).dead == 1


@pytest.mark.parametrize("change", ["resumed", "paused", "in flight", "redelivered"])
async def test_what_changes_meanwhile_is_not_given_up(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """It is found by a reader and declared dead by the writer; what happens between the two counts."""
    await finished(store, A)
    await closed(store)
    (waiting,) = await deliveries(store)
    if change == "resumed":
        await resume(store, now=NOON)
    elif change == "paused":
        await pause(store)
    elif change == "in flight":
        await take(store, NOON + HOUR, until=GIVE_UP + HOUR)
    else:
        await store.redeliver(waiting.id, now=NOON, give_up_at=OVERDUE + DAY)
    monkeypatch.setattr(maintenance, "overdue", lambda _connection, **_: [1])
    assert await store.give_up_overdue(now=OVERDUE, limit=1) == 0
    assert (await see(store, waiting.id)).state is DeliveryState.PENDING


async def test_what_was_given_up_can_be_redelivered(store: Store) -> None:
    await finished(store, A)
    await closed(store)
    await store.give_up_overdue(now=OVERDUE, limit=9)
    (dead,) = await deliveries(store)
    await store.redeliver(dead.id, now=OVERDUE, give_up_at=OVERDUE + DAY)
    assert [one.delivery_id for one in await take(store, OVERDUE)] == [dead.id]


async def test_an_endpoint_that_was_given_up_and_forgotten_rings_no_bell(store: Store) -> None:
    """Its origin lives on with another; a time for which nothing waits would have it looked at for ever."""
    await finished(store, f"{A}/held", task_id="held")
    await pause(store, f"{A}/held")
    await finished(store, A)
    await closed(store)
    await store.give_up_overdue(now=OVERDUE, limit=9)
    assert (await store.prune(delivered_before=OVERDUE + 1, dead_before=OVERDUE + 1, limit=9)).count == 1
    later = OVERDUE + DAY
    claimed = await store.claim_deliveries(now=later, limit=9, lease=lease(), busy={}, per_origin=9)
    assert (claimed.deliveries, claimed.next_due_at) == ((), None)


# ---- a gate that opens


@pytest.mark.parametrize(
    ("tries", "is_refusal", "is_woken"), [(3, False, True), (4, False, False), (4, True, True)]
)
async def test_a_gate_that_opens_wakes_all_but_what_has_failed_often(
    store: Store, tries: int, is_refusal: bool, is_woken: bool
) -> None:
    """That comes by itself within a probe's wait; sooner, it would close the gate again. A user wakes it."""
    await finished(store, A)
    for n in range(tries - 1):
        await end_one(store, Retry(NOON), DOWN, now=NOON + n * 5 * SECOND)
    often = await end_one(store, Retry(NOON + HOUR, is_refusal=is_refusal), DOWN, now=NOON + 15 * SECOND)
    now = NOON + MINUTE
    await finished(store, A, task_id="other", now=now)
    assert await end_one(store, Delivered(), AttemptAccepted(), now=now) != often
    assert (await endpoint(store)).health.gate.since is None
    assert (await see(store, often)).due_at == (now if is_woken else NOON + HOUR)
    await resume(store, now=now + 1)
    assert (await see(store, often)).due_at == (now if is_woken else now + 1)


# ---- what waits says why


async def test_what_waits_behind_a_gate_says_so(store: Store) -> None:
    """Where one is looked at, with its watch or its life: all say the same, until it may go out again."""
    watch = await finished(store)
    (waiting,) = await store.deliveries(DeliveryQuery())
    assert (await see(store, waiting.id)).held is None
    await pause(store, waiting.url)
    told, history = await store.watch(watch.id), await store.history(watch.id)
    assert told is not None
    assert history is not None
    seen = [await see(store, waiting.id), *told.deliveries, *(each for each, _ in history.deliveries)]
    assert [each.held for each in seen] == [PAUSED] * 3
    await resume(store, waiting.url, now=NOON)
    assert (await see(store, waiting.id)).held is None


async def test_a_redelivery_is_held_back_by_nothing(store: Store) -> None:
    """It goes out whatever the gate says; so does what has gone out already."""
    await finished(store)
    (waiting,) = await store.deliveries(DeliveryQuery())
    await pause(store, waiting.url)
    await store.redeliver(waiting.id, now=NOON, give_up_at=GIVE_UP)
    assert (await see(store, waiting.id)).held is None
    await take(store)
    assert (await see(store, waiting.id)).held is None
