"""What a run came to: a line of figures, and for a broken promise all that it takes to see it again."""

from tests.simulation.city import Tempo
from tests.simulation.days import TEMPI
from tests.simulation.simulation import Result


def summary(result: Result, seconds: float) -> str:
    """The figures of one run."""
    counts = result.counts
    figures = {
        "virtual days": f"{result.virtual_days:.2f}",
        "crashes": counts.get("crash", 0),
        "stops": counts.get("stopped", 0),
        "polls": counts.get("poll", 0),
        "attempts": counts.get("attempt", 0),
        "calls": counts.get("call", 0),
        "duplicates": counts.get("duplicate", 0),
        "marked": counts.get("marked", 0),
        "dead": counts.get("dead", 0),
        "drained in s": counts.get("drained_s", 0),
        "wall s": f"{seconds:.1f}",
    }
    told = ", ".join(f"{name} {value}" for name, value in figures.items())
    return f"seed {result.seed}: trace {result.hash}, {told}"


def failure(result: Result, days: float, tempo: Tempo) -> str:
    """What was broken, the way there, and the command that shows it again."""
    return "\n".join(
        [
            *result.last_lines,
            "",
            *map(str, result.breaches[:5]),
            f"seed {result.seed}; see it again with: "
            f"make simulate SEED={result.seed} DAYS={days:g} TEMPO={name_of(tempo)}",
        ]
    )


def name_of(tempo: Tempo) -> str:
    """As the command line calls it."""
    return next(name for name, known in TEMPI.items() if known == tempo)
