"""Receivers that are away or refuse for hours and days: late is late, dead is listed, and neither is lost."""

from itertools import pairwise

import pytest

from notifier.config.model import RetentionSettings
from notifier.core.exchange import Exchange, HttpReply
from notifier.core.model import DeliveryState
from notifier.engine.housekeeping import Housekeeping
from notifier.engine.replayer import Replayer
from notifier.store.values import DeliveryQuery, ReplayQuery
from tests.engine.conftest import HOOK, HOUR_MS, Bench, task
from tests.engine.test_deliverer import DOWN, OK, delivery_of, finished
from tests.engine.test_outages import MINUTE_MS, run_for, times_of

STEP_MS = 10 * MINUTE_MS


async def run_for_hours(bench: Bench, hours: int) -> None:
    """Let hours pass with a tick every ten minutes, and the housekeeping at their end."""
    await run_for(bench, hours * HOUR_MS, step_ms=STEP_MS)
    keeping = Housekeeping(store=bench.store, clock=bench.clock, settings=RetentionSettings())
    await keeping.tick()


async def states(bench: Bench) -> set[DeliveryState]:
    """In which states the deliveries are."""
    return {delivery.state for delivery in await bench.store.deliveries(DeliveryQuery())}


@pytest.mark.fault(64)
async def test_a_receiver_that_was_away_for_almost_three_days_gets_everything_late(bench: Bench) -> None:
    """Nothing is dead before 72 hours are over, and then the first answer brings all of it."""
    await finished(bench, DOWN, tasks=30)
    await run_for_hours(bench, 71)
    assert await states(bench) == {DeliveryState.PENDING}
    bench.posts.script_again(HOOK, OK)
    await run_for(bench, 2 * MINUTE_MS)
    assert await states(bench) == {DeliveryState.DELIVERED}


@pytest.mark.fault(64)
async def test_a_receiver_that_was_away_for_longer_is_told_all_by_a_replay(bench: Bench) -> None:
    """What died stands in the list with the reason; it has 72 hours anew, and its old id and bytes."""
    watch_id = await finished(bench, DOWN, tasks=30)
    await run_for_hours(bench, 73)
    assert await states(bench) == {DeliveryState.DEAD}
    told = {request.headers["webhook-id"]: request.body for request in bench.posts.requests}
    assert "connection refused" in str((await delivery_of(bench, watch_id)).delivery.last_error)
    bench.posts.requests.clear()
    replay = ReplayQuery(state=DeliveryState.DEAD)
    assert await bench.store.start_replay(replay, now=bench.clock.now(), dry_run=False) == 30
    await replayed(bench)
    await run_for_hours(bench, 1)
    assert await states(bench) == {DeliveryState.PENDING}
    bench.posts.script_again(HOOK, OK)
    await run_for(bench, 2 * MINUTE_MS)
    assert await states(bench) == {DeliveryState.DELIVERED}
    again = {request.headers["webhook-id"]: request.body for request in bench.posts.requests}
    assert again == told


async def replayed(bench: Bench) -> None:
    """Have all of it made pending again, at the usual rate."""
    replayer = Replayer(
        store=bench.store, clock=bench.clock, settings=bench.deliverer.settings, deliver=lambda: None
    )
    for _ in range(5):
        await replayer.tick()
        await run_for(bench, 1_000)


@pytest.mark.fault(64)
async def test_what_had_been_put_off_goes_out_with_the_rest_when_the_receiver_is_back(bench: Bench) -> None:
    """Refused while others were accepted, so tried hourly; then an outage: the first 2xx wakes it."""
    late = f"{HOOK}?late"
    refused = await finished(bench, HttpReply(422), url=late)
    others = 0
    while ((await delivery_of(bench, refused)).delivery.due_at or 0) < bench.clock.now() + 45 * MINUTE_MS:
        await accept_another(bench, f"other-{others}")
        await run_for(bench, 10 * MINUTE_MS, step_ms=MINUTE_MS)
        others += 1
        assert others < 100
    await finished(bench, DOWN, tasks=3)
    await run_for(bench, 5 * MINUTE_MS)
    for url in (HOOK, late):
        bench.posts.script_again(url, OK)
    await run_for(bench, MINUTE_MS + 5_000)
    assert await states(bench) == {DeliveryState.DELIVERED}


async def accept_another(bench: Bench, task_id: str) -> None:
    """Have the endpoint accept the event of another task."""
    url = f"{HOOK}?good"
    bench.posts.script_again(url, OK)
    await bench.register(task_id, url=url)
    bench.polls.add(bench.url_of(task_id), task("completed", task_id))
    bench.clock.advance(2_500)
    await bench.poll()
    await bench.deliver()


@pytest.mark.fault(67)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_bad_deploy_that_is_mended_within_three_days_loses_nothing(bench: Bench, status: int) -> None:
    """Whatever 4xx it is: it may be the receiver's mistake, so it is tried for the whole time."""
    await finished(bench, HttpReply(status), tasks=3)
    await run_for_hours(bench, 70)
    assert await states(bench) == {DeliveryState.PENDING}
    bench.posts.script_again(HOOK, OK)
    await run_for_hours(bench, 1)
    await run_for(bench, MINUTE_MS)
    assert await states(bench) == {DeliveryState.DELIVERED}


@pytest.mark.fault(67)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_for_three_days_on_end_is_dead_with_its_status(bench: Bench, status: int) -> None:
    """It was tried to the end: hourly at the least."""
    watch_id = await finished(bench, HttpReply(status))
    await run_for_hours(bench, 73)
    detail = await delivery_of(bench, watch_id)
    assert detail.delivery.state is DeliveryState.DEAD
    assert f"HTTP {status}" in str(detail.delivery.last_error)
    assert detail.delivery.attempts >= 72


@pytest.mark.fault(70)
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_what_fails_together_comes_again_apart_and_ever_more_rarely(bench: Bench, status: int) -> None:
    """The second attempts of fourteen are due in 1 s ± 20 %, each by itself; then the gate holds them."""
    hooks = [f"http://127.0.0.1:{port}/hook" for port in range(10, 24)]
    for url in hooks:
        await finished(bench, HttpReply(status), url=url)
    await bench.deliver()
    waits_ms = [
        (one.due_at or 0) - bench.clock.now() for one in await bench.store.deliveries(DeliveryQuery())
    ]
    assert all(800 <= wait_ms <= 1_200 for wait_ms in waits_ms)
    assert len(set(waits_ms)) > 10
    await run_for(bench, 2 * MINUTE_MS)
    waits_s = [later - earlier for earlier, later in pairwise(times_of(bench, hooks[0]))]
    assert waits_s[2:6] == pytest.approx([5, 10, 20, 40], abs=1.1)


@pytest.mark.fault(78)
async def test_a_receiver_that_fails_twice_in_three_times_stays_in_business(bench: Bench) -> None:
    """Each success begins the count anew: the gate never closes, and all arrives."""
    in_turn: list[Exchange] = [HttpReply(500), DOWN, OK]
    await finished(bench, *(in_turn * 20), tasks=20)
    bench.deliverer.settings = bench.one_at_a_time()
    for _ in range(150):
        await run_for(bench, 2_000)
        (endpoint,) = await bench.store.endpoints(before=None, limit=2)
        assert endpoint.health.gate.since is None
    assert await states(bench) == {DeliveryState.DELIVERED}
    assert len(bench.posts.requests) == 60


@pytest.mark.fault(78)
async def test_a_success_makes_the_next_outage_a_new_one(bench: Bench) -> None:
    """After an hour away it came back, and fell again: it is tried after 5 s, not after the long wait."""
    await finished(bench, DOWN, tasks=20)
    bench.deliverer.settings = bench.one_at_a_time()
    await run_for(bench, HOUR_MS, step_ms=5_000)
    bench.posts.script_again(HOOK, OK, DOWN)
    await run_for(bench, MINUTE_MS + 5_000)
    moments = list(times_of(bench))
    waits = [later - earlier for earlier, later in pairwise(moments)]
    back = max(index for index, wait in enumerate(waits) if wait >= 59) + 1
    assert [wait for wait in waits[back:] if wait > 2][:3] == pytest.approx([5, 10, 20], abs=1.1)
