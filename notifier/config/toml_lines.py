"""Find the line of each key in a TOML text, for error messages.

``tomllib`` does not report lines, and a grammar of our own could differ from it. Therefore ``tomllib`` parses
ever longer runs of lines. The shortest valid run is one statement, because no statement is valid without its
last line. This happens only when there is an error to report.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

KeyPath = tuple[str, ...]

_BUDGET_CHARS = 1_000_000  # a statement of n lines is parsed n times; beyond this errors have no line


def map_lines(text: str) -> dict[KeyPath, int]:
    """Map each table and key of a valid TOML text to the first line of its first statement."""
    lines_by_path: dict[KeyPath, int] = {}
    header: KeyPath = ()
    for line, statement, content in _statements(text):
        if statement.lstrip().startswith("["):
            header = _header_path(content)
            paths: Iterator[KeyPath] = iter([header])
        else:
            paths = _paths(content, header)
        for path in paths:
            lines_by_path.setdefault(path, line)
    return lines_by_path


def find_line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Return the line of a key, or of the nearest table around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    lines = text.replace("\r\n", "\n").split("\n")
    first, budget = 0, _BUDGET_CHARS
    for last in range(len(lines)):
        statement = "\n".join(lines[first : last + 1])
        budget -= len(statement)
        if budget < 0:
            return
        try:
            content = tomllib.loads(statement)
        except ValueError:
            continue
        yield first + 1, statement, content
        first = last + 1


def _header_path(content: object) -> KeyPath:
    path: KeyPath = ()
    while content:
        if isinstance(content, list):  # [[name]]
            content = content[0]
        elif isinstance(content, dict):
            [(name, content)] = content.items()
            path = (*path, name)
    return path


def _paths(table: Mapping[str, Any], around: KeyPath) -> Iterator[KeyPath]:
    for name, value in table.items():
        path = (*around, name)
        yield path
        if isinstance(value, dict):
            yield from _paths(value, path)
