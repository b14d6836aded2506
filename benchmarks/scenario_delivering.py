"""Delivering: how fast it drains, and what one receiver that hangs and one that refuses cost eight others."""

import asyncio
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import msgspec

from benchmarks.bare_post import BarePost
from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_least, at_most, exactly
from benchmarks.ledger import Ledger, hanging, receiving, refusing
from benchmarks.load import SETTINGS, Offer, Outcome, offered
from benchmarks.processes import daemon, job
from benchmarks.stats import median, quantile
from benchmarks.usage import Busy
from benchmarks.waiting import Parked, put

RECEIVERS = 8
TO_THE_BAD = 5_000
"""Waiting for each of the two."""
DRAINED = 6_000
DRAINED_BY_ONE = 2_000
POSTS = 6_400
TASKS, OVER_S, GRACE_S = 1_000, 20.0, 12.0
ROUNDS = 3
DRAIN_LIMIT_S = 120.0


async def delivering(bench: Bench) -> list[Figure]:
    """Measure each with its limit beside it."""
    return [*await _draining(bench), *await _neighbours(bench)]


# ---- what bad neighbours cost


async def _neighbours(bench: Bench) -> list[Figure]:
    """The same load on eight receivers, alone and beside the two, in turn."""
    alone, beside = [], []
    each = bench.pick(TO_THE_BAD, 500)
    for _ in range(bench.pick(ROUNDS, 1)):
        alone.append(await _loaded(bench, to_the_bad=0))
        beside.append(await _loaded(bench, to_the_bad=each))
    label = f"{RECEIVERS} receivers, {2 * each} waiting for two bad ones"
    without = median([_p99_ms(outcome) for outcome in alone])
    return [
        Figure(f"{RECEIVERS} receivers: outcome to receipt, p99", without, "ms", note=_each(alone)),
        Figure(
            f"{label}: outcome to receipt, p99",
            median([_p99_ms(outcome) for outcome in beside]),
            "ms",
            at_most(1.5),
            without,
            _each(beside),
        ),
        Figure(f"{label}: lost", sum(outcome.delays.lost for outcome in beside), "tasks", exactly(0)),
    ]


async def _loaded(bench: Bench, *, to_the_bad: int) -> Outcome:
    offer = Offer(bench.pick(TASKS, 200), bench.pick(OVER_S, 5.0), GRACE_S)
    with bench.folder() as folder, refusing() as (_, refuses):
        async with hanging() as hangs:
            await put(folder, _waiting(to_the_bad, hangs, refuses))
            outcome = await offered(folder, offer, receivers=RECEIVERS)
    bench.say(
        f"{to_the_bad * 2} waiting for bad ones: outcome to receipt p99 {_p99_ms(outcome):.1f} ms, "
        f"{outcome.delays.lost} lost; cores: {outcome.busy}"
    )
    return outcome


def _waiting(each: int, *urls: str) -> list[Parked]:
    return [Parked(url, f"waiting-{at}-{n}") for n in range(each) for at, url in enumerate(urls)]


def _p99_ms(outcome: Outcome) -> float:
    return quantile(outcome.delays.delivered_s, 0.99) * 1_000


def _each(outcomes: list[Outcome]) -> str:
    return f"median of {', '.join(f'{_p99_ms(outcome):.1f}' for outcome in outcomes)}"


# ---- how fast it drains


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain came to."""

    per_s: float
    busy: Busy


async def _draining(bench: Bench) -> list[Figure]:
    """To eight with the two bad ones beside them, to one, and the bare client to eight, in turn."""
    eight, one, bare = [], [], []
    for _ in range(bench.pick(ROUNDS, 1)):
        bare.append(await _bare(bench))
        eight.append(await _drained(bench, RECEIVERS, bench.pick(DRAINED, 800), bench.pick(TO_THE_BAD, 500)))
        one.append(await _drained(bench, 1, bench.pick(DRAINED_BY_ONE, 400), 0))
    limit = median(bare)
    rates, rates_of_one = ([each.per_s for each in drains] for drains in (eight, one))
    return [
        Figure(f"bare POST, httpx, signed, {RECEIVERS} receivers", limit, "1/s", note=_rates(bare)),
        Figure(
            f"deliveries to {RECEIVERS} receivers beside the two bad ones",
            median(rates),
            "1/s",
            at_least(0.5),
            limit,
            f"{_rates(rates)}; cores used: {eight[-1].busy}",
        ),
        Figure(
            "deliveries to one receiver",
            median(rates_of_one),
            "1/s",
            at_least(300),
            note=f"{_rates(rates_of_one)}; cores used: {one[-1].busy}",
        ),
    ]


async def _bare(bench: Bench) -> float:
    async with receiving(RECEIVERS) as ledger:
        printed = await job("benchmarks.bare_post", str(bench.pick(POSTS, 1_280)), *ledger.urls)
    per_s = msgspec.json.decode(printed, type=BarePost).posts_per_s
    bench.say(f"bare POST: {per_s:.0f}/s")
    return per_s


async def _drained(bench: Bench, receivers: int, count: int, to_the_bad: int) -> Drained:
    with bench.folder() as folder, refusing() as (_, refuses):
        async with hanging() as hangs, receiving(receivers) as ledger:
            turns = zip(range(count), cycle(ledger.urls), strict=False)
            good = [Parked(url, f"good-{n}") for n, url in turns]
            await put(folder, [*_waiting(to_the_bad, hangs, refuses), *good])
            drained = await _drain(folder, ledger, count)
    bench.say(f"drained to {receivers}: {drained.per_s:.0f}/s; cores: {drained.busy}")
    return drained


async def _drain(folder: Path, ledger: Ledger, count: int) -> Drained:
    async with daemon(folder, SETTINGS) as running:
        busy = Busy({"daemon": running.pid})
        deadline = time.monotonic() + DRAIN_LIMIT_S
        while len(ledger.entries) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {len(ledger.entries)} of {count} arrived")
            await asyncio.sleep(0.02)
        busy.stop()
    arrived = sorted(entry.received_at for entry in ledger.entries.values())
    return Drained((count - 1) * 1_000 / (arrived[-1] - arrived[0]), busy)


def _rates(rates: list[float]) -> str:
    return f"median of {', '.join(f'{rate:.0f}' for rate in rates)}"
