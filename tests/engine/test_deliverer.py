"""From a due delivery to the receiver's 2xx, or to the list of the dead."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from notifier.byte_budget import UNCOUNTED_BYTES
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.model import DeliveryState
from notifier.engine.deliverer import LEASE_MARGIN_MS, RECORD_RETRIES
from notifier.errors import StoreFull
from notifier.store.values import AttemptRecorded, ClaimedDeliveries, DeliveryDetail
from tests.builders import DISK_FULL
from tests.engine.conftest import HOOK, HOUR_MS, SIGNING, Bench, task
from tests.store.steps import proven

OK = HttpReply(204)
DOWN = NoReply(FailureKind.CONNECT, "connection refused")


async def finished(
    bench: Bench, *answers: Exchange, tasks: int = 1, url: str = HOOK, metadata: str = "{}", **more: object
) -> str:
    """Have ``tasks`` tasks complete whose receiver gives these answers; returns the last watch's id.

    ``more`` is what else the provider says of them.
    """
    bench.posts.add(url, *answers)
    for number in range(tasks):
        watch_id = await bench.register(f"done-{number}", url=url, metadata=metadata)
        bench.polls.add(bench.url_of(f"done-{number}"), task("completed", f"done-{number}", **more))
    bench.clock.advance(2_500)
    await bench.poll()
    return watch_id


async def delivery_of(bench: Bench, watch_id: str) -> DeliveryDetail:
    (delivery,) = (await bench.see(watch_id)).deliveries
    detail = await bench.store.delivery(delivery.id)
    assert detail is not None
    return detail


async def test_the_first_attempt_is_made_at_once_and_verifies(bench: Bench) -> None:
    """What the receiver gets passes the reference library; a changed byte does not."""
    watch_id = await finished(bench, OK)
    await bench.deliver()
    (request,) = bench.posts.requests
    now_s = bench.clock.now() / 1_000
    assert abs(int(request.headers["webhook-timestamp"]) - now_s) < 1
    webhook = Webhook(SIGNING.reveal())
    sent_at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signed = webhook.sign(request.headers["webhook-id"], sent_at, request.body.decode())
    assert signed == request.headers["webhook-signature"]
    with pytest.raises(WebhookVerificationError):
        webhook.verify(request.body + b" ", dict(request.headers))
    detail = await delivery_of(bench, watch_id)
    assert detail.delivery.state is DeliveryState.DELIVERED
    assert [(a.number, a.status, a.error) for a in detail.attempts] == [(1, 204, None)]


@pytest.mark.fault(35)
async def test_a_clock_that_is_set_back_during_a_tick_puts_off_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next tick is a second ahead by the clock as it is then, and no hour."""
    claim = bench.store.claim_deliveries

    async def claim_and_step(**asked: Any) -> ClaimedDeliveries:
        claimed = await claim(**asked)
        bench.clock.step(-HOUR_MS)
        return claimed

    monkeypatch.setattr(bench.store, "claim_deliveries", claim_and_step)
    assert await bench.deliver() == bench.clock.now() + 1_000


@pytest.mark.parametrize(
    "refusal",
    [
        HttpReply(500),
        HttpReply(302, {"location": "http://127.0.0.1:3/"}),
        HttpReply(404),
        HttpReply(199),
        DOWN,
    ],
    ids=["500", "redirect", "404", "1xx", "refused"],
)
async def test_only_a_2xx_delivers_and_everything_else_is_tried_again(
    bench: Bench, refusal: Exchange
) -> None:
    """The same id and the same bytes come again, signed anew, the number one higher."""
    watch_id = await finished(bench, refusal, OK)
    await bench.deliver()
    detail = await delivery_of(bench, watch_id)
    assert detail.delivery.state is DeliveryState.PENDING
    assert detail.delivery.due_at is not None
    assert detail.delivery.last_error
    bench.clock.advance(detail.delivery.due_at - bench.clock.now())
    await bench.deliver()
    first, second = bench.posts.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert (first.headers["notifier-attempt"], second.headers["notifier-attempt"]) == ("1", "2")
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.DELIVERED


async def test_a_receiver_that_never_answers_well_ends_in_the_list_of_the_dead(bench: Bench) -> None:
    """Tried until ``give_up_after``, each attempt kept, and the reason with it."""
    watch_id = await finished(bench, HttpReply(422, body=b"no such order"))
    began = bench.clock.now()
    while (detail := await delivery_of(bench, watch_id)).delivery.state is DeliveryState.PENDING:
        assert detail.delivery.due_at is not None
        bench.clock.advance(max(0, detail.delivery.due_at - bench.clock.now()))
        await bench.deliver()
    assert detail.delivery.state is DeliveryState.DEAD
    assert "422" in str(detail.delivery.last_error)
    assert detail.attempts[0].answer == "no such order"
    assert bench.clock.now() - began <= 72 * HOUR_MS + 1


async def test_an_attempt_that_was_cut_off_says_that_it_may_be_a_repeat(bench: Bench) -> None:
    """Claimed, perhaps sent, never recorded: the next one carries the mark, with the same id and bytes."""
    await finished(bench, OK)

    async def never_recorded(*_args: object, **_more: object) -> AttemptRecorded | None:
        raise RuntimeError("planted crash between POST and record")

    record_attempt = bench.store.record_attempt
    bench.planted_crashes = 1
    bench.store.record_attempt = never_recorded  # type: ignore[method-assign]
    await bench.deliver()
    bench.store.record_attempt = record_attempt  # type: ignore[method-assign]
    bench.clock.advance(31_000)
    await bench.deliver()
    first, second = bench.posts.requests
    assert "notifier-maybe-duplicate" not in first.headers
    assert second.headers["notifier-maybe-duplicate"] == "1"
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


@pytest.mark.fault(20)
@pytest.mark.parametrize("refusals", [1, RECORD_RETRIES - 1, RECORD_RETRIES])
async def test_an_answer_that_cannot_be_written_down_is_kept_in_hand(bench: Bench, refusals: int) -> None:
    """A full disk must cost no repeat: it is tried again each second while the lease surely lasts."""
    watch_id = await finished(bench, OK)
    record_attempt, naps, left = bench.store.record_attempt, [], refusals

    async def refused(*args: Any, **more: Any) -> AttemptRecorded | None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise StoreFull(DISK_FULL)
        return await record_attempt(*args, **more)

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    bench.store.record_attempt, bench.deliverer._sleep = refused, nap  # type: ignore[method-assign]
    await bench.deliver()
    assert sum(naps) * 1_000 < LEASE_MARGIN_MS
    state = (await delivery_of(bench, watch_id)).delivery.state
    is_kept = refusals < RECORD_RETRIES
    assert state is (DeliveryState.DELIVERED if is_kept else DeliveryState.PENDING)
    bench.clock.advance(31_000)
    await bench.deliver()
    assert len(bench.posts.requests) == (1 if is_kept else 2)


@pytest.mark.fault(20, 35)
@pytest.mark.parametrize("step_ms", [-24 * HOUR_MS, 24 * HOUR_MS])
async def test_a_clock_that_is_stepped_while_an_answer_is_kept_in_hand_puts_nothing_off(
    bench: Bench, step_ms: int
) -> None:
    """What follows from it is decided by the clock as it is when it can be written down."""
    watch_id = await finished(bench, DOWN, OK)
    record_attempt, is_full = bench.store.record_attempt, True

    async def refused(*args: Any, **more: Any) -> AttemptRecorded | None:
        if is_full:
            raise StoreFull(DISK_FULL)
        return await record_attempt(*args, **more)

    async def step(_seconds: float) -> None:
        nonlocal is_full
        bench.clock.step(step_ms)
        bench.deliverer.shift(step_ms)
        await bench.store.shift_times(step_ms)
        is_full = False

    bench.store.record_attempt, bench.deliverer._sleep = refused, step  # type: ignore[method-assign]
    await bench.deliver()
    delivery = (await delivery_of(bench, watch_id)).delivery
    assert delivery.due_at is not None
    assert 0 < delivery.due_at - bench.clock.now() <= 1_200
    assert delivery.give_up_at - bench.clock.now() == 72 * HOUR_MS


async def test_no_origin_gets_more_than_its_share_at_once(bench: Bench) -> None:
    """Twelve are due at one receiver that takes its time: four are under way, the rest waits as rows."""
    await finished(bench, OK, tasks=3)
    for _ in range(2):  # it has shown that it works
        await bench.deliver()
    await finished(bench, OK, tasks=15)
    answer, asked = asyncio.Event(), 0

    class Slow:
        async def post(self, *_args: object, **_more: object) -> HttpReply:
            nonlocal asked
            asked += 1
            await answer.wait()
            return OK

    bench.deliverer.http_client = Slow()  # type: ignore[assignment]
    for _ in range(3):
        await bench.deliverer.tick()
        await asyncio.sleep(0)
    assert asked == 4
    answer.set()
    await bench.tasks.drain(60)


async def test_a_redelivery_is_the_same_message_again(bench: Bench) -> None:
    """After `redeliver` one more attempt goes out at once, with the same id and bytes."""
    watch_id = await finished(bench, OK)
    await bench.deliver()
    delivery = (await delivery_of(bench, watch_id)).delivery
    now = bench.clock.now()
    await bench.store.redeliver(delivery.id, now=now, give_up_at=now + HOUR_MS)
    await bench.deliver()
    first, second = bench.posts.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert second.headers["notifier-attempt"] == "2"


async def test_a_slot_that_gets_free_rings_once_and_the_claim_that_follows_sees_the_record(
    bench: Bench,
) -> None:
    """So that the next goes out after one commit and not after two; the gate's word is in it."""
    await finished(bench, OK, tasks=3)
    claims: list[asyncio.Task[int]] = []

    def ring(instant: int) -> None:
        bench.rung.append(instant)
        claims.append(asyncio.create_task(bench.deliverer.tick()))

    bench.deliverer._run_at = ring
    await bench.deliverer.tick()
    while len(bench.posts.requests) < 3:
        await asyncio.sleep(0)
    await asyncio.gather(*claims)
    await bench.tasks.drain(60)
    assert bench.rung[:3] == [bench.clock.now()] * 3
    assert len(claims) == 3


@pytest.mark.fault(111)
async def test_bodies_in_flight_are_bounded_in_sum_and_all_arrive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten of 1 MiB and a short one to a receiver that takes its time, where 3 MiB may be in memory."""
    for module in ("notifier.engine.deliverer", "notifier.store.sqlite.claiming"):
        monkeypatch.setattr(f"{module}.MAX_CLAIMED_BYTES", 3 << 20)
    bench.deliverer.settings = replace(
        bench.deliverer.settings, max_in_flight=64, max_in_flight_per_origin=64
    )
    await proven(bench.store, HOOK)
    in_flight: dict[int, int] = {}
    peaks: list[int] = []
    done: list[int] = []

    async def post(_url: str, _headers: object, body: bytes, **_: object) -> Exchange:
        number = len(in_flight)
        in_flight[number] = len(body)
        peaks.append(sum(size for size in in_flight.values() if size > UNCOUNTED_BYTES))
        await asyncio.sleep(0)
        done.append(in_flight[number])
        in_flight[number] = 0
        return OK

    monkeypatch.setattr(bench.posts, "post", post)
    for number in range(11):
        size = 10 if number == 5 else 1 << 20
        await bench.register(f"task-{number}")
        answer = task("completed", f"task-{number}", blob="x" * size)
        bench.polls.add(bench.url_of(f"task-{number}"), answer)
    bench.clock.advance(2_500)
    await bench.poll()
    while len(done) < 11:
        await bench.deliver()
    assert max(peaks) < 3 << 20
    assert len(done) == 11
