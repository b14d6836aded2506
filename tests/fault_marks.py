"""Which test shows which row of the fault matrix, or what is done against which threat.

``@pytest.mark.fault(64, …)`` and ``@pytest.mark.threat(7, …)`` above it say so.

Read from the sources, so that nothing need be imported or run.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Some issues added faults in blocks of their own: the host has 130 to 149, addresses 160 to 169.
ROWS = {"fault": (*range(1, 119), *range(130, 145), *range(160, 164)), "threat": (*range(1, 22),)}
_IDLE = ("skip", "xfail")


@dataclass(frozen=True, slots=True)
class Mark:
    """A row of ``kind``, the test that shows it (as pytest is told to run it), and the rule it states."""

    kind: str
    row: int
    test: str
    rule: str


def marks(folder: Path) -> list[Mark]:
    """Every mark in the tests below ``folder``, by row."""
    found = [mark for file in folder.rglob("test_*.py") for mark in _of_file(folder, file)]
    return sorted(found, key=lambda mark: (mark.kind, mark.row, mark.test))


def breaches(folder: Path) -> list[str]:
    """Every mark that shows nothing, as ``file:line: why``."""
    return sorted(breach for file in folder.rglob("*.py") for breach in _breaches(folder, file))


def _of_file(folder: Path, file: Path) -> Iterator[Mark]:
    where = file.relative_to(folder.parent).as_posix()
    for test in _tests(_parsed(file)):
        rule = (ast.get_docstring(test) or "").split("\n", maxsplit=1)[0]
        for call in test.decorator_list:
            if kind := _kind(call):
                yield from (Mark(kind, row, f"{where}::{test.name}", rule) for row in _rows(call))


def _breaches(folder: Path, file: Path) -> Iterator[str]:
    where, tree = file.relative_to(folder.parent).as_posix(), _parsed(file)
    tests = list(_tests(tree)) if file.name.startswith("test_") else []
    above = {id(mark): test for test in tests for mark in test.decorator_list}
    for node in ast.walk(tree):
        if (kind := _kind(node)) is None:
            continue
        test = above.get(id(node))
        if test is None:
            yield f"{where}:{_line(node)}: a mark stands above a test and nowhere else"
        elif any(word in ast.unparse(other) for other in test.decorator_list for word in _IDLE):
            yield f"{where}:{_line(node)}: a test that need not pass shows nothing"
        elif ast.get_docstring(test) is None:
            yield f"{where}:{_line(node)}: a test that shows something says in its docstring what"
        elif not (rows := _rows(node)) or not set(rows) <= set(ROWS[kind]):
            first, last = ROWS[kind][0], ROWS[kind][-1]
            yield f"{where}:{_line(node)}: a mark names rows from {first} to {last}, as plain numbers"


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _tests(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def _kind(node: ast.AST) -> str | None:
    """What a mark is of; None where it is no mark of ours."""
    if not isinstance(node, ast.Call):
        return None
    name = ast.unparse(node.func)
    return next((kind for kind in ROWS if name == f"pytest.mark.{kind}"), None)


def _rows(call: ast.AST) -> list[int]:
    """The numbers of a mark; none when one of them is no plain number."""
    assert isinstance(call, ast.Call)
    rows = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and type(arg.value) is int]
    return rows if len(rows) == len(call.args) and not call.keywords else []


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)
