"""The limit of polling: a client that asks as often as the daemon does, and does nothing else.

A process of its own, so that its CPU time is that of the client alone: prints one JSON object. The clients:
``httpx`` is httpx.AsyncClient over our transport as it comes, ``socket`` a protocol by hand, ``ours`` the
daemon's client.
"""

import asyncio
import contextlib
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import cycle
from urllib.parse import urlsplit

import httpx
import msgspec
import uvloop

from benchmarks.client import pool
from benchmarks.processes import KEY
from benchmarks.stats import quantile
from benchmarks.tasks import API_PATH
from notifier.core.exchange import HttpReply
from notifier.outbound.client import HttpxClient
from notifier.outbound.connector import TcpConnector
from notifier.outbound.resolver import CachingResolver
from notifier.outbound.tls import make_tls_context
from notifier.outbound.transport import HttpTransport

IN_FLIGHT = 64
KEEPALIVE_S = 90.0
WARM = 256
_HEADERS = {"accept": "application/json", "Authorization": f"Bearer {KEY}"}

Get = Callable[[str], Awaitable[int]]
"""Asks for a URL, reads the answer, returns its status."""


class Bare(msgspec.Struct):
    """What it came to."""

    cpu_ms_per_get: float
    gets_per_s: float
    p99_ms: float


def make_transport(connections: int, keepalive_s: float) -> HttpTransport:
    """Return the daemon's transport, which asks no policy."""
    connector = TcpConnector(None, make_tls_context(), CachingResolver(), time.monotonic)
    return HttpTransport(connector, max_idle=connections, keepalive_s=keepalive_s, monotonic=time.monotonic)


@contextlib.asynccontextmanager
async def by_httpx(_: str) -> AsyncIterator[Get]:
    """The library that the daemon is built on, over the transport alone."""
    async with httpx.AsyncClient(transport=make_transport(IN_FLIGHT, KEEPALIVE_S)) as client:

        async def get(url: str) -> int:
            return (await client.get(url, headers=_HEADERS)).status_code

        yield get


@contextlib.asynccontextmanager
async def by_socket(url: str) -> AsyncIterator[Get]:
    """A protocol by hand: what Python itself costs."""
    async with pool(url, IN_FLIGHT, _HEADERS) as connections:

        async def get(url: str) -> int:
            return (await connections.ask("GET", urlsplit(url).path)).status

        yield get


@contextlib.asynccontextmanager
async def by_ours(_: str) -> AsyncIterator[Get]:
    """The daemon's wire, with deadline, bounds and guard."""
    wire = HttpxClient(connections=IN_FLIGHT, keepalive_s=KEEPALIVE_S, max_body=4 * 1024 * 1024)
    try:

        async def get(url: str) -> int:
            exchange = await wire.get(url, _HEADERS, timeout_ms=15_000)
            return exchange.status if isinstance(exchange, HttpReply) else 0

        yield get
    finally:
        await wire.close()


CLIENTS = {"httpx": by_httpx, "socket": by_socket, "ours": by_ours}


async def measure(client: str, url: str, per_s: float, for_s: float, task_ids: list[str]) -> Bare:
    """Warm up, then ask at random moments, ``per_s`` times a second; with 0 without a pause, 64 at once."""
    urls = cycle([f"{url}{API_PATH}/{task_id}" for task_id in task_ids])
    took_s: list[float] = []

    async def ask(get: Get) -> None:
        began = time.monotonic()
        status = await get(next(urls))
        took_s.append(time.monotonic() - began)
        if status != 200:
            raise RuntimeError(f"the simulator answered {status}")

    async with CLIENTS[client](url) as get:
        await asyncio.gather(*(ask(get) for _ in range(WARM)))
        took_s.clear()
        cpu_before, before = _cpu_s(), time.monotonic()
        await (_paced if per_s else _saturated)(lambda: ask(get), per_s, for_s)
        count = len(took_s)
        cpu_ms = (_cpu_s() - cpu_before) * 1_000 / count
        return Bare(cpu_ms, count / (time.monotonic() - before), quantile(took_s, 0.99) * 1_000)


async def _paced(ask: Callable[[], Awaitable[None]], per_s: float, for_s: float) -> None:
    rng, now = random.Random(1), time.monotonic
    at = began = now()
    async with asyncio.TaskGroup() as asking:
        while (at := at + rng.expovariate(per_s)) < began + for_s:
            if at > now():
                await asyncio.sleep(at - now())
            asking.create_task(_one(ask))


async def _saturated(ask: Callable[[], Awaitable[None]], _per_s: float, for_s: float) -> None:
    until = time.monotonic() + for_s

    async def go_on() -> None:
        while time.monotonic() < until:
            await ask()

    await asyncio.gather(*(go_on() for _ in range(IN_FLIGHT)))


async def _one(ask: Callable[[], Awaitable[None]]) -> None:
    await ask()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    _, name, base, rate, seconds, *ids = sys.argv
    bare = uvloop.run(measure(name, base, float(rate), float(seconds), ids))
    sys.stdout.buffer.write(msgspec.json.encode(bare))
