"""Learned polling against polls at fixed intervals of 2.5 s, simulated: six kinds of tasks and a mixed fleet.

The goals were set for steps of 2 s and more; what our default of 2.5 s makes of them stands beside. A kind's
share of the delay that the shortest step alone causes cannot be learned away.
"""

import asyncio
from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.figures import Figure, Goal, at_most
from benchmarks.kinds import FLEET, IMAGE, KINDS, Kind, scaled
from benchmarks.learning import Outcome, Plan, Setting, mixed, run
from notifier.config.model import PollingSettings
from notifier.core.polling.age_schedule import AgeSchedule

SEED = 6
ROUNDS = 100
MEASURED = 100
DEFAULT = PollingSettings()
SETTING = Setting(AgeSchedule(2_000, DEFAULT.max_interval_ms, DEFAULT.growth))
BY_DEFAULT = Setting(AgeSchedule(DEFAULT.min_interval_ms, DEFAULT.max_interval_ms, DEFAULT.growth))
UNSTAMPED = Setting(SETTING.schedule, is_stamped=False)

Run = Callable[[Kind], Outcome]


async def learning(bench: Bench) -> list[Figure]:
    """Simulate; the figures are the same at each run."""
    rounds = bench.pick(ROUNDS, 10)
    warm, cold = Plan(rounds, 50, MEASURED), Plan(rounds, 0, MEASURED)
    figures: list[Figure] = []
    for kind in KINDS:
        figures += _kind(kind, run(kind, SETTING, warm, seed=SEED))
    for name, of_kind, polls, delay in (
        ("after 50 finishes", _runs(SETTING, warm), at_most(0.25), at_most(6)),
        ("cold", _runs(SETTING, cold), at_most(0.5), at_most(6.5)),
        ("after 50 finishes, default steps from 2.5 s", _runs(BY_DEFAULT, warm), None, None),
        ("cold, default steps from 2.5 s", _runs(BY_DEFAULT, cold), None, None),
        ("after 50 finishes, no stamps", _runs(UNSTAMPED, warm), None, None),
        ("the 100 after it became 3 x slower", _turns(3, rounds), None, None),
        ("the 100 after it became 3 x faster", _turns(1 / 3, rounds), None, None),
    ):
        await asyncio.sleep(0)  # a signal ends it between two steps
        figures += _fleet(name, mixed([(of_kind(kind), share) for kind, share in FLEET]), polls, delay)
        bench.say(f"fleet, {name}: {figures[-2].ratio:.2f} of the polls, {figures[-1].value:.1f} % delay")
    return figures


def _runs(setting: Setting, plan: Plan) -> Run:
    return lambda kind: run(kind, setting, plan, seed=SEED)


def _turns(factor: float, rounds: int) -> Run:
    """Runs of kinds whose two hundred past tasks took another time."""
    plan = Plan(max(1, rounds // 4), 200, MEASURED)
    return lambda kind: run(scaled(kind, factor), SETTING, plan, seed=SEED, past=kind)


def _kind(kind: Kind, found: Outcome) -> list[Figure]:
    has_goal = kind is IMAGE
    name = f"learned, {kind.name}"
    return [
        Figure(
            f"{name}: polls a task",
            found.polls,
            "polls",
            at_most(0.75) if has_goal else None,
            found.fixed_polls,
            "after 50 finishes; against fixed 2.5 s",
        ),
        Figure(
            f"{name}: mean delay",
            found.delay_s,
            "s",
            at_most(1) if has_goal else None,
            found.fixed_delay_s,
            f"{found.relative_delay:.1%} of the duration, fixed: {found.fixed_relative_delay:.1%}",
        ),
    ]


def _fleet(name: str, found: Outcome, polls: Goal | None, delay: Goal | None) -> list[Figure]:
    fixed = f"fixed 2.5 s: {found.fixed_polls:.1f} polls, {found.fixed_relative_delay:.1%}"
    return [
        Figure(f"fleet, {name}: polls a task", found.polls, "polls", polls, found.fixed_polls, fixed),
        Figure(
            f"fleet, {name}: delay over duration",
            found.relative_delay * 100,
            "%",
            delay,
            note=f"mean delay {found.delay_s:.2f} s",
        ),
    ]
