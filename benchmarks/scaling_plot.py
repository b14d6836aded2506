"""How cost grows, drawn: three panels over what waits, as an SVG of our own."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import svg

FILE = Path(__file__).with_name("scaling.svg")
PEERS_FILE = Path(__file__).with_name("scaling-peers.svg")
COLOURS = ("#000000", "#e69f00", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Of Okabe and Ito's palette, which the colour-blind can tell apart; the first is ours."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured beside so many that wait; what could not be, as nothing was called back, is None."""

    waiting: int
    cpu_ms: float | None
    noticed_p50_s: float | None
    noticed_p99_s: float | None
    peak_mb: float


def write(points: Sequence[Point]) -> None:
    """Draw notifier's growth into ``scaling.svg``."""
    FILE.write_text(draw(points))


def write_peers(courses: Mapping[str, Sequence[Point]]) -> None:
    """Draw everyone's growth into ``scaling-peers.svg``."""
    PEERS_FILE.write_text(draw_peers(courses))


def draw(points: Sequence[Point]) -> str:
    """Return the picture of notifier alone."""
    panels = [
        svg.Panel("CPU of a poll, ms", [_line("", points, lambda point: point.cpu_ms)]),
        svg.Panel(
            "An end is noticed after, s",
            [
                _line("p50", points, lambda point: point.noticed_p50_s),
                _line("p99", points, lambda point: point.noticed_p99_s),
            ],
        ),
        svg.Panel("Peak memory, MB", [_line("", points, lambda point: point.peak_mb)]),
    ]
    return svg.draw(panels, _ticks(points), "watches that wait in the database")


def draw_peers(courses: Mapping[str, Sequence[Point]]) -> str:
    """Return the picture of all, by their names; each line ends where they went no further."""
    colours = dict(zip(courses, COLOURS, strict=False))

    def panel(title: str, read: Callable[[Point], float | None]) -> svg.Panel:
        # Ours comes last, so that it is on top.
        names = [*courses][::-1]
        return svg.Panel(title, [_line("", courses[name], read, colours[name]) for name in names])

    panels = [
        panel("CPU of a poll, ms", lambda point: point.cpu_ms),
        panel("Noticed after, p99, s", lambda point: point.noticed_p99_s),
        panel("Peak memory, MB", lambda point: point.peak_mb),
    ]
    ticks = _ticks([point for points in courses.values() for point in points])
    return svg.draw(panels, ticks, "tasks that wait", [*colours.items()])


def _line(
    name: str, points: Sequence[Point], read: Callable[[Point], float | None], colour: str = ""
) -> svg.Line:
    known = [(math.log10(point.waiting), value) for point in points if (value := read(point)) is not None]
    return svg.Line(name, known, colour)


def _ticks(points: Sequence[Point]) -> list[tuple[float, str]]:
    return [(math.log10(count), _short(count)) for count in sorted({point.waiting for point in points})]


def _short(count: int) -> str:
    return f"{count // 1_000_000}M" if count >= 1_000_000 else f"{count // 1_000}k"
