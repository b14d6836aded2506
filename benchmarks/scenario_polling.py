"""Polling at its load and at twice that, with the bare client measured before, between and after."""

import msgspec

from benchmarks.bare_get import Bare
from benchmarks.bench import Bench
from benchmarks.client import pool
from benchmarks.figures import Figure, at_least, at_most, exactly
from benchmarks.load import INTERVAL_S, Offer, Outcome, offered
from benchmarks.processes import job, simulator
from benchmarks.stats import median, quantile
from benchmarks.tasks import submit_endless

TASKS = 2_000
OVER_S = 30.0
GRACE_S = 12.0
GRACE_OVERLOADED_S = 90.0
POLLS_PER_S = 635.0
"""What the tasks come to. Bare clients are measured at this rate: in a hurry, a request costs less."""
BARE_S = 5.0
ENDLESS = 64


async def polling(bench: Bench) -> list[Figure]:
    """Measure both loads; the ratio stands on the median of the limits around them."""
    count, over_s = bench.pick(TASKS, 200), bench.pick(OVER_S, 5.0)
    limits = [await _bare(bench, "httpx")]
    ours = [await _bare(bench, "ours")]
    others = [await _hurried(bench, client) for client in ("ours", "httpx", "socket")]
    single = await _loaded(bench, Offer(count, over_s, GRACE_S))
    limits.append(await _bare(bench, "httpx"))
    ours.append(await _bare(bench, "ours"))
    double = await _loaded(bench, Offer(2 * count, over_s, GRACE_OVERLOADED_S))
    limits.append(await _bare(bench, "httpx"))
    ours.append(await _bare(bench, "ours"))
    limit_ms = median([bare.cpu_ms_per_get for bare in limits])
    return [
        Figure("bare GET, httpx over our transport: CPU", limit_ms, "ms", note=_each(limits)),
        _of_ours(ours, limit_ms),
        *others,
        *_at_single(single, limit_ms),
        *_at_double(double, single, limit_ms),
    ]


async def _bare(bench: Bench, client: str, per_s: float = POLLS_PER_S) -> Bare:
    seconds = bench.pick(BARE_S, 1.0)
    with bench.folder() as folder:
        async with simulator(folder) as upstream, pool(upstream.url, 1) as control:
            task_ids = await submit_endless(control, ENDLESS)
            printed = await job(
                "benchmarks.bare_get", client, upstream.url, str(per_s), str(seconds), *task_ids
            )
    bare = msgspec.json.decode(printed, type=Bare)
    bench.say(f"bare GET, {client}: {bare.cpu_ms_per_get:.3f} ms CPU each, {bare.gets_per_s:.0f}/s")
    return bare


async def _hurried(bench: Bench, client: str) -> Figure:
    """As fast as it can: what the client gives, and what the simulator gives at least."""
    bare = await _bare(bench, client, 0.0)
    note = f"{bare.cpu_ms_per_get:.3f} ms CPU each, p99 {bare.p99_ms:.1f} ms"
    return Figure(f"{_NAMES[client]}, 64 in flight without a pause", bare.gets_per_s, "1/s", note=note)


_NAMES = {
    "ours": "the daemon's client",
    "httpx": "httpx over our transport",
    "socket": "a raw socket",
}


def _of_ours(bares: list[Bare], limit_ms: float) -> Figure:
    cpu_ms = median([bare.cpu_ms_per_get for bare in bares])
    return Figure("bare GET, the daemon's client: CPU", cpu_ms, "ms", at_most(1), limit_ms, _each(bares))


def _each(bares: list[Bare]) -> str:
    each = ", ".join(f"{bare.cpu_ms_per_get:.3f} at {bare.gets_per_s:.0f}/s" for bare in bares)
    return f"median of {each}"


async def _loaded(bench: Bench, offer: Offer) -> Outcome:
    with bench.folder() as folder:
        outcome = await offered(folder, offer)
    p50, p99 = (quantile(outcome.delays.noticed_s, share) for share in (0.5, 0.99))
    bench.say(
        f"{offer.count} tasks: {outcome.delays.lost} lost, noticed after {p50:.3f} s (p99 {p99:.3f}), "
        f"{outcome.cpu_ms_per_poll:.3f} ms CPU a poll; cores: {outcome.busy}"
    )
    return outcome


def _at_single(outcome: Outcome, limit_ms: float) -> list[Figure]:
    label = _label(outcome.offer)
    noticed, called = outcome.delays.noticed_s, outcome.delays.called_back_s
    p50, p99 = at_most(1.2 * INTERVAL_S / 2), at_most(1.5 * INTERVAL_S)
    return [
        Figure(
            f"{label}: lost",
            outcome.delays.lost,
            "tasks",
            exactly(0),
            note=f"{outcome.delays.duplicates} duplicates",
        ),
        Figure(f"{label}: noticed after, p50", quantile(noticed, 0.5), "s", p50, note="ideal 0.125 s"),
        Figure(f"{label}: noticed after, p99", quantile(noticed, 0.99), "s", p99),
        Figure(f"{label}: called back after, p50", quantile(called, 0.5), "s"),
        Figure(f"{label}: called back after, p99", quantile(called, 0.99), "s"),
        Figure(f"{label}: CPU a poll", outcome.cpu_ms_per_poll, "ms", at_most(2), limit_ms, _share(outcome)),
        Figure(f"{label}: polls, steady part", outcome.polls_per_s, "1/s"),
        *_rest(outcome, label),
    ]


def _at_double(outcome: Outcome, single: Outcome, limit_ms: float) -> list[Figure]:
    """Lateness is allowed here; neither losing nor a collapse of the rate."""
    label = _label(outcome.offer)
    rate = f"at the single load {single.polls_per_s:.0f}"
    noticed, called = outcome.delays.noticed_s, outcome.delays.called_back_s
    return [
        Figure(
            f"{label}: lost",
            outcome.delays.lost,
            "tasks",
            exactly(0),
            note=f"{outcome.delays.duplicates} duplicates",
        ),
        Figure(f"{label}: noticed after, p50", quantile(noticed, 0.5), "s"),
        Figure(f"{label}: noticed after, p99", quantile(noticed, 0.99), "s"),
        Figure(f"{label}: called back after, p99", quantile(called, 0.99), "s"),
        Figure(f"{label}: CPU a poll", outcome.cpu_ms_per_poll, "ms", limit=limit_ms, note=_share(outcome)),
        Figure(f"{label}: polls, steady part", outcome.polls_per_s, "1/s", at_least(800), note=rate),
        *_rest(outcome, label),
    ]


def _rest(outcome: Outcome, label: str) -> list[Figure]:
    each = f"{outcome.polls} polls, {outcome.polls / outcome.offer.count:.1f} a task"
    return [
        Figure(f"{label}: CPU of 1000 polls", outcome.cpu_ms_per_poll, "s", at_most(1.2), note=each),
        Figure(f"{label}: peak memory", outcome.peak_mb, "MB", note=f"{outcome.rss_mb:.1f} MB after it"),
    ]


def _label(offer: Offer) -> str:
    return f"{offer.count} tasks in {offer.over_s:g} s"


def _share(outcome: Outcome) -> str:
    return f"everything the daemon did; cores used: {outcome.busy}"
