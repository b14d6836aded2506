"""Line plots as SVG: panels side by side with one horizontal axis, and values from zero up."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 300, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 40, 40, 46
STEPS = 4
COLOURS = ("#2a6fb0", "#c0562b")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}"
    ".title{font-weight:600}.number{fill:#666;font-size:11px}"
    ".grid{stroke:#ddd}.line{fill:none;stroke-width:2}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line through points; its name, which may be empty, stands at its end."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines with one measure."""

    title: str
    lines: Sequence[Line]


def draw(panels: Sequence[Panel], ticks: Sequence[tuple[float, str]], axis: str) -> str:
    """Return the picture. ``ticks`` are places on the horizontal axis, and what stands there."""
    width, height = WIDTH * len(panels), HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *(
            f'<g transform="translate({number * WIDTH})">{"".join(_panel(panel, ticks, axis))}</g>'
            for number, panel in enumerate(panels)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(panel: Panel, ticks: Sequence[tuple[float, str]], axis: str) -> Iterator[str]:
    top = ceiling(max(value for line in panel.lines for _, value in line.points))
    first, last = ticks[0][0], ticks[-1][0]

    def across(place: float) -> float:
        return LEFT + (place - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    yield _text(LEFT, TOP - 18, panel.title, "title")
    for step in range(STEPS + 1):
        value = top * step / STEPS
        yield f'<path class="grid" d="M{LEFT} {up(value):.1f}H{WIDTH - RIGHT}"/>'
        yield _text(LEFT - 6, up(value) + 4, f"{value:g}", "number", "end")
    for place, label in ticks:
        yield _text(across(place), HEIGHT - BOTTOM + 16, label, "number", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, axis, "number", "middle")
    for line, colour in zip(panel.lines, COLOURS, strict=False):
        places = [(across(place), up(value)) for place, value in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path class="line" stroke="{colour}" d="M{path}"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
        yield _text(places[-1][0] + 7, places[-1][1] + 4, line.name, "number")


def ceiling(value: float) -> float:
    """Return the least round number (1, 2, 4, 6 or 8 times a power of ten) that is not below ``value``."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10, 20) if step * power >= value)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    if not text:
        return ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
