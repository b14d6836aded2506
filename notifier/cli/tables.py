"""Format tables for the width of the terminal."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from notifier.cli.output import (
    GAP,
    MIN_TEXT_COLUMNS,
    colour_state,
    count_columns,
    escape,
    measure_stdout,
    pad,
    shorten,
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. It may be cut to ``min_size`` columns of the terminal; 0 means never.

    A column that would have to be cut further is omitted, the last ones first. A column that ``is_wrapped``
    is neither cut nor omitted: its text is printed below the row.
    """

    title: str
    min_size: int = 0
    is_wrapped: bool = False


def format_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Format the titles and rows, with states in their colours. Omit a column that is empty in all rows."""
    used = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    columns = [columns[index] for index in used]
    cells = [[escape(row[index]) for index in used] for row in rows]
    desired = [
        max(count_columns(text) for text in (column.title, *(row[index] for row in cells)))
        for index, column in enumerate(columns)
    ]
    wrapped = _find_wrapped(columns, desired)
    indexes = [index for index in range(len(columns)) if index not in wrapped]
    sizes = fit_columns(
        [columns[index] for index in indexes], [desired[index] for index in indexes], measure_stdout()
    )
    yield _format_line([columns[index].title for index in indexes], sizes)
    for row in cells:
        yield _format_line([row[index] for index in indexes], sizes)
        yield from (GAP + line for index in wrapped if row[index] for line in _wrap(row[index]))


def _find_wrapped(columns: Sequence[Column], desired: Sequence[int]) -> list[int]:
    """Return the indexes of the wrapped columns that do not fit the row. The last ones are moved first."""
    inline = list(range(len(columns)))
    while True:
        sizes = fit_columns(
            [columns[index] for index in inline], [desired[index] for index in inline], measure_stdout()
        )
        sizes += [0] * (len(inline) - len(sizes))
        cut = [
            index
            for index, size in zip(inline, sizes, strict=True)
            if columns[index].is_wrapped and size < desired[index]
        ]
        if not cut or len(inline) == 1:
            return [index for index in range(len(columns)) if index not in inline]
        inline.remove(cut[-1])


def _wrap(text: str) -> list[str]:
    """Break a text between words, never within a URL."""
    size = max(MIN_TEXT_COLUMNS, measure_stdout() - len(GAP))
    return textwrap.wrap(text, size, break_on_hyphens=False, break_long_words=False)


def fit_columns(columns: Sequence[Column], desired: Sequence[int], available: int) -> list[int]:
    """Divide ``available`` among the columns from the left. The last ones may get nothing."""
    minimums = [
        min(column.min_size or desired_size, desired_size)
        for column, desired_size in zip(columns, desired, strict=True)
    ]
    count = len(columns)
    while count > 1 and sum(minimums[:count]) + len(GAP) * (count - 1) > available:
        count -= 1
    free = available - sum(minimums[:count]) - len(GAP) * (count - 1)
    sizes = []
    for minimum, desired_size in zip(minimums[:count], desired[:count], strict=True):
        size = max(1, min(desired_size, minimum + free))
        free -= size - minimum
        sizes.append(size)
    return sizes


def _format_line(cells: Sequence[str], sizes: Sequence[int]) -> str:
    padded = [colour_state(pad(shorten(text, size), size)) for text, size in zip(cells, sizes, strict=False)]
    return GAP.join(padded).rstrip()
