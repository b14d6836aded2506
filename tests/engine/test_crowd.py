"""Four hundred receivers that hang, and the others beside them: P7 and P5 hold for each. Time is virtual."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.model import Callback, DeliveryState, NewWatch
from notifier.store.values import DeliveryQuery, Lease
from tests.builders import end, event
from tests.engine.conftest import HOUR_MS, PATH, Bench

CROWD = 400
TIMEOUT_MS = 15_000
STEP_MS = 250
KNOWN, NEW = "http://10.0.0.1/known", "http://10.0.0.2/new"
REFUSED = NoReply(FailureKind.CONNECT, "connection refused")


@dataclass
class CrowdedNetwork:
    """All receivers hang but those that have a reply; ``sent_at`` has the last request to each URL."""

    now: Callable[[], int]
    replies: dict[str, Exchange] = field(default_factory=dict)
    sent_at: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    async def post(self, url: str, _headers: Mapping[str, str], _body: bytes, *, timeout_ms: int) -> Exchange:
        self.sent_at[url] = self.now()
        if url in self.replies:
            return self.replies[url]
        over = asyncio.Event()
        self.waiting.append((self.now() + timeout_ms, over))
        await over.wait()
        return NoReply(FailureKind.TIMEOUT, "no answer began", elapsed_ms=timeout_ms)

    def end_timeouts(self) -> None:
        """End the requests whose time is over."""
        while self.waiting and self.waiting[0][0] <= self.now():
            self.waiting.pop(0)[1].set()

    async def query(self, *_args: object, **_more: object) -> Exchange:
        raise NotImplementedError

    async def get(self, *_args: object, **_more: object) -> Exchange:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


async def add_events(bench: Bench, *urls: str) -> None:
    """Have one event wait for each URL."""
    now = bench.clock.now()
    new = [
        NewWatch("mulerouter", PATH, f"{now}-{n}", (Callback(url),), "{}", now, now, now + HOUR_MS)
        for n, url in enumerate(urls)
    ]
    await bench.store.add_watches(new, give_up_at=now + 72 * HOUR_MS, max_live=10_000)
    lease = Lease("test", now + HOUR_MS)
    for watch in (await bench.store.claim_watches("mulerouter", now=now, limit=1_000, lease=lease)).watches:
        told = event(watch, end(), at=now)
        await bench.store.record_end(watch, lease, end(), told, now=now, give_up_at=now + 72 * HOUR_MS)


async def pass_time(bench: Bench, network: CrowdedNetwork, ms: int) -> None:
    """Let time pass with a tick at each step."""
    for _ in range(0, ms, STEP_MS):
        await bench.deliverer.tick()
        while len(bench.tasks) > len(network.waiting):
            await asyncio.sleep(0)
        bench.clock.advance(STEP_MS)
        network.end_timeouts()


async def wait_for(bench: Bench, network: CrowdedNetwork, url: str, *, since: int, limit_ms: int) -> int:
    """Return how long after ``since`` the URL was sent something."""
    while network.sent_at.get(url, 0) < since:
        await pass_time(bench, network, STEP_MS)
        assert bench.clock.now() - since <= limit_ms, f"{url} was sent nothing for {limit_ms} ms"
    return network.sent_at[url] - since


async def crowd(bench: Bench) -> CrowdedNetwork:
    """Return a network in which four hundred hang, each tried at least once, and one is known to work."""
    network = CrowdedNetwork(bench.clock.now, {KNOWN: HttpReply(204)})
    bench.deliverer.http_client = network
    await add_events(bench, KNOWN)
    await pass_time(bench, network, 1_000)
    hanging = [f"http://10.1.{n // 200}.{n % 200}/hook" for n in range(CROWD)]
    await add_events(bench, *hanging)
    await pass_time(bench, network, 480_000)
    assert set(hanging) <= network.sent_at.keys()
    return network


async def finish(bench: Bench, network: CrowdedNetwork) -> None:
    """End all requests."""
    for _, over in network.waiting:
        over.set()
    await bench.tasks.drain(60)


@pytest.mark.fault(77)
@pytest.mark.parametrize("is_hanging", [False, True], ids=["refused", "hung"])
async def test_a_known_receiver_that_returns_is_served_within_a_minute(
    bench: Bench, is_hanging: bool
) -> None:
    """P7: it was away for 30 s, however many others hang, and whether it hung itself."""
    network = await crowd(bench)
    if is_hanging:
        del network.replies[KNOWN]
    else:
        network.replies[KNOWN] = REFUSED
    await add_events(bench, *[KNOWN] * 20)
    await pass_time(bench, network, 30_000)
    network.replies[KNOWN] = HttpReply(204)
    await wait_for(bench, network, KNOWN, since=bench.clock.now(), limit_ms=60_000)
    await finish(bench, network)


@pytest.mark.fault(77)
async def test_a_new_receiver_is_tried_within_ten_seconds(bench: Bench) -> None:
    """P5: nothing is known of it, so it waits for none of those that hang."""
    network = await crowd(bench)
    network.replies[NEW] = HttpReply(204)
    await add_events(bench, NEW)
    assert await wait_for(bench, network, NEW, since=bench.clock.now(), limit_ms=10_000) <= 1_000
    await finish(bench, network)


@pytest.mark.fault(77)
async def test_a_redelivery_by_hand_goes_out_at_once(bench: Bench) -> None:
    """CONTRACT, HTTP: one attempt at once, even to a receiver that hangs."""
    network = await crowd(bench)
    pending = await bench.store.deliveries(DeliveryQuery(state=DeliveryState.PENDING, limit=CROWD))
    longest_ago = min(pending, key=lambda delivery: network.sent_at[delivery.url])
    now = bench.clock.now()
    assert await bench.store.redeliver(longest_ago.id, now=now, give_up_at=now + 72 * HOUR_MS)
    assert await wait_for(bench, network, longest_ago.url, since=now, limit_ms=1_000) <= STEP_MS
    await finish(bench, network)


@pytest.mark.fault(77)
async def test_what_hangs_uses_a_quarter_of_the_slots(bench: Bench) -> None:
    """And goes on being tried, one after the other."""
    network = await crowd(bench)
    most = bench.deliverer.settings.max_in_flight // 4
    for _ in range(100):
        await pass_time(bench, network, 1_000)
        assert len(network.waiting) <= most
    assert len([at for at in network.sent_at.values() if at > bench.clock.now() - 100_000]) >= 40
    await finish(bench, network)
