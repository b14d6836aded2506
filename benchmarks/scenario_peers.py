"""What one would use instead, at the job of the scenario ``polling``, beside notifier in the same run."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_most, exactly
from benchmarks.load import Offer, Outcome, offered
from benchmarks.peer_load import fed
from benchmarks.peer_names import APSCHEDULER, CELERY, DBOS, OURS, PEERS, SCRIPT, those_there
from benchmarks.stats import quantile

GRACE_S = 12.0
LOW = Offer(count=200, over_s=30.0, grace_s=GRACE_S)
HIGH = Offer(count=2_000, over_s=30.0, grace_s=GRACE_S)
QUICK = Offer(count=40, over_s=5.0, grace_s=GRACE_S)
LEFT_OUT_OF_HIGH = {DBOS}
"""At 13 ms CPU a poll it would need eight cores: an overload says no more than the lower load does."""
OUR_GOALS = {LOW: 2.5, HIGH: 1.2}
"""Seconds of CPU that a thousand polls of ours may take."""
CPU_GOALS = {
    LOW: {SCRIPT: (1.0, 2.6), APSCHEDULER: (0.45, 5.9), CELERY: (0.25, 10.5), DBOS: (0.18, 14.5)},
    HIGH: {SCRIPT: (0.05, 30.0), CELERY: (0.17, 7.4)},
}
"""How much of a peer's CPU a poll of ours may take, and what its thousand took where that goal was set."""


async def peers(bench: Bench) -> list[Figure]:
    """Offer both loads to all, one after the other; nothing where the peers' environment is not there."""
    names = those_there(bench, "peers")
    if not names:
        return []
    figures: list[Figure] = []
    for offer in bench.pick((LOW, HIGH), (QUICK,)):
        outcomes = {OURS: await _measured(bench, OURS, offer)}
        for name in names:
            if offer is HIGH and name in LEFT_OUT_OF_HIGH:
                continue
            outcomes[name] = await _measured(bench, name, offer)
        figures += _figures(offer, outcomes)
    return figures


async def _measured(bench: Bench, name: str, offer: Offer) -> Outcome:
    with bench.folder() as folder:
        outcome = await (offered(folder, offer) if name == OURS else _offered_to(name, folder, offer))
    called = outcome.delays.called_back_s
    late = f"{quantile(called, 0.5):.3f} s late" if called else "nothing called back"
    bench.say(
        f"{offer.count} tasks, {name}: {outcome.delays.lost} lost, {late}, {outcome.polls} polls, "
        f"{outcome.cpu_s:.1f} s CPU in all; cores: {outcome.busy}"
    )
    return outcome


async def _offered_to(name: str, folder: Path, offer: Offer) -> Outcome:
    async with fed(PEERS[name], folder) as peer:
        return await peer.offered(offer)


def _figures(offer: Offer, outcomes: Mapping[str, Outcome]) -> list[Figure]:
    figures = [figure for name, outcome in outcomes.items() for figure in _of_one(name, outcome)]
    ours = outcomes[OURS].cpu_ms_per_poll
    for name in (name for name in PEERS if name in outcomes and outcomes[name].polls):
        goal, then_s = CPU_GOALS.get(offer, {}).get(name, (None, None))
        note = "" if then_s is None else f"the goal was set where {name.partition(',')[0]} took {then_s:g} s"
        figures.append(
            Figure(
                f"{_label(offer, OURS)}: CPU of 1000 polls, against {name}",
                ours,
                "s",
                None if goal is None else at_most(goal),
                outcomes[name].cpu_ms_per_poll,
                note,
            )
        )
    return figures


def _of_one(name: str, outcome: Outcome) -> list[Figure]:
    label = _label(outcome.offer, name)
    lost, called = outcome.delays.lost, outcome.delays.called_back_s
    came = "of those that came" if lost else ""
    each = f"{outcome.polls / outcome.offer.count:.1f} polls a task; cores used: {outcome.busy}"
    goal = at_most(OUR_GOALS[outcome.offer]) if name == OURS and outcome.offer in OUR_GOALS else None
    lateness = [
        Figure(f"{label}: called back after, {words}", quantile(called, share), "s", note=came)
        for words, share in (("p50", 0.5), ("p99", 0.99))
        if called
    ]
    return [
        Figure(
            f"{label}: lost",
            lost,
            "tasks",
            exactly(0) if name == OURS else None,
            note=f"not called back {outcome.offer.grace_s:g} s after the last end",
        ),
        *lateness,
        *(
            [Figure(f"{label}: CPU of 1000 polls", outcome.cpu_ms_per_poll, "s", goal, note=each)]
            if outcome.polls
            else []
        ),
        Figure(f"{label}: polls", outcome.polls, "polls"),
        Figure(f"{label}: peak memory", outcome.peak_mb, "MB"),
    ]


def _label(offer: Offer, name: str) -> str:
    return f"{offer.count} tasks, {name}"
