"""A receiver comes back after it was down for so long that probes are a minute apart."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_most, exactly
from benchmarks.framing import Framer
from benchmarks.ledger import ANSWER, refusing
from benchmarks.processes import daemon
from benchmarks.waiting import Parked, put

PARKED = 1_000
PER_ORIGIN = 4
DOWN_S = 76.0
"""Probes go out after 5, 15, 35 and 75 s, the next one a minute later: the worst moment to come back."""
WORK_S = 0.01
"""How long the receiver takes for each: long enough to see what is sent at once."""
LIMIT_S = 120.0
HOUR_MS = 3_600_000


class _Data(msgspec.Struct):
    task_id: str


class _Event(msgspec.Struct):
    data: _Data


@dataclass
class Trace:
    """What the receiver saw: who came when, and how many were with it at once."""

    order: list[str] = field(default_factory=list)
    arrived_at: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    answered: int = 0
    hasty: int = 0
    """How many came before the slow start allowed it: one, then two after the first answer, then four."""

    def arrive(self, body: bytes) -> None:
        """Note one that has come."""
        self.arrived_at.append(time.monotonic())
        self.order.append(msgspec.json.decode(body, type=_Event).data.task_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.hasty += self.at_once > min(PER_ORIGIN, 1 << min(self.answered, 10))

    def answer(self) -> None:
        """Note that one is about to be answered."""
        self.at_once -= 1
        self.answered += 1


class _Receiver(asyncio.Protocol):
    """One connection; answers after ``WORK_S``."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio calls this."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio calls this."""
        self._framer.feed(data)
        while (message := self._framer.message()) is not None:
            self._trace.arrive(message[1])
            asyncio.get_running_loop().call_later(WORK_S, self._answer)

    def _answer(self) -> None:
        self._trace.answer()
        if self._transport is not None:
            self._transport.write(ANSWER)


async def returning(bench: Bench) -> list[Figure]:
    """Park, stay away, come back, and look at what comes."""
    count, down_s = bench.pick(PARKED, 200), bench.pick(DOWN_S, 16.0)
    with bench.folder() as folder, refusing() as (held, url):
        parked, order = _parked(url, count)
        await put(folder, parked)
        async with daemon(folder, {}):
            bench.say(f"{count} parked; the receiver stays away for {down_s:g} s")
            await asyncio.sleep(down_s)
            back_at = time.monotonic()
            async with _back(held) as trace:
                await _until(trace, count)
    return _figures(bench, trace, order, back_at)


def _parked(url: str, count: int) -> tuple[list[Parked], list[str]]:
    """Return deliveries in no order, and their tasks by when the results expire."""
    expiries = [time.time_ns() // 1_000_000 + HOUR_MS + n * 1_000 for n in range(count)]
    random.Random(7).shuffle(expiries)
    parked = [Parked(url, f"parked-{n}", expires_at) for n, expires_at in enumerate(expiries)]
    in_order = sorted(zip(expiries, parked, strict=True), key=lambda pair: pair[0])
    return parked, [one.task_id for _, one in in_order]


@contextlib.asynccontextmanager
async def _back(held: socket.socket) -> AsyncIterator[Trace]:
    """Serve on the socket that refused so far."""
    trace = Trace()
    server = await asyncio.get_running_loop().create_server(lambda: _Receiver(trace), sock=held)
    try:
        yield trace
    finally:
        server.close()


async def _until(trace: Trace, count: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while trace.answered < count and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


def _figures(bench: Bench, trace: Trace, order: list[str], back_at: float) -> list[Figure]:
    label = f"{len(order)} parked, the receiver returns"
    first_s, last_s = trace.arrived_at[0] - back_at, trace.arrived_at[-1] - back_at
    lost = len(set(order) - set(trace.order))
    late = _out_of_order(trace.order, order)
    bench.say(f"{label}: first after {first_s:.1f} s, last after {last_s:.1f} s, {lost} lost")
    return [
        Figure(f"{label}: the first after", first_s, "s", at_most(60)),
        Figure(f"{label}: all after", last_s, "s", at_most(90)),
        Figure(f"{label}: lost", lost, "deliveries", exactly(0)),
        Figure(
            f"{label}: out of the order of expiry",
            late,
            "deliveries",
            exactly(0),
            note=f"by more than the {PER_ORIGIN} that may be under way",
        ),
        Figure(f"{label}: most at once", trace.most_at_once, "requests", at_most(PER_ORIGIN)),
        Figure(f"{label}: before the slow start allowed it", trace.hasty, "requests", exactly(0)),
    ]


def _out_of_order(came: list[str], wanted: list[str]) -> int:
    place = {task_id: n for n, task_id in enumerate(wanted)}
    return sum(abs(place[task_id] - n) > PER_ORIGIN for n, task_id in enumerate(came))
