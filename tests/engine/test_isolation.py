"""However many receivers hang, those that work do not notice: the real store, receivers that never answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.model import DeliveryState, WatchState
from notifier.engine.background_tasks import BackgroundTasks
from tests.engine.conftest import Bench, task

WELL = "http://127.0.0.1:2/hook"
HANGING = [f"http://127.0.0.1:{port}/hook" for port in range(1_000, 1_040)]
OK = HttpReply(204)
TIMEOUT = NoReply(FailureKind.TIMEOUT, "connected, and no answer began")


@dataclass
class Receivers:
    """``Wire`` on which ports from 1000 on hang until ``give_up``; all others accept at once."""

    in_flight: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    are_well: bool = False

    async def post(self, url: str, _headers: Mapping[str, str], _body: bytes, *, timeout_ms: int) -> Exchange:
        assert timeout_ms
        port = urlsplit(url).port or 0
        if self.are_well or port < 1_000:
            self.accepted.append(url)
            return OK
        self.in_flight[port] += 1
        try:
            await self.is_over.wait()
        finally:
            self.in_flight[port] -= 1
        return TIMEOUT

    async def query(self, *_args: object, **_more: object) -> Exchange:
        raise AssertionError("nothing is polled by POST here")

    async def get(self, *_args: object, **_more: object) -> Exchange:
        raise NotImplementedError

    async def close(self) -> None:
        self.give_up()

    def give_up(self) -> None:
        """Have all that hangs time out."""
        self.is_over.set()
        self.is_over = asyncio.Event()


@pytest.fixture
async def receivers(bench: Bench) -> AsyncIterator[Receivers]:
    wire, sends = Receivers(), BackgroundTasks()
    bench.deliverer.http_client, bench.deliverer._tasks = wire, sends
    yield wire
    wire.give_up()
    await sends.drain(60)
    assert sends.crashes == 0


async def told(bench: Bench, name: str, *urls: str, each: int = 1) -> None:
    """Have tasks end, ``each`` for every URL, of which it is to be told."""
    for at, url in enumerate(urls):
        for n in range(each):
            task_id = f"{name}-{at}-{n}"
            await bench.register(task_id, url=url)
            bench.polls.add(bench.url_of(task_id), task("completed", task_id))
    bench.clock.advance(2_500)
    while (await bench.store.counts(now=bench.clock.now())).watches[WatchState.WATCHING]:
        await bench.poll()
        bench.clock.advance(250)


async def tick(bench: Bench, times: int = 1) -> None:
    """Ticks that do not wait for what hangs."""
    for _ in range(times):
        await bench.deliverer.tick()
        for _ in range(50):
            await asyncio.sleep(0)
        bench.clock.advance(20)


async def test_forty_that_hang_from_the_first_hold_less_than_half_the_slots_one_each(
    bench: Bench, receivers: Receivers
) -> None:
    """What has never accepted anything gets one message at a time; all such leave two of 16 to others."""
    await told(bench, "hung", *HANGING, each=3)
    await tick(bench, 5)
    slots = bench.deliverer.settings.max_in_flight
    assert sum(receivers.in_flight.values()) == slots // 2 - slots // 16
    assert set(receivers.in_flight.values()) == {1}


async def test_while_forty_hang_one_that_works_is_served_at_the_next_tick(
    bench: Bench, receivers: Receivers
) -> None:
    """What waits for the others is neither in its way nor searched through first."""
    await told(bench, "first", WELL)
    await tick(bench)
    await told(bench, "hung", *HANGING, each=3)
    await tick(bench, 5)
    for n in range(3):
        receivers.accepted.clear()
        await told(bench, f"well-{n}", WELL, each=4)
        await tick(bench)
        assert receivers.accepted[:2] == [WELL, WELL]  # two at once: it has accepted one, so far
        await tick(bench, 2)


async def test_what_hangs_after_it_worked_loses_its_good_name_at_the_first_timeout(
    bench: Bench, receivers: Receivers
) -> None:
    """Until then it has the slots of anyone; from then on it is one of those that share half of them."""
    turncoats, slots = HANGING[:20], bench.deliverer.settings.max_in_flight
    receivers.are_well = True
    await told(bench, "good", *turncoats, each=3)
    await tick(bench, 3)
    receivers.are_well = False
    await told(bench, "bad", *turncoats, each=8)
    await tick(bench, 3)
    assert sum(receivers.in_flight.values()) == slots - 1  # one is kept for redeliveries
    for _ in range(6):
        receivers.give_up()
        await tick(bench, 3)
    bench.clock.advance(15_000)
    await tick(bench, 3)
    assert sum(receivers.in_flight.values()) <= slots // 2
    assert max(receivers.in_flight.values()) == 1


async def test_what_answers_again_is_off_its_trial_at_once(bench: Bench, receivers: Receivers) -> None:
    """All forty come back: everything that waits drains, with no trace of the half that they had."""
    await told(bench, "hung", *HANGING, each=3)
    await tick(bench, 3)
    receivers.are_well = True
    receivers.give_up()
    for _ in range(30):
        await tick(bench, 4)
        bench.clock.advance(2_000)
    counts = await bench.store.counts(now=bench.clock.now())
    assert counts.deliveries[DeliveryState.PENDING] == 0


async def test_a_url_for_each_task_is_no_trial_for_each_task(bench: Bench, receivers: Receivers) -> None:
    """A new endpoint of an origin that has just accepted something is trusted as the origin is."""
    await told(bench, "first", f"{WELL}/0")
    await tick(bench)
    await told(bench, "next", *(f"{WELL}/{n}" for n in range(1, 5)))
    await tick(bench)
    assert len(receivers.accepted) == 5
