"""Durable registrations against one commit per request, on the same disk, in turns."""

from pathlib import Path

import msgspec

from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_least
from benchmarks.one_commit import OneCommit
from benchmarks.processes import Running, daemon, job
from benchmarks.registering import Registered
from benchmarks.stats import median
from benchmarks.store_adding import Added
from benchmarks.usage import cpu_seconds

CLIENTS = 32
ROUNDS = 3
COUNT = 6_400
# Nothing is polled meanwhile: this is about registering alone.
SETTINGS = {
    "polling.first_after": "6d",
    "polling.expire_after": "7d",
    "providers.mulerouter.base_url": "http://127.0.0.1:9",
}


async def registering(bench: Bench) -> list[Figure]:
    """Measure all in turns; the ratio stands on the medians."""
    count = bench.pick(COUNT, 640)
    ours: list[Registered] = []
    limits: list[OneCommit] = []
    stores: list[Added] = []
    with bench.folder() as folder:
        async with daemon(folder, SETTINGS) as running:
            before_s = cpu_seconds(running.pid)
            for _ in range(ROUNDS):
                ours.append(await _ours(bench, running, count))
                limits.append(await _limit(bench, folder, count))
                stores.append(await _store(bench, folder, count))
            cpu_ms = (cpu_seconds(running.pid) - before_s) * 1_000 / (ROUNDS * count)
    return _figures(ours, limits, stores, cpu_ms)


async def _ours(bench: Bench, running: Running, count: int) -> Registered:
    printed = await job("benchmarks.registering", running.url, str(CLIENTS), str(count))
    registered = msgspec.json.decode(printed, type=Registered)
    bench.say(f"registered: {registered.per_s:.0f}/s, p99 {registered.p99_ms:.1f} ms")
    return registered


async def _limit(bench: Bench, folder: Path, count: int) -> OneCommit:
    printed = await job("benchmarks.one_commit", str(folder / "one-commit.db"), str(CLIENTS), str(count))
    limit = msgspec.json.decode(printed, type=OneCommit)
    bench.say(f"one commit per request: {limit.per_s:.0f}/s")
    return limit


async def _store(bench: Bench, folder: Path, count: int) -> Added:
    printed = await job("benchmarks.store_adding", str(folder / "store.db"), str(CLIENTS), str(count))
    added = msgspec.json.decode(printed, type=Added)
    bench.say(f"the store alone: {added.per_s:.0f}/s")
    return added


def _figures(
    ours: list[Registered], limits: list[OneCommit], stores: list[Added], cpu_ms: float
) -> list[Figure]:
    limit = median([one.per_s for one in limits])
    each = ", ".join(f"{one.per_s:.0f}" for one in limits)
    store_each = ", ".join(f"{one.per_s:.0f}" for one in stores)
    store = median([one.per_s for one in stores])
    our_each = ", ".join(f"{one.per_s:.0f}" for one in ours)
    cores = median([one.cores for one in ours])
    name = f"registrations over HTTP, {CLIENTS} clients"
    return [
        Figure("one commit per request, no HTTP", limit, "1/s", note=f"median of {each}"),
        Figure(name, median([one.per_s for one in ours]), "1/s", at_least(2), limit, f"median of {our_each}"),
        Figure("the store without HTTP", store, "1/s", limit=limit, note=f"median of {store_each}"),
        Figure(f"{name}: p50", median([one.p50_ms for one in ours]), "ms"),
        Figure(f"{name}: p99", median([one.p99_ms for one in ours]), "ms"),
        Figure(
            f"{name}: CPU of the daemon each", cpu_ms, "ms", note=f"the clients use {cores:.2f} cores beside"
        ),
    ]
