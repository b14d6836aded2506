"""A receiver comes back after a long outage: soon, in the right order, and gently. Time is virtual."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.model import Callback, DeliveryState, NewWatch
from notifier.engine.background_tasks import BackgroundTasks
from notifier.store.values import Lease
from tests.builders import end, event
from tests.engine.conftest import HOOK, HOUR_MS, PATH, Bench

PARKED = 1_000
TICK_MS = 10
WORK_TICKS = 3
"""How long the receiver takes for each."""
REFUSED = NoReply(FailureKind.CONNECT, "connection refused")


@dataclass
class Receiver:
    """``Wire`` on which one receiver is down, then takes its time over each; notes what it saw."""

    is_up: bool = False
    order: list[str] = field(default_factory=list)
    tried: int = 0
    answered: int = 0
    seen: list[tuple[int, int]] = field(default_factory=list)
    """For each that came: how many had been answered, and how many were there at once."""
    waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)
    ticks: int = 0

    async def post(self, _url: str, headers: Mapping[str, str], _body: bytes, *, timeout_ms: int) -> Exchange:
        assert timeout_ms
        self.tried += 1
        if not self.is_up:
            return REFUSED
        answer = asyncio.Event()
        self.waiting.append((self.ticks + WORK_TICKS, answer))
        self.order.append(headers["webhook-id"])
        self.seen.append((self.answered, len(self.waiting)))
        await answer.wait()
        return HttpReply(204)

    def tick(self) -> None:
        """Answer what has been worked on for long enough."""
        self.ticks += 1
        while self.waiting and self.waiting[0][0] <= self.ticks:
            self.waiting.pop(0)[1].set()
            self.answered += 1

    async def query(self, *_args: object, **_more: object) -> Exchange:
        raise AssertionError("nothing is polled by POST here")

    async def get(self, *_args: object, **_more: object) -> Exchange:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def receiver(bench: Bench) -> AsyncIterator[Receiver]:
    one, sends = Receiver(), BackgroundTasks()
    bench.deliverer.http_client, bench.deliverer._tasks = one, sends
    yield one
    assert sends.crashes == 0


async def parked(bench: Bench, count: int) -> list[str]:
    """Have so many events wait whose results expire in no order; returns their ids, earliest expiry first."""
    now = bench.clock.now()
    new = [
        NewWatch("mulerouter", PATH, f"task-{n}", (Callback(HOOK),), "{}", now, now, now + HOUR_MS)
        for n in range(count)
    ]
    await bench.store.add_watches(new, give_up_at=now + 72 * HOUR_MS, max_live=count)
    lease = Lease("test", now + HOUR_MS)
    claimed = await bench.store.claim_watches("mulerouter", now=now, limit=count, lease=lease)
    expiries: dict[str, int] = {}
    for n, watch in enumerate(claimed.watches):
        ending = end(result_expires_at=now + HOUR_MS + n * 7_919 % count * 1_000)
        told = event(watch, ending, at=now)
        expiries[told.id] = told.result_expires_at or 0
        await bench.store.record_end(watch, lease, ending, told, now=now, give_up_at=now + 72 * HOUR_MS)
    return sorted(expiries, key=lambda event_id: expiries[event_id])


async def pass_time(bench: Bench, receiver: Receiver, ms: int, *, step_ms: int = TICK_MS) -> None:
    """Let time pass with a tick at each step; what is answered is recorded within its step."""
    for _ in range(0, ms, step_ms):
        receiver.tick()
        await bench.deliverer.tick()
        for _ in range(20):
            await asyncio.sleep(0)
        bench.clock.advance(step_ms)


async def down_until_probes_are_a_minute_apart(bench: Bench, receiver: Receiver) -> None:
    """76 s: the probe after 75 s has just failed, which is the worst moment to come back."""
    await pass_time(bench, receiver, 76_000, step_ms=250)
    receiver.is_up = True


async def drained(bench: Bench, receiver: Receiver) -> tuple[int, int]:
    """Let time pass until all is delivered; returns after how long the first came, and the last."""
    back_at, first_at = bench.clock.now(), 0
    while receiver.answered < PARKED:
        is_soon = bool(receiver.order)
        await pass_time(bench, receiver, 100, step_ms=TICK_MS if is_soon else 100)
        first_at = first_at or (bench.clock.now() if receiver.order else 0)
        assert bench.clock.now() - back_at < 2 * 60_000, f"{receiver.answered} after two minutes"
    await pass_time(bench, receiver, 100)
    return first_at - back_at, bench.clock.now() - back_at


async def test_what_was_parked_drains_in_time_in_order_and_gently(bench: Bench, receiver: Receiver) -> None:
    """A thousand: the first within 60 s, all within 90 s, earliest expiry first, 1 then 2 then 4 at once."""
    wanted = await parked(bench, PARKED)
    await down_until_probes_are_a_minute_apart(bench, receiver)
    tried_in_vain = receiver.tried
    first_ms, last_ms = await drained(bench, receiver)
    assert first_ms <= 60_000
    assert last_ms <= 90_000
    counts = await bench.store.counts(now=bench.clock.now())
    assert counts.deliveries[DeliveryState.DELIVERED] == PARKED
    assert tried_in_vain <= 3 + 4  # three that closed the gate, then the probes at 5, 15, 35, 75 s
    assert receiver.order == wanted
    most = bench.deliverer.settings.max_in_flight_per_origin
    assert [at_once for answered, at_once in receiver.seen if at_once > min(most, 1 << answered)] == []
    assert max(at_once for _, at_once in receiver.seen) == most
    assert len(receiver.order) == receiver.tried - tried_in_vain == PARKED
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(receiver.seen))
