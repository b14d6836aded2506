"""Days at random: what happens outside, act by act, drawn from the seed."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.simulation.city import Tempo
from tests.simulation.simulation import Result, Simulation

DAY_S = 86_400.0
BRISK = Tempo(idle_s=1, housekeeping_s=60, pause_s=(1, 20))
"""Production's own tempo, crowded: for lives of hours."""
CALM = Tempo(idle_s=300, housekeeping_s=900, pause_s=(1, 3_000))
"""For lives of days: hardly anything moves but by its own ring."""
CROWDED = Tempo(idle_s=60, housekeeping_s=300, pause_s=(1, 60))
"""Nearly as calm inside, and crowded outside: for hunting a bug."""
PARTIAL = Tempo(idle_s=1, housekeeping_s=60, pause_s=(1, 6), is_partial=True)
"""For hours in which a part of a provider is down nearly always."""
TEMPI = {"brisk": BRISK, "calm": CALM, "crowded": CROWDED, "partial": PARTIAL}

ACTS: tuple[tuple[int, str], ...] = (
    (40, "register"),
    (6, "add_callback"),
    (5, "stop"),
    (5, "resume"),
    (6, "poll"),
    (4, "look"),
    (6, "redeliver"),
    (1, "replay"),
    (4, "pause"),
    (6, "release"),
)
FAULTS: tuple[tuple[int, str], ...] = (
    (24, "mood"),
    (12, "part"),
    (3, "crash"),
    (6, "crash_soon"),
    (3, "crash_after_answer"),
    (3, "stop"),
    (5, "fill_disk"),
    (1, "slow_disk"),
    (1, "sleep"),
    (4, "step_clock"),
    (2, "edit_config"),
)
PARTIAL_FAULTS: tuple[tuple[int, str], ...] = ((12, "part"), (2, "crash"), (1, "step_clock"))


def run(seed: str, days: float, *, tempo: Tempo = CALM) -> Result:
    """Live so many virtual days, then end the faults and drain."""
    with (
        tempfile.TemporaryDirectory(prefix="notifier-simulation-") as folder,
        Simulation(seed, Path(folder), tempo) as simulation,
    ):
        live(simulation, days)
        simulation.drain()
        return simulation.result()


def live(simulation: Simulation, days: float) -> None:
    """Acts and faults in turn, until the days are over or a promise is broken."""
    rng, world = simulation.rng, simulation.world
    shortest, mean = simulation.tempo.pause_s
    while world.mono < days * DAY_S and not world.breaches:
        simulation.advance(shortest + rng.expovariate(1 / mean))
        if rng.random() < 0.8:
            for _ in range(rng.choice([1, 1, 1, 8])):
                simulation.do(_draw(simulation, ACTS))
        else:
            table = PARTIAL_FAULTS if simulation.tempo.is_partial else FAULTS
            fault(simulation, _draw(simulation, table))


def fault(simulation: Simulation, name: str) -> None:
    """Let one thing go wrong."""
    rng = simulation.rng
    if name == "mood":
        simulation.world.note("mood", simulation.city.change_a_mood())
    elif name == "part":
        simulation.world.note("part", simulation.city.change_a_part())
    elif name == "sleep":
        simulation.sleep(rng.choice([30.0, 600.0, 8 * 3_600.0]))
    elif name == "step_clock":
        simulation.step_clock(rng.choice([-1, 1]) * rng.choice([0.5, 30.0, 3_600.0, DAY_S]))
    elif name == "stop" and rng.random() < 0.3:
        simulation.stop()
        simulation.advance(rng.random() * 5)
        simulation.crash()
    else:
        act: Callable[[], None] = getattr(simulation, name)
        act()


def _draw(simulation: Simulation, table: tuple[tuple[int, str], ...]) -> str:
    weights, names = zip(*table, strict=True)
    return str(simulation.rng.choices(names, weights)[0])
