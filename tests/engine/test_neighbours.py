"""A dead receiver with a long queue, and healthy ones beside it."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest

from notifier.core.exchange import Exchange, FailureKind, NoReply
from notifier.core.model import DeliveryState
from tests.engine.conftest import HOOK, Bench, task
from tests.engine.test_deliverer import OK, finished

QUEUED = 800
NEIGHBOURS = 99


class OneHangs:
    """A network in which one receiver keeps us waiting until ``end``, and all others answer at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.told: Counter[str] = Counter()
        self.hanging = 0
        self.most = 0
        self.end = asyncio.Event()

    async def post(self, url: str, _headers: Mapping[str, str], _body: bytes, **_more: int) -> Exchange:
        self.told[url] += 1
        if url != self.url:
            return OK
        self.hanging += 1
        self.most = max(self.most, self.hanging)
        await self.end.wait()
        self.hanging -= 1
        return NoReply(FailureKind.TIMEOUT, "15 s, connected, and no answer began")


@pytest.mark.fault(77)
async def test_a_dead_endpoint_with_a_long_queue_costs_its_99_neighbours_less_than_a_second(
    bench: Bench,
) -> None:
    """It holds one connection, as it has yet to take something; all others are told meanwhile."""
    await finished(bench, tasks=QUEUED)
    for number in range(NEIGHBOURS):
        task_id, url = f"well-{number}", f"http://127.0.0.1:{number + 1_000}/hook"
        await bench.register(task_id, url=url)
        bench.polls.add(bench.url_of(task_id), task("completed", task_id))
    bench.clock.advance(2_500)
    while (await bench.store.counts(now=bench.clock.now())).deliveries[
        DeliveryState.PENDING
    ] < QUEUED + NEIGHBOURS:
        bench.clock.advance(100)
        await bench.poll()
    network = OneHangs(HOOK)
    bench.deliverer.http_client = network  # type: ignore[assignment] # only its posts are asked for
    began = bench.clock.now()
    while len(network.told) <= NEIGHBOURS:
        await step(bench, network)
    assert bench.clock.now() - began < 1_000
    assert (network.told[HOOK], network.most) == (1, 1)

    network.end.set()
    await bench.tasks.drain(60)
    network.end.clear()
    network.most = 0
    for _ in range(100):
        await step(bench, network, ms=200)
    assert network.most == 1
    network.end.set()


async def step(bench: Bench, network: OneHangs, *, ms: int = 50) -> None:
    """One tick, and all that ends of itself."""
    await bench.deliverer.tick()
    while len(bench.tasks) > network.hanging:
        await asyncio.sleep(0)
    bench.clock.advance(ms)
