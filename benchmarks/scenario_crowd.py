"""Four hundred receivers hang; a known one returns, a new one comes, and a user sends one delivery again."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec

from benchmarks.bench import Bench
from benchmarks.client import Pool, pool
from benchmarks.figures import Figure, at_most
from benchmarks.framing import Framer
from benchmarks.ledger import ANSWER
from benchmarks.processes import daemon
from benchmarks.waiting import Parked, put

CROWD = 400
WAITING = 20
AWAY_S = 30.0
LIMIT_S = 600.0
TICK_S = 0.05


@dataclass
class Crowd:
    """One server for all of them, told apart by address. ``seen_at`` has the last request of each."""

    port: int = 0
    working: set[str] = field(default_factory=set)
    seen_at: dict[str, float] = field(default_factory=dict)

    def url(self, host: str) -> str:
        """Return the callback URL of a receiver."""
        return f"http://{host}:{self.port}/hook"


class _Receiver(asyncio.Protocol):
    """One connection; it is answered if its receiver works."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio calls this."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio calls this."""
        assert self._transport is not None
        host = self._transport.get_extra_info("sockname")[0]
        self._framer.feed(data)
        while self._framer.message() is not None:
            self._crowd.seen_at[host] = time.monotonic()
            if host in self._crowd.working:
                self._transport.write(ANSWER)


@contextlib.asynccontextmanager
async def _serving() -> AsyncIterator[Crowd]:
    crowd = Crowd()
    server = await asyncio.get_running_loop().create_server(lambda: _Receiver(crowd), "0.0.0.0", 0)
    crowd.port = server.sockets[0].getsockname()[1]
    try:
        yield crowd
    finally:
        server.close()


async def _wait_for(crowd: Crowd, hosts: list[str], since: float) -> float:
    """Return how long after ``since`` the last of the hosts was sent something."""
    while any(crowd.seen_at.get(host, 0.0) < since for host in hosts):
        await asyncio.sleep(TICK_S)
        if time.monotonic() - since > LIMIT_S:
            break
    return max(crowd.seen_at.get(host, since + LIMIT_S) for host in hosts) - since


async def _replay(api: Pool, crowd: Crowd, host: str) -> None:
    """Have events wait for the known receiver, which hangs now."""
    crowd.working.discard(host)
    order = {"state": "delivered", "url": crowd.url(host)}
    await api.ask("POST", "/v1/deliveries/replay", msgspec.json.encode(order))


async def _return_after(bench: Bench, crowd: Crowd, host: str) -> float:
    """Let the known receiver be away, then return; return how soon it was served."""
    bench.say(f"{host} hangs for {AWAY_S:g} s")
    await asyncio.sleep(AWAY_S)
    crowd.working.add(host)
    return await _wait_for(crowd, [host], time.monotonic())


async def _send_by_hand(api: Pool, crowd: Crowd, hanging: list[str]) -> float:
    """Have a delivery to the receiver that was tried longest ago sent again; return how soon it came."""
    host = min(hanging, key=lambda each: crowd.seen_at[each])
    answer = await api.ask("GET", f"/v1/deliveries?state=pending&url={quote(crowd.url(host), safe='')}")
    (delivery,) = msgspec.json.decode(answer.body)["deliveries"]
    asked_at = time.monotonic()
    await api.ask("POST", f"/v1/deliveries/{delivery['id']}/redeliver")
    return await _wait_for(crowd, [host], asked_at)


async def crowd(bench: Bench) -> list[Figure]:
    """Let the crowd hang until each was tried, then measure who waits how long beside it."""
    count = bench.pick(CROWD, 40)
    hanging = [f"127.1.{n // 200}.{n % 200 + 1}" for n in range(count)]
    known = "127.2.0.1"
    with bench.folder() as folder:
        async with _serving() as receivers:
            receivers.working.add(known)
            parked = [Parked(receivers.url(known), f"known-{n}") for n in range(WAITING)]
            parked += [Parked(receivers.url(host), f"hanging-{host}") for host in hanging]
            await put(folder, parked)
            async with daemon(folder, {}) as running:
                began_at = time.monotonic()
                bench.say(f"{count} hang; each is tried once")
                await _wait_for(receivers, hanging, began_at)
                async with pool(running.url, 1) as api:
                    by_hand_s = await _send_by_hand(api, receivers, hanging)
                    await _replay(api, receivers, known)
                returns_s = await _return_after(bench, receivers, known)
    label = f"{count} hanging"
    return [
        Figure(f"{label}, a known one returns after {AWAY_S:g} s: served after", returns_s, "s", at_most(60)),
        Figure(f"{label}: a redelivery by hand goes out after", by_hand_s, "s", at_most(1)),
    ]
