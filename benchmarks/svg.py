"""Line plots as SVG: panels side by side with one horizontal axis, and a legend below them.

Values stand on a scale from zero up or, where one order of magnitude would not hold them, on a logarithmic
one, which the panel's title then says. Of lines that meet, those below stand out: they are thicker.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 300, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 40, 40, 46
LEGEND = 20
"""How high a row of the legend is; it has an entry under each panel."""
STEPS = 4
NUMBERS = 9
COLOURS = ("#2a6fb0", "#c0562b")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}"
    ".title{font-weight:600}.number{fill:#666;font-size:11px}"
    ".grid{stroke:#ddd}.line{fill:none}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line through points; its name, which may be empty, stands at its end. No colour: the next one."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines with one measure."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Scale:
    """Which values a panel is for, from its foot to its top, and which of them are written beside it."""

    numbers: Sequence[float]
    is_log: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> "Scale":
        """Return the one that shows these values best."""
        if values and max(values) > 10 * min(values) > 0:
            return cls(_decades(min(values), max(values)), is_log=True)
        top = ceiling(max(values, default=0.0))
        return cls([top * step / STEPS for step in range(STEPS + 1)], is_log=False)

    def share(self, value: float) -> float:
        """Return how high a value stands: 0 at the foot, 1 at the top."""
        foot, top = self.numbers[0], self.numbers[-1]
        if self.is_log:
            return math.log(value / foot) / math.log(top / foot)
        return (value - foot) / (top - foot)


def draw(
    panels: Sequence[Panel],
    ticks: Sequence[tuple[float, str]],
    axis: str,
    legend: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the picture.

    ``ticks`` are places on the horizontal axis, and what stands there; ``legend`` is names and their colours.
    """
    rows = math.ceil(len(legend) / len(panels)) + (0.5 if legend else 0)
    width, height = WIDTH * len(panels), HEIGHT + rows * LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height:g}" fill="#fff"/>',
        *(
            f'<g transform="translate({number * WIDTH})">{"".join(_panel(panel, ticks, axis))}</g>'
            for number, panel in enumerate(panels)
        ),
        *_legend(legend, len(panels)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(panel: Panel, ticks: Sequence[tuple[float, str]], axis: str) -> Iterator[str]:
    scale = Scale.of([value for line in panel.lines for _, value in line.points])
    first, last = ticks[0][0], ticks[-1][0]

    def across(place: float) -> float:
        return LEFT + (place - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - scale.share(value) * (HEIGHT - TOP - BOTTOM)

    yield _text(LEFT, TOP - 18, panel.title + (" (log scale)" if scale.is_log else ""), "title")
    for value in scale.numbers:
        yield f'<path class="grid" d="M{LEFT} {up(value):.1f}H{WIDTH - RIGHT}"/>'
        yield _text(LEFT - 8, up(value) + 4, f"{value:g}", "number", "end")
    for place, label in ticks:
        yield _text(across(place), HEIGHT - BOTTOM + 16, label, "number", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, axis, "number", "middle")
    for number, line in enumerate(panel.lines):
        colour = line.colour or COLOURS[number % len(COLOURS)]
        places = [(across(place), up(value)) for place, value in line.points]
        yield from _line(line.name, places, colour, above=len(panel.lines) - 1 - number)


def _line(name: str, places: Sequence[tuple[float, float]], colour: str, above: int) -> Iterator[str]:
    """Draw a line that so many others may cover."""
    if not places:
        return
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    width, radius = 2 + 0.3 * above, 3 + 0.5 * above
    yield f'<path class="line" stroke="{colour}" stroke-width="{width:g}" d="M{path}"/>'
    yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>' for x, y in places)
    yield _text(places[-1][0] + 7, places[-1][1] + 4, name, "number")


def _legend(entries: Sequence[tuple[str, str]], columns: int) -> Iterator[str]:
    for number, (name, colour) in enumerate(entries):
        x, y = LEFT + number % columns * WIDTH, HEIGHT + number // columns * LEGEND + LEGEND // 2
        yield f'<path class="line" stroke="{colour}" stroke-width="3" d="M{x} {y}h18"/>'
        yield f'<circle cx="{x + 9}" cy="{y}" r="3" fill="{colour}"/>'
        yield _text(x + 24, y + 4, name, "")


def ceiling(value: float) -> float:
    """Return the least round number (1, 2, 4, 6 or 8 times a power of ten) that is not below ``value``."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10, 20) if step * power >= value)


def _decades(least: float, most: float) -> list[float]:
    """Return round numbers from just below ``least`` to just above ``most``.

    They are 1, 2 or 5 times a power of ten; where these would be too many, powers of ten alone.
    """
    powers = range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 1)
    numbers: list[float] = []
    for steps in ((1, 2, 5), (1,)):
        ladder = [float(f"{step}e{power}") for power in powers for step in steps]
        foot = max(number for number in ladder if number <= least)
        top = min(number for number in ladder if number >= most)
        numbers = [number for number in ladder if foot <= number <= top]
        if len(numbers) <= NUMBERS:
            break
    return numbers


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    if not text:
        return ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
