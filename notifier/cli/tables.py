"""Tables that fit the terminal."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from notifier.cli.output import GAP, colour_state, count_columns, escape, pad, shorten, width


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. ``at_least`` is how far it may be cut; 0 means never.

    A column that would have to be cut further is left out: tables show the most important columns first.
    What is to be read ``whole`` goes below its row instead, onto lines of its own.
    """

    title: str
    at_least: int = 0
    whole: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines that fit the terminal, the first one the titles; words of state in their colour.

    A column with nothing in it is left out.
    """
    filled = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    columns = [columns[place] for place in filled]
    cells = [[escape(row[place]) for place in filled] for row in rows]
    wanted = [
        max(count_columns(text) for text in (column.title, *(row[place] for row in cells)))
        for place, column in enumerate(columns)
    ]
    below = _below(columns, wanted)
    places = [place for place in range(len(columns)) if place not in below]
    sizes = fit([columns[place] for place in places], [wanted[place] for place in places], width())
    yield _line([columns[place].title for place in places], sizes)
    for row in cells:
        yield _line([row[place] for place in places], sizes)
        yield from (GAP + line for place in below if row[place] for line in _whole(row[place]))


def _below(columns: Sequence[Column], wanted: Sequence[int]) -> list[int]:
    """The places of those that have no room in the row and are to be read whole: the last ones go first."""
    within = list(range(len(columns)))
    while True:
        sizes = fit([columns[place] for place in within], [wanted[place] for place in within], width())
        sizes += [0] * (len(within) - len(sizes))
        cut = [
            place
            for place, size in zip(within, sizes, strict=True)
            if columns[place].whole and size < wanted[place]
        ]
        if not cut or len(within) == 1:
            return [place for place in range(len(columns)) if place not in within]
        within.remove(cut[-1])


def _whole(text: str) -> list[str]:
    """Lines that hold all of a text: broken between words, never within a URL."""
    size = max(20, width() - len(GAP))
    return textwrap.wrap(text, size, break_on_hyphens=False, break_long_words=False)


def fit(columns: Sequence[Column], wanted: Sequence[int], total: int) -> list[int]:
    """Share ``total`` among the columns, from the left; later ones may be left out."""
    least = [min(column.at_least or want, want) for column, want in zip(columns, wanted, strict=True)]
    count = len(columns)
    while count > 1 and sum(least[:count]) + len(GAP) * (count - 1) > total:
        count -= 1
    spare = total - sum(least[:count]) - len(GAP) * (count - 1)
    sizes = []
    for low, want in zip(least[:count], wanted[:count], strict=True):
        size = max(1, min(want, low + spare))
        spare -= size - low
        sizes.append(size)
    return sizes


def _line(cells: Sequence[str], sizes: Sequence[int]) -> str:
    shown = [colour_state(pad(shorten(text, size), size)) for text, size in zip(cells, sizes, strict=False)]
    return GAP.join(shown).rstrip()
