"""Which test shows which row of the fault matrix: the ``@pytest.mark.fault(64, …)`` above it says so.

Read from the sources, so that nothing need be imported or run.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROWS = range(1, 99)
_IDLE = ("skip", "xfail")


@dataclass(frozen=True, slots=True)
class Mark:
    """A row, the test that shows it (as pytest would be told to run it), and the rule in its docstring."""

    row: int
    test: str
    rule: str


def marks(folder: Path) -> list[Mark]:
    """Every mark in the tests below ``folder``, by row."""
    found = [mark for file in folder.rglob("test_*.py") for mark in _of_file(folder, file)]
    return sorted(found, key=lambda mark: (mark.row, mark.test))


def breaches(folder: Path) -> list[str]:
    """Every mark that shows nothing, as ``file:line: why``."""
    return sorted(breach for file in folder.rglob("*.py") for breach in _breaches(folder, file))


def _of_file(folder: Path, file: Path) -> Iterator[Mark]:
    where = file.relative_to(folder.parent).as_posix()
    for test in _tests(_parsed(file)):
        rule = (ast.get_docstring(test) or "").split("\n", maxsplit=1)[0]
        for call in filter(_is_fault, test.decorator_list):
            yield from (Mark(row, f"{where}::{test.name}", rule) for row in _rows(call))


def _breaches(folder: Path, file: Path) -> Iterator[str]:
    where, tree = file.relative_to(folder.parent).as_posix(), _parsed(file)
    tests = list(_tests(tree)) if file.name.startswith("test_") else []
    above = {id(mark): test for test in tests for mark in test.decorator_list}
    for node in filter(_is_fault, ast.walk(tree)):
        test = above.get(id(node))
        if test is None:
            yield f"{where}:{_line(node)}: a mark stands above a test and nowhere else"
        elif any(word in ast.unparse(other) for other in test.decorator_list for word in _IDLE):
            yield f"{where}:{_line(node)}: a test that need not pass shows nothing"
        elif ast.get_docstring(test) is None:
            yield f"{where}:{_line(node)}: a test that shows something says in its docstring what"
        elif not (rows := _rows(node)) or not set(rows) <= set(ROWS):
            yield f"{where}:{_line(node)}: a mark names rows from {ROWS[0]} to {ROWS[-1]}, as plain numbers"


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _tests(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def _is_fault(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault"


def _rows(call: ast.AST) -> list[int]:
    """The numbers of a mark; none when one of them is no plain number."""
    assert isinstance(call, ast.Call)
    rows = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and type(arg.value) is int]
    return rows if len(rows) == len(call.args) and not call.keywords else []


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)
