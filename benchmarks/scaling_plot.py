"""How cost grows, drawn: three panels over the watches that wait, as an SVG of our own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import svg

FILE = Path(__file__).with_name("scaling.svg")


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured beside so many waiting watches."""

    waiting: int
    cpu_ms: float
    noticed_p50_s: float
    noticed_p99_s: float
    peak_mb: float


def write(points: Sequence[Point]) -> None:
    """Draw into ``scaling.svg``."""
    FILE.write_text(draw(points))


def draw(points: Sequence[Point]) -> str:
    """Return the picture."""
    waiting = [point.waiting for point in points]

    def line(name: str, values: Sequence[float]) -> svg.Line:
        return svg.Line(name, list(zip(map(math.log10, waiting), values, strict=True)))

    ticks = [(math.log10(count), _short(count)) for count in waiting]
    panels = [
        svg.Panel("CPU of a poll, ms", [line("", [point.cpu_ms for point in points])]),
        svg.Panel(
            "An end is noticed after, s",
            [
                line("p50", [point.noticed_p50_s for point in points]),
                line("p99", [point.noticed_p99_s for point in points]),
            ],
        ),
        svg.Panel("Peak memory, MB", [line("", [point.peak_mb for point in points])]),
    ]
    return svg.draw(panels, ticks, "watches that wait in the database")


def _short(count: int) -> str:
    return f"{count // 1_000_000}M" if count >= 1_000_000 else f"{count // 1_000}k"
