"""The figures as a table, in the terminal and in RESULTS.md."""

import re
from collections.abc import Mapping, Sequence

from benchmarks.figures import Figure

_HEADS = ("what", "figure", "ratio", "goal", "reached", "note")
_INTRODUCTION = """\
# Benchmark results

Written by `make bench` (`python -m benchmarks`); every figure was measured in that run. Where a row has a
ratio, it is to the limit measured in the same run, and the goal is for the ratio; the note beside a goal that
is missed says what limits it. "Cores used" says who had the processor during a load; `others` is everything
that was not part of the benchmark. Where that is much, trust CPU figures more than rates and delays.

![CPU of a poll, lateness and memory against the watches that wait](scaling.svg)

The same of what one would use instead, with a third of the polls. A line ends where its program does not take
in ten times as many waiting tasks within a minute; the rows "goes as far as" say how far it came.

![CPU of a poll, lateness and memory of notifier and its peers against the tasks that wait](scaling-peers.svg)
"""


def rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    """Return one row of text for each figure."""
    return [
        (
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            _goal(figure),
            _reached(figure),
            figure.note,
        )
        for figure in figures
    ]


def terminal(figures: Sequence[Figure]) -> str:
    """Lay the table out for a terminal; notes stand in the file only."""
    table = [_HEADS[:-1], *(row[:-1] for row in rows(figures))]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)


def markdown(figures: Sequence[Figure], facts: Mapping[str, str]) -> str:
    """Write the whole of RESULTS.md."""
    lines = [_INTRODUCTION, _markdown_row(_HEADS), _markdown_row(["---"] * len(_HEADS))]
    lines += [_markdown_row(row) for row in rows(figures)]
    lines += ["", "## Measured on", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join(lines) + "\n"


def renewed(readme: str, figures: Sequence[Figure]) -> str:
    """Give the rows of README.md that name one of the figures what was measured now; the rest stays."""
    now = {row[0]: row[1] for row in rows(figures)}

    def row(found: re.Match[str]) -> str:
        name = found[1]
        return f"| {name} | {now[name]} |" if name in now else found[0]

    return re.sub(r"^\| ([^|]+) \| [^|]+ \|$", row, readme, flags=re.M)


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    what = "" if figure.ratio is None else "ratio "
    return f"{what}{figure.goal.bound.value} {figure.goal.value:g}"


def _reached(figure: Figure) -> str:
    return {None: "", True: "yes", False: "**NO**"}[figure.is_reached]


def _number(value: float) -> str:
    if value == int(value):
        return str(int(value))
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
