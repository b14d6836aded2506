"""Plot how cost grows with what waits: three panels as an SVG, drawn by matplotlib."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

FILE = Path(__file__).with_name("scaling.svg")
PEERS_FILE = Path(__file__).with_name("scaling-peers.svg")
COLOURS = ("#000000", "#e69f00", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""The palette of Okabe and Ito, which colour-blind readers can tell apart; notifier has the first."""

_STYLE = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # text stays text, in the reader's font
    "svg.hashsalt": "notifier",  # equal figures make equal files
}


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured beside so many that wait; a figure without a callback to measure it by is None."""

    waiting: int
    cpu_ms: float | None
    noticed_p50_s: float | None
    noticed_p99_s: float | None
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of some points; ``name`` stands at its end, ``colour`` is one of ``COLOURS``."""

    points: Sequence[Point]
    read: Callable[[Point], float | None]
    colour: str
    name: str = ""


def write(points: Sequence[Point]) -> None:
    """Draw notifier's growth into ``scaling.svg``."""
    FILE.write_text(draw(points))


def write_peers(courses: Mapping[str, Sequence[Point]]) -> None:
    """Draw everyone's growth into ``scaling-peers.svg``."""
    PEERS_FILE.write_text(draw_peers(courses))


def draw(points: Sequence[Point]) -> str:
    """Return the picture of notifier alone."""
    blue, orange = COLOURS[2], COLOURS[3]
    panels = {
        "CPU of a poll, ms": [Line(points, lambda point: point.cpu_ms, blue)],
        "An end is noticed after, s": [
            Line(points, lambda point: point.noticed_p50_s, blue, "p50"),
            Line(points, lambda point: point.noticed_p99_s, orange, "p99"),
        ],
        "Peak memory, MB": [Line(points, lambda point: point.peak_mb, blue)],
    }
    return _render(panels, "watches that wait in the database")


def draw_peers(courses: Mapping[str, Sequence[Point]]) -> str:
    """Return the picture of all, by their names; each line ends where its program went no further."""
    colours = dict(zip(courses, COLOURS, strict=False))

    def lines(read: Callable[[Point], float | None]) -> list[Line]:
        # notifier is the first of the courses and is drawn last, on top of the others
        return [Line(courses[name], read, colours[name]) for name in [*courses][::-1]]

    panels = {
        "CPU of a poll, ms": lines(lambda point: point.cpu_ms),
        "Noticed after, p99, s": lines(lambda point: point.noticed_p99_s),
        "Peak memory, MB": lines(lambda point: point.peak_mb),
    }
    return _render(panels, "tasks that wait", colours)


def _render(panels: Mapping[str, Sequence[Line]], label: str, legend: Mapping[str, str] | None = None) -> str:
    picture = StringIO()
    with rc_context(_STYLE):  # type: ignore[arg-type] # its stubs list the keys as literals
        figure = Figure(figsize=(9, 2.6 if legend is None else 3.1), layout="constrained")
        for axes, (title, lines) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
            draw_panel(axes, title, lines)
            axes.set_xlabel(label)
        if legend is not None:
            keys = [axes.plot([], [], color=colour, marker="o")[0] for colour in legend.values()]
            figure.legend(keys, legend.keys(), loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def draw_panel(axes: Axes, title: str, lines: Sequence[Line]) -> None:
    """Draw lines over how many wait. The scale is logarithmic where one order of magnitude is too little."""
    values: list[float] = []
    for above, line in zip(range(len(lines) - 1, -1, -1), lines, strict=True):
        figures = {point.waiting: value for point in line.points if (value := line.read(point)) is not None}
        width = 1.5 + 0.3 * above  # a line that others cover is thicker than they are
        axes.plot([*figures], [*figures.values()], "o-", color=line.colour, lw=width, ms=2.5 * width)
        for count, value in [*figures.items()][-1:]:
            axes.annotate(line.name, (count, value), (6, -3), textcoords="offset points")
        values += figures.values()
    is_log = bool(values) and max(values) > 10 * min(values) > 0
    axes.set_title(title + (" (log scale)" if is_log else ""), loc="left", fontweight="bold")
    if is_log:
        steps = (1, 2, 5) if max(values) < 1_000 * min(values) else (1,)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=steps))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        axes.set_ylim(0, 1.1 * max(values, default=0.0) or 1.0)
    counts = sorted({point.waiting for line in lines for point in line.points})
    axes.set_xscale("log")
    axes.set_xticks(counts, [_short(count) for count in counts])
    axes.minorticks_off()


def _short(count: int) -> str:
    return f"{count // 1_000_000}M" if count >= 1_000_000 else f"{count // 1_000}k"
