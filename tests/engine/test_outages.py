"""Outages burn no attempts: the gate before an endpoint, with the real store and a scripted receiver."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.model import DeliveryState
from notifier.store.values import ClaimedDeliveries, Lease
from tests.engine.conftest import HOOK, HOUR_MS, Bench, task
from tests.engine.test_deliverer import DOWN, OK, delivery_of, finished

MINUTE_MS = 60_000


async def run_for(bench: Bench, ms: int, *, step_ms: int = 500) -> None:
    """Let time pass with a tick at each step."""
    for _ in range(0, ms, step_ms):
        await bench.deliver()
        bench.clock.advance(step_ms)
    await bench.deliver()


def times_of(bench: Bench, url: str = HOOK) -> Iterator[int]:
    """When each attempt to this URL was signed."""
    return (int(each.headers["webhook-timestamp"]) for each in bench.posts.requests if each.url == url)


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    "trouble",
    [
        *(NoReply(fault, "") for fault in FailureKind),
        *map(HttpReply, (302, 401, 403, 404, 405, 408, 425, 500, 502, 503, 504)),
    ],
    ids=lambda trouble: str(getattr(trouble, "kind", None) or trouble.status),
)
async def test_three_failures_of_any_kind_park_everything(bench: Bench, trouble: Exchange) -> None:
    """With twenty waiting, three are tried in vain; then single probes go out at 5, 10, 20, 40, 60 s."""
    await finished(bench, trouble, tasks=20)
    bench.deliverer.settings = bench.one_at_a_time()
    await run_for(bench, 6 * MINUTE_MS)
    moments = list(times_of(bench))
    assert moments[2] - moments[0] <= 1
    waits = [later - earlier for earlier, later in pairwise(moments[2:])]
    assert waits[:6] == pytest.approx([5, 10, 20, 40, 60, 60], abs=1.1)


@pytest.mark.fault(64)
async def test_a_receiver_that_was_down_for_six_hours_gets_everything_within_a_minute(bench: Bench) -> None:
    """Nothing burnt, nothing lost: the first 2xx wakes all that waits, whatever its schedule said."""
    watch_id = await finished(bench, DOWN, tasks=30)
    await run_for(bench, 6 * HOUR_MS, step_ms=10_000)
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.PENDING
    bench.posts.script_again(HOOK, OK)
    await run_for(bench, MINUTE_MS + 5_000)
    counts = await bench.store.counts(now=bench.clock.now())
    assert counts.deliveries[DeliveryState.DELIVERED] == 30


async def test_a_gate_is_logged_when_it_closes_and_when_it_opens(bench: Bench) -> None:
    """One line for each change of state, however much waits; no path, as one may be a secret."""
    with capture_logs() as lines:
        await finished(bench, DOWN, tasks=5)
        await run_for(bench, MINUTE_MS)
        bench.posts.script_again(HOOK, OK)
        await run_for(bench, 2 * MINUTE_MS)
    told = [line for line in lines if line["event"].startswith("endpoint.")]
    assert [(line["event"], line["log_level"]) for line in told] == [
        ("endpoint.closed", "warning"),
        ("endpoint.opened", "info"),
    ]
    assert told[0]["gate"] == "closed: no connection: connection refused"
    assert told[0]["code"] == "connect_failed"
    failing = [line for line in lines if line["event"] in {"delivery.failing", "delivery.retry"}]
    assert {line["code"] for line in failing} == {"connect_failed"}
    assert told[0]["endpoint"].startswith("ep_")
    assert all(urlsplit(HOOK).path not in str(line) for line in told)


async def test_coming_back_is_slow_at_first(bench: Bench) -> None:
    """After the probe two at once, then four: a receiver that has just started is not run over."""
    await finished(bench, DOWN, tasks=30)
    await bench.deliver()
    bench.posts.script_again(HOOK, OK)
    widths: list[int] = []
    while len(widths) < 6:
        await bench.deliverer.tick()
        if bench.deliverer._busy:
            widths.append(bench.deliverer._busy.total())
        await bench.tasks.drain(60)
        bench.clock.advance(100)
    assert widths == [1, 2, 4, 4, 4, 4]


async def test_what_expires_first_goes_first(bench: Bench) -> None:
    """When a queue drains, results with the least time left lead; those without an end come last."""
    await finished(bench, DOWN, tasks=1)
    for number, finished_s in enumerate((300, 100, 200)):
        stamp = bench.stamp(-finished_s * 1_000)
        task_id = f"result-{number}"
        await bench.register(task_id)
        answer = task("completed", task_id, images=["https://x/1"])
        bench.polls.add(bench.url_of(task_id), bench.with_times(answer, stamp))
    bench.clock.advance(2_500)
    await bench.poll()
    await run_for(bench, 30_000)
    bench.posts.script_again(HOOK, OK)
    bench.posts.requests.clear()
    await run_for(bench, 2 * MINUTE_MS)
    order = [bench.task_of(request) for request in bench.posts.requests]
    assert order == ["result-0", "result-2", "result-1", "done-0"]


async def test_a_refused_event_follows_its_own_schedule_and_holds_up_no_other(bench: Bench) -> None:
    """422 for one message: the others arrive, the gate stays open, the one comes again after 1, 4, 10 s."""
    bad = await finished(bench, HttpReply(422), url=f"{HOOK}?bad")
    await bench.deliver()
    good = await accepted_elsewhere(bench)
    await run_for(bench, 20_000)
    assert (await delivery_of(bench, good)).delivery.state is DeliveryState.DELIVERED
    moments = list(times_of(bench, f"{HOOK}?bad"))
    assert len(moments) >= 4
    assert (await delivery_of(bench, bad)).delivery.state is DeliveryState.PENDING


async def test_an_event_that_its_receiver_never_survives_holds_up_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails for one event alone, which expires first: that closes the gate, and is not each probe."""

    async def post(_url: str, _headers: object, body: bytes, *, timeout_ms: int) -> Exchange:
        assert timeout_ms
        return HttpReply(500) if b"poison" in body else OK

    monkeypatch.setattr(bench.posts, "post", post)
    watches = {}
    for name, finished_s in (("poison", 60), ("good-1", 0), ("good-2", 0)):
        watches[name] = await bench.register(name)
        answer = task("completed", name, images=["https://x/1"])
        bench.polls.add(bench.url_of(name), bench.with_times(answer, bench.stamp(-finished_s * 1_000)))
        bench.clock.advance(2_500)
        await bench.poll()
        await run_for(bench, 10_000)
    await run_for(bench, 2 * MINUTE_MS)
    states = {name: (await delivery_of(bench, each)).delivery.state for name, each in watches.items()}
    delivered, pending = DeliveryState.DELIVERED, DeliveryState.PENDING
    assert states == {"poison": pending, "good-1": delivered, "good-2": delivered}


async def test_as_many_such_events_as_close_a_gate_do_not_close_it_after_each_other_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has failed often waits its time, also when the gate opens; else it would be sent first."""

    async def post(_url: str, _headers: object, body: bytes, *, timeout_ms: int) -> Exchange:
        assert timeout_ms
        return HttpReply(500) if b"poison" in body else OK

    monkeypatch.setattr(bench.posts, "post", post)
    good = []
    for number in range(23):
        name = f"good-{number}" if number > 2 else f"poison-{number}"
        watch_id = await bench.register(name)
        good += [watch_id] if number > 2 else []
        stamp = bench.stamp(0 if number > 2 else -MINUTE_MS)
        bench.polls.add(bench.url_of(name), bench.with_times(task("completed", name, images=["x"]), stamp))
    bench.clock.advance(2_500)
    await bench.poll()
    await run_for(bench, 2 * MINUTE_MS)
    states = [(await delivery_of(bench, each)).delivery.state for each in good]
    assert set(states) == {DeliveryState.DELIVERED}


@pytest.mark.fault(69)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("600", 600), ("Mon, 23 Nov 2026 12:10:02 GMT", 600), ("1e9", 86_400), ("0", 1), ("-7", 1)],
)
async def test_retry_after_holds_back_the_whole_endpoint(
    bench: Bench, status: int, header: str, wait_s: int
) -> None:
    """A receiver that asks for ten minutes is left alone for ten minutes, by every message; a day at most."""
    await finished(bench, HttpReply(status, {"retry-after": header}), OK, tasks=5)
    bench.deliverer.settings = bench.one_at_a_time()
    step_ms = wait_s * 10
    await run_for(bench, wait_s * 1_000 - step_ms, step_ms=step_ms)
    assert len(bench.posts.requests) == 1
    await run_for(bench, 2 * step_ms, step_ms=step_ms)
    assert len(bench.posts.requests) > 1
    await run_for(bench, 5_000)
    assert len(bench.posts.requests) == 6


@pytest.mark.fault(68)
async def test_410_parks_and_drops_nothing(bench: Bench) -> None:
    """Not after hours and not past give_up_after; resumed, everything goes out."""
    watch_id = await finished(bench, HttpReply(410), tasks=3)
    bench.deliverer.settings = bench.one_at_a_time()
    await run_for(bench, 80 * HOUR_MS, step_ms=HOUR_MS)
    assert len(bench.posts.requests) == 1
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.PENDING
    bench.posts.script_again(HOOK, OK)
    (endpoint,) = await bench.store.endpoints(before=None, limit=10)
    await bench.store.resume_endpoint(endpoint.id, now=bench.clock.now())
    await run_for(bench, 5_000)
    assert len(bench.posts.requests) == 4


async def test_a_redelivery_goes_out_whatever_the_gate_says(bench: Bench) -> None:
    """One attempt at once, to an endpoint that is paused; the rest stays where it is."""
    watch_id = await finished(bench, OK, tasks=3)
    (endpoint,) = await bench.store.endpoints(before=None, limit=10)
    await bench.store.pause_endpoint(endpoint.id)
    await run_for(bench, 10_000)
    assert bench.posts.requests == []
    now = bench.clock.now()
    delivery = (await delivery_of(bench, watch_id)).delivery
    await bench.store.redeliver(delivery.id, now=now, give_up_at=now + HOUR_MS)
    await run_for(bench, 10_000)
    assert len(bench.posts.requests) == 1
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.DELIVERED


async def test_a_hanging_endpoint_costs_its_neighbours_nothing(bench: Bench) -> None:
    """Thirty wait for one that never answers; a message to another goes out in the same tick."""
    hung = "http://127.0.0.1:3/hook"
    await finished(bench, DOWN, tasks=30, url=hung)
    await bench.deliver()
    bench.posts.add(HOOK, OK)
    await bench.register("neighbour")
    bench.polls.add(bench.url_of("neighbour"), task("completed", "neighbour"))
    bench.clock.advance(2_500)
    await bench.poll()
    await bench.deliver()
    assert [request.url for request in bench.posts.requests if urlsplit(request.url).port == 2] == [HOOK]


async def test_a_late_result_is_still_delivered_and_says_that_it_is_late(bench: Bench) -> None:
    """First tried after its links have died: the body says expired, the header 0, each time the same."""
    await bench.register()
    stamp = bench.stamp(-48 * HOUR_MS)
    answer = task("completed", images=["https://x/1.jpg"])
    bench.polls.add(bench.url_of(), bench.with_times(answer, stamp))
    bench.posts.add(HOOK, DOWN, OK)
    bench.clock.advance(2_500)
    await bench.poll()
    await run_for(bench, 5_000)
    first, second = bench.posts.requests
    assert first.body == second.body
    assert b'"expired":true' in first.body
    assert first.headers["notifier-result-expires-in"] == "0"


async def test_a_clock_that_is_stepped_during_an_attempt_kills_nothing(bench: Bench) -> None:
    """The time left moves with the clock: 72 hours stay 72 hours."""
    watch_id = await finished(bench, HttpReply(503), HttpReply(422))
    await bench.deliverer.tick()
    bench.clock.step(100 * HOUR_MS)
    bench.deliverer.shift(100 * HOUR_MS)
    await bench.store.shift_times(100 * HOUR_MS)
    await bench.tasks.drain(60)
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.PENDING


async def test_a_clock_that_is_stepped_while_a_claim_is_written_hurries_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery was read before the step: its 72 hours move with the clock, and it waits its turn."""
    watch_id = await finished(bench, HttpReply(503), HttpReply(422))
    claim = bench.store.claim_deliveries

    async def claim_and_step(**kwargs: Any) -> ClaimedDeliveries:
        claimed = await claim(**kwargs)
        bench.clock.step(100 * HOUR_MS)
        bench.deliverer.shift(100 * HOUR_MS)
        await bench.store.shift_times(100 * HOUR_MS)
        return claimed

    monkeypatch.setattr(bench.store, "claim_deliveries", claim_and_step)
    await bench.deliver()
    delivery = (await delivery_of(bench, watch_id)).delivery
    assert delivery.state is DeliveryState.PENDING
    assert delivery.due_at is not None
    assert delivery.due_at > bench.clock.now()


async def test_a_redelivery_asked_for_during_the_last_attempt_is_made(bench: Bench) -> None:
    """The fresh budget counts, though the attempt under way was to be the last."""
    watch_id = await finished(bench, DOWN, OK)
    delivery = (await delivery_of(bench, watch_id)).delivery
    bench.clock.advance(delivery.give_up_at - bench.clock.now())
    await bench.deliverer.tick()
    now = bench.clock.now()
    await bench.store.redeliver(delivery.id, now=now, give_up_at=now + HOUR_MS)
    await bench.tasks.drain(60)
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.PENDING
    await run_for(bench, 10_000)
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.DELIVERED


@pytest.mark.fault(14)
async def test_a_fault_of_ours_is_an_attempt_that_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in sending one message: recorded, retried by its schedule, and its endpoint is not blamed."""
    watch_id = await finished(bench, OK)

    def crash(*_args: object, **_more: object) -> None:
        raise KeyError("planted")

    with monkeypatch.context() as planted:
        planted.setattr("notifier.engine.deliverer.build_headers", crash)
        await bench.deliver()
    detail = await delivery_of(bench, watch_id)
    assert "internal error (KeyError)" in str(detail.delivery.last_error)
    await run_for(bench, 3_000)
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.DELIVERED


async def test_a_forced_attempt_that_was_cut_off_is_still_owed(bench: Bench) -> None:
    """Redelivered to a paused endpoint and lost with its lease: it goes out again all the same."""
    watch_id = await finished(bench, OK, tasks=2)
    (endpoint,) = await bench.store.endpoints(before=None, limit=10)
    await bench.store.pause_endpoint(endpoint.id)
    now = bench.clock.now()
    delivery = (await delivery_of(bench, watch_id)).delivery
    await bench.store.redeliver(delivery.id, now=now, give_up_at=now + HOUR_MS)
    lease = Lease("a daemon that died", now + 30_000)
    taken = await bench.store.claim_deliveries(now=now, limit=9, lease=lease, busy={}, per_origin=4)
    assert [dispatch.delivery_id for dispatch in taken.deliveries] == [delivery.id]
    bench.clock.advance(31_000)
    await bench.deliver()
    assert len(bench.posts.requests) == 1
    assert (await delivery_of(bench, watch_id)).delivery.state is DeliveryState.DELIVERED


@pytest.mark.fault(67)
@pytest.mark.parametrize("waiting", [1, 20])
@pytest.mark.parametrize("status", [400, 402, 409, 411, 413, 415, 418, 421, 422, 423, 426, 431, 451])
async def test_whatever_the_refusal_all_arrives_within_a_minute_of_its_end(
    bench: Bench, status: int, waiting: int
) -> None:
    """P7: while nothing is accepted every 4xx is a fault of the endpoint, however few deliveries wait."""
    await finished(bench, HttpReply(status), tasks=waiting)
    await run_for(bench, 200_000)
    bench.posts.script_again(HOOK, OK)
    await run_for(bench, MINUTE_MS + 5_000)
    counts = await bench.store.counts(now=bench.clock.now())
    assert counts.deliveries[DeliveryState.DELIVERED] == waiting


async def accepted_elsewhere(bench: Bench) -> str:
    """Have one more task complete whose event the same endpoint accepts; return its watch's id."""
    bench.posts.add(HOOK, OK)
    good = await bench.register("good")
    bench.polls.add(bench.url_of("good"), task("completed", "good"))
    bench.clock.advance(2_500)
    await bench.poll()
    return good


async def test_a_burst_of_bad_events_delays_a_good_one_by_seconds(bench: Bench) -> None:
    """P5: ten bad events in a row may be the endpoint's fault, so the newest event is the first probe."""
    await finished(bench, HttpReply(422), tasks=10, url=f"{HOOK}?bad")
    await run_for(bench, 2_000)
    good = await accepted_elsewhere(bench)
    finished_at = bench.clock.now()
    while (await delivery_of(bench, good)).delivery.state is DeliveryState.PENDING:
        await run_for(bench, 500)
        assert bench.clock.now() - finished_at <= 6_000


async def test_one_bad_event_never_closes_the_gate(bench: Bench) -> None:
    """However often it is refused, it is one event: the next one goes out at once."""
    await finished(bench, HttpReply(400), url=f"{HOOK}?bad")
    await run_for(bench, 5 * MINUTE_MS)
    good = await accepted_elsewhere(bench)
    await bench.deliver()
    assert (await delivery_of(bench, good)).delivery.state is DeliveryState.DELIVERED
