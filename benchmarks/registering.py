"""Clients that register as fast as they are answered, in a process of their own: prints one JSON object."""

import asyncio
import sys
import time
import uuid

import msgspec

from benchmarks.client import Connection, connect
from benchmarks.load import registration
from benchmarks.one_commit import CALLBACK_URL
from benchmarks.stats import quantile


class Registered(msgspec.Struct):
    """What it came to. ``cores`` is what the clients used themselves."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cores: float


async def measure(url: str, clients: int, count: int) -> Registered:
    """Register ``count`` tasks over ``clients`` connections, one request at a time on each."""
    bodies = [registration(str(uuid.uuid4()), CALLBACK_URL) for _ in range(count // clients * clients)]
    connections = [await connect(url) for _ in range(clients)]
    waits_ms: list[float] = []

    async def register(connection: Connection) -> None:
        while bodies:
            began = time.monotonic()
            answer = await connection.ask("POST", "/v1/watches", bodies.pop())
            waits_ms.append((time.monotonic() - began) * 1_000)
            if answer.status != 201:
                raise RuntimeError(f"answered {answer.status}: {answer.body[:200]!r}")

    cpu_before, before = time.process_time(), time.monotonic()
    await asyncio.gather(*(register(connection) for connection in connections))
    passed_s = time.monotonic() - before
    for connection in connections:
        connection.close()
    cores = (time.process_time() - cpu_before) / passed_s
    return Registered(len(waits_ms) / passed_s, quantile(waits_ms, 0.5), quantile(waits_ms, 0.99), cores)


if __name__ == "__main__":
    result = asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(result))
