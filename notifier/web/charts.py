"""Draw the plots as inline SVG, each with a table of the same data. Pure; ``plots.js`` draws the same, live.

Sizes are in units of one view box, so that all plots are equally high and the page does not move when they
appear. Colours come from classes, because the style sheet has a light and a dark theme.
"""

from collections.abc import Sequence

from notifier.api.plots import BarsBody, PlotsBody, RangesBody
from notifier.web.filters import Html, table, tag

WIDTH, HEIGHT = 320, 150
BASE, TOP = 126, 18  # y of the foot of bars, and of the top of the highest; labels need the rest
BAR_SHARE = 0.72  # of a column's width; the rest separates the bars
MIN_BAR_HEIGHT = 2  # a bar of few is visible too
RANGES_DRAWN = 4  # rows of ``ROW`` that fit into ``HEIGHT``
ROW, TEXT, TRACK, THICK = 36, 14, 20, 8
TABLE_LABEL = "as a table"


def draw_plots(body: PlotsBody) -> Html:
    """Draw all four plots."""
    bars = (("notice", body.notice), ("polls", body.polls), ("callbacks", body.callbacks))
    figures = [_figure(name, each, _bars(name, each), _bars_table(each)) for name, each in bars]
    durations = body.durations
    first = _figure("durations", durations, _ranges("durations", durations), _ranges_table(durations))
    return tag("div", first, *figures, class_="plots")


def _figure(name: str, plot: BarsBody | RangesBody, picture: Html, alternative: Html) -> Html:
    return tag(
        "figure",
        tag("figcaption", tag("h3", plot.title), tag("p", plot.summary)),
        picture,
        tag("details", tag("summary", TABLE_LABEL), tag("p", plot.about), alternative),
        data_plot=name,
    )


def _svg(name: str, plot: BarsBody | RangesBody, shapes: Sequence[Html]) -> Html:
    """Draw the frame of a plot. An empty plot has the full size, so that the page does not move later."""
    return tag(
        "svg",
        tag("title", plot.title, id=f"{name}-title"),
        tag("desc", f"{plot.summary}. {plot.about}", id=f"{name}-desc"),
        *shapes,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=str(WIDTH),
        height=str(HEIGHT),
    )


def _bars(name: str, plot: BarsBody) -> Html:
    if not plot.bars:
        return _svg(name, plot, [_line()])
    step = WIDTH / len(plot.bars)
    most = max(1, *(bar.count for bar in plot.bars))
    shapes = [_line()]
    for number, bar in enumerate(plot.bars):
        middle = number * step + step / 2
        height = max(MIN_BAR_HEIGHT, _near((BASE - TOP) * bar.count / most)) if bar.count else 0
        width = _near(step * BAR_SHARE)
        shapes.append(_rect("bar", _near(middle - width / 2), BASE - height, width, height))
        if bar.count:
            shapes.append(_text("count", _near(middle), BASE - height - 4, str(bar.count), "middle"))
        shapes.append(_text("edge", _near(middle), HEIGHT - 8, bar.label, "middle"))
    return _svg(name, plot, shapes)


def _ranges(name: str, plot: RangesBody) -> Html:
    visible = plot.ranges[:RANGES_DRAWN]
    longest = max((each.high_s for each in visible), default=0) or 1
    shapes = []
    for number, each in enumerate(visible):
        top = number * ROW
        low, middle, high = (_near(WIDTH * at / longest) for at in (each.low_s, each.middle_s, each.high_s))
        label = f"half within {seconds(each.middle_s)} s"
        shapes += [
            _text("edge", 0, top + TEXT, each.label, "start"),
            _text("count", WIDTH, top + TEXT, label, "end"),
            _rect("track", 0, top + TRACK, WIDTH, THICK),
            _rect("bar", low, top + TRACK, max(MIN_BAR_HEIGHT, high - low), THICK),
            _rect("mark", min(middle, WIDTH - 3), top + TRACK - 2, 3, THICK + 4),
        ]
    return _svg(name, plot, shapes or [_line()])


def _bars_table(plot: BarsBody) -> Html:
    rows: list[tuple[str, ...]] = [(bar.label, str(bar.count)) for bar in plot.bars]
    return table(plot.title, ("Up to", plot.of.capitalize()), rows)


def _ranges_table(plot: RangesBody) -> Html:
    rows: list[tuple[str, ...]] = [
        (
            each.api_path,
            str(each.count),
            f"{seconds(each.low_s)} s",
            f"{seconds(each.middle_s)} s",
            f"{seconds(each.high_s)} s",
        )
        for each in plot.ranges
    ]
    return table(plot.title, ("API path", "Tasks", "5 % within", "Half within", "90 % within"), rows)


def seconds(value: float) -> str:
    """Format seconds, with a tenth below 10 s."""
    tenths = _near(value * 10)
    return f"{tenths // 10}.{tenths % 10}" if tenths < 100 else str(_near(value))


def _near(value: float) -> int:
    """Round half up, as JavaScript does, so that script and daemon draw the same."""
    return int(value + 0.5)


def _line() -> Html:
    return tag("path", class_="base", d=f"M0 {BASE}.5H{WIDTH}")


def _rect(kind: str, x: int, y: int, width: int, height: int) -> Html:
    return tag("rect", class_=kind, x=str(x), y=str(y), width=str(width), height=str(height))


def _text(kind: str, x: int, y: int, words: str, anchor: str) -> Html:
    return tag("text", words, class_=kind, x=str(x), y=str(y), text_anchor=anchor)
