"""Durable registrations against one commit per request, on the same disk, in turns.

There are two such limits: the same daemon with a commit for each request, and bare inserts without HTTP. The
first says what the group commit gains; the second is a loop that does nothing else.
"""

from collections.abc import Sequence
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
    singly: list[Registered] = []
    limits: list[OneCommit] = []
    stores: list[Added] = []
    with bench.folder() as folder:
        async with (
            daemon(folder, SETTINGS) as running,
            daemon(folder, SETTINGS, module="benchmarks.one_commit_daemon") as committing,
        ):
            before_s = cpu_seconds(running.pid)
            for _ in range(ROUNDS):
                ours.append(await _over_http(bench, running, count, "in groups"))
                singly.append(await _over_http(bench, committing, count, "one commit each"))
                limits.append(await _limit(bench, folder, count))
                stores.append(await _store(bench, folder, count))
            cpu_ms = (cpu_seconds(running.pid) - before_s) * 1_000 / (ROUNDS * count)
    return _figures(ours, singly, limits, stores, cpu_ms)


async def _over_http(bench: Bench, running: Running, count: int, how: str) -> Registered:
    printed = await job("benchmarks.registering", running.url, str(CLIENTS), str(count))
    registered = msgspec.json.decode(printed, type=Registered)
    bench.say(f"registered, {how}: {registered.per_s:.0f}/s, p99 {registered.p99_ms:.1f} ms")
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
    ours: list[Registered],
    singly: list[Registered],
    limits: list[OneCommit],
    stores: list[Added],
    cpu_ms: float,
) -> list[Figure]:
    http = median([one.per_s for one in singly])
    limit = median([one.per_s for one in limits])
    name = f"registrations over HTTP, {CLIENTS} clients"
    return [
        Figure("the same daemon, one commit per request", http, "1/s", note=_each(singly)),
        Figure(name, median([one.per_s for one in ours]), "1/s", at_least(2), http, _each(ours)),
        Figure("one commit per request, no HTTP", limit, "1/s", note=_each(limits)),
        Figure(
            "the store without HTTP",
            median([one.per_s for one in stores]),
            "1/s",
            at_least(2),
            limit,
            _each(stores),
        ),
        Figure(f"{name}, against no HTTP", median([one.per_s for one in ours]), "1/s", limit=limit),
        Figure(f"{name}: p50", median([one.p50_ms for one in ours]), "ms"),
        Figure(f"{name}: p99", median([one.p99_ms for one in ours]), "ms"),
        Figure(f"{name}: CPU of the daemon each", cpu_ms, "ms", note=_clients(ours)),
    ]


def _each(rounds: Sequence[Registered | OneCommit | Added]) -> str:
    return "median of " + ", ".join(f"{one.per_s:.0f}" for one in rounds)


def _clients(rounds: Sequence[Registered]) -> str:
    return f"the clients use {median([one.cores for one in rounds]):.2f} cores beside"
