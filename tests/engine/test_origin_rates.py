"""Each origin's deliveries are bounded in rate, and what waits for one delays no other."""

from collections import Counter
from dataclasses import replace

from notifier.core.exchange import HttpReply
from notifier.core.model import Callback, DeliveryState, NewWatch
from notifier.engine.origin_rates import OriginRates
from notifier.store.values import DeliveryQuery, Lease
from tests.builders import end, event
from tests.engine.conftest import HOUR_MS, PATH, Bench

VICTIM, OTHER = "http://10.0.0.1", "http://10.0.0.2/hook"


async def add_events(bench: Bench, *urls: str) -> None:
    """Have an event wait for each URL."""
    now = bench.clock.now()
    callbacks = tuple(map(Callback, urls))
    new = NewWatch("mulerouter", PATH, f"task-{now}", callbacks, "{}", now, now, now + HOUR_MS)
    await bench.store.add_watches([new], give_up_at=now + HOUR_MS, max_live=9)
    lease = Lease("test", now + HOUR_MS)
    (watch,) = (await bench.store.claim_watches("mulerouter", now=now, limit=9, lease=lease)).watches
    told = event(watch, end(), at=now)
    await bench.store.record_end(watch, lease, end(), told, now=now, give_up_at=now + HOUR_MS)


async def test_sixteen_callbacks_to_one_origin_go_out_at_its_rate(bench: Bench) -> None:
    """One registration is no amplifier; another origin is sent its event at once."""
    bench.deliverer.settings = replace(bench.deliverer.settings, max_rate_per_origin_s=2.0)
    victims = [f"{VICTIM}/{n}" for n in range(15)]
    for url in (*victims, OTHER):
        bench.posts.add(url, HttpReply(204))
    await add_events(bench, *victims, OTHER)
    began_at = bench.clock.now()
    while len(bench.posts.requests) < 16:
        next_at = await bench.deliver()
        sent = Counter(request.url == OTHER for request in bench.posts.requests)
        assert sent[True] == 1
        assert sent[False] <= 1 + 2 * (bench.clock.now() - began_at) / 1_000
        bench.clock.advance(max(1, next_at - bench.clock.now()))
    assert 6_900 <= bench.clock.now() - began_at <= 8_500


async def test_a_redelivery_by_hand_waits_for_no_rate(bench: Bench) -> None:
    """CONTRACT, HTTP: one attempt at once."""
    bench.deliverer.settings = replace(bench.deliverer.settings, max_rate_per_origin_s=1 / 3_600)
    for url in (f"{VICTIM}/a", f"{VICTIM}/b"):
        bench.posts.add(url, HttpReply(204))
    await add_events(bench, f"{VICTIM}/a", f"{VICTIM}/b")
    await bench.deliver()
    (waiting,) = await bench.store.deliveries(DeliveryQuery(state=DeliveryState.PENDING))
    now = bench.clock.now()
    await bench.store.redeliver(waiting.id, now=now, give_up_at=now + HOUR_MS)
    await bench.deliver()
    assert len(bench.posts.requests) == 2


def test_a_quarter_of_a_second_may_be_saved_up_and_full_buckets_are_forgotten() -> None:
    rates = OriginRates()
    allowance = rates.allow(8.0, 0.0)
    assert allowance is not None
    assert (allowance.burst, allowance.tokens) == (2, {})
    for _ in range(2):
        rates.record_start(VICTIM, 8.0)
    held = rates.allow(8.0, 0.1)
    assert held is not None
    assert (held.tokens, rates.find_next_ms(8.0)) == ({VICTIM: 0}, 25)
    filled = rates.allow(8.0, 1.0)
    assert filled is not None
    assert (filled.tokens, rates.find_next_ms(8.0)) == ({}, None)
    assert rates.allow(0.0, 1.0) is None
