"""`make docs`: writes docs/FAULTS.md from the rows in tests/matrix/ and from the marks above the tests."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fault_marks import Mark, marks

TESTS = Path(__file__).parent
MATRIX = TESTS / "matrix"
PAGE = TESTS.parent / "docs" / "FAULTS.md"

_HEAD = """# Faults and threats, each with its test

What may go wrong, what notifier does then, and the test that shows it. `make docs` writes this page from
`tests/matrix/` and from the marks above the tests. A test fails when the page is out of date, or when a row
has neither a test nor a reason.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A fault or a threat, what is to happen, and why no test shows it where none does."""

    number: int
    part: str
    what: str
    then: str
    why_not: str = ""


def rows(kind: str) -> list[Row]:
    """The rows of ``fault`` or ``threat``, in order."""
    with (MATRIX / f"{kind}s.toml").open("rb") as file:
        parts = tomllib.load(file)
    return [
        Row(int(number), part, **row) for part, of_part in parts.items() for number, row in of_part.items()
    ]


def page() -> str:
    """The whole page."""
    found = marks(TESTS)
    return "\n".join([_HEAD, *_numbers(), *_faults(found), *_threats(found), ""])


def _numbers() -> Iterator[str]:
    with (MATRIX / "numbers.toml").open("rb") as file:
        runs = tomllib.load(file)["run"]
    yield "## Numbers\n"
    yield "Each row is one run. The command repeats it.\n"
    yield "| what | extent | result | command |\n|---|---|---|---|"
    for run in runs:
        yield f"| {run['what']} | {run['tried']} | {run['found']} | `{run['command']}` |"
    yield ""


def _faults(found: Iterable[Mark]) -> Iterator[str]:
    yield "## The fault matrix\n"
    yield from _table("fault", "what happens", found)


def _threats(found: Iterable[Mark]) -> Iterator[str]:
    yield "## Threats\n"
    yield "Attackers: pages in the user's browser, other users, receivers, providers, clients.\n"
    yield from _table("threat", "what notifier does", found)


def _table(kind: str, then: str, found: Iterable[Mark]) -> Iterator[str]:
    shown = [mark for mark in found if mark.kind == kind]
    part = None
    for row in rows(kind):
        if row.part != part:
            part = row.part
            yield f"### {part}\n\n| # | {kind} | {then} | shown by |\n|---|---|---|---|"
        tests = [_link(mark) for mark in shown if mark.row == row.number]
        proof = "<br>".join(tests + ([row.why_not] if row.why_not else []))
        yield f"| {row.number} | {row.what} | {row.then} | {proof} |"
        if row.number == _last(kind, part):
            yield ""


def _last(kind: str, part: str) -> int:
    return max(row.number for row in rows(kind) if row.part == part)


def _link(mark: Mark) -> str:
    file, _, name = mark.test.partition("::")
    words = name.removeprefix("test_").replace("_", " ")
    return f"[{words}](../{file})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
