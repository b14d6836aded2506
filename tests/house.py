"""Measures of the code that CONTRIBUTING.md sets limits to: names, constants, imports, sizes, prose."""

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

PRIVATE_WORDS = frozenset({
    "bell", "bells", "chance", "complaint", "crew", "dialect", "dispatch", "draft", "fault", "faults",
    "habit", "habits", "herald", "hub", "lane", "lanes", "lives", "mint", "ring", "rings", "sketch", "slip",
    "slips", "standing", "told", "trip", "turn", "turns", "twin", "vault", "wire",
})  # fmt: skip
"""Words of a private language; the field's terms are in CONTRIBUTING.md and docs/GLOSSARY.md."""

PARTICIPLES = frozenset(
    ["found", "given", "kept", "known", "made", "said", "shown", "taken", "told", "wanted"]
)
"""Participles that named values; a value is named after what it is."""

BANNED = PRIVATE_WORDS | PARTICIPLES
TWINS = frozenset({"Watch", "Delivery", "Event", "Callback", "TaskError"})
"""A value of the core and its public twin in ``notifier.client``."""

PRESCRIBED = frozenset({"connection_made", "Fault", "NotFound"})
"""A method that asyncio names, and names that ``notifier.client`` exports; programs import these."""

NO_VERBS = frozenset({
    "a", "all", "an", "at", "each", "every", "how", "it", "its", "no", "nothing", "one", "only", "the",
    "what", "when", "where", "whether", "which", "who", "why",
})  # fmt: skip
"""First words of docstrings that name a thing, instead of saying what the function does."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@functools.cache
def sources(package: Path) -> Mapping[Path, ast.Module]:
    """Parse every Python file of the package."""
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(package.rglob("*.py"))}


def classes_named_twice(package: Path) -> dict[str, int]:
    """Count the definitions of each public class name that is defined more than once."""
    names = Counter(
        node.name
        for tree in sources(package).values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return {name: count for name, count in names.items() if count > 1}


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield each name that is bound in the tree: classes, functions, arguments, variables, fields."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case (
                ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield name
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


def words_of(identifier: str) -> list[str]:
    """Split an identifier into its words, in lower case."""
    return [word.lower() for word in _WORD.findall(identifier)]


def banned_words(package: Path) -> list[str]:
    """List each bound identifier that holds a banned word, as ``file: identifier``."""
    return sorted(
        f"{file.relative_to(package).as_posix()}: {name}"
        for file, tree in sources(package).items()
        for name in identifiers(tree)
        if name not in PRESCRIBED and BANNED.intersection(words_of(name))
    )


def constants_without_reason(package: Path) -> list[str]:
    """List each numeric module constant with neither a comment nor a docstring beside it."""
    return sorted(
        f"{file.relative_to(package).as_posix()}:{line}"
        for file, tree in sources(package).items()
        for line in _bare_constants(tree, file.read_text(encoding="utf-8").splitlines())
    )


def _bare_constants(tree: ast.Module, lines: list[str]) -> Iterator[int]:
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if not (isinstance(node, ast.Assign | ast.AnnAssign) and _is_numeric(node.value) and _is_upper(node)):
            continue
        end = node.end_lineno or node.lineno
        has_docstring = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        is_explained = any("#" in line for line in lines[node.lineno - 1 : end])
        if not (has_docstring or is_explained or lines[node.lineno - 2].lstrip().startswith("#")):
            yield node.lineno


def _is_upper(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(isinstance(each, ast.Name) and each.id.isupper() for each in targets)


def _is_numeric(value: ast.expr | None) -> bool:
    """Whether the value is made of numbers alone, such as ``4 << 20`` or ``(1_000, 4_000)``."""
    leaves = (
        []
        if value is None
        else [each for each in ast.walk(value) if isinstance(each, ast.Constant | ast.Name)]
    )
    numbers = [
        each for each in leaves if isinstance(each, ast.Constant) and isinstance(each.value, int | float)
    ]
    return (
        bool(numbers) and len(numbers) == len(leaves) and not any(isinstance(n.value, bool) for n in numbers)
    )


def docstrings_without_verb(package: Path) -> list[str]:
    """List each function whose docstring begins with no verb: ruff's D401 passes over many nouns."""
    return sorted(
        f"{file.relative_to(package).as_posix()}: {node.name}"
        for file, tree in sources(package).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_property(node)
        if (ast.get_docstring(node) or "Do").split()[0].lower().strip(",.:") in NO_VERBS
    )


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether the function is a property, whose docstring names a value as that of a field does."""
    return any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list)


def matches_on_prose(package: Path) -> list[str]:
    """List each comparison of a text with a literal of several words: decisions by what a sentence says."""
    return sorted(
        f"{file.relative_to(package).as_posix()}:{node.lineno}"
        for file, tree in sources(package).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare | ast.Call) and any(map(_is_prose, _compared(node)))
    )


def _compared(node: ast.Compare | ast.Call) -> list[ast.expr]:
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    is_search = isinstance(node.func, ast.Attribute) and node.func.attr in {"startswith", "endswith", "find"}
    return node.args if is_search else []


def _is_prose(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and bool(re.search(r"[a-z]{2,} [a-z]{2,}", value.value))
    )


def imports(package: Path) -> dict[str, set[str]]:
    """Map each module of the package to the modules of the package that it imports."""
    trees = sources(package)
    names = {_module(package, file): file for file in trees}
    graph: dict[str, set[str]] = {}
    for module, file in names.items():
        targets = {target for node in ast.walk(trees[file]) for target in _targets(node, set(names))}
        graph[module] = targets - {module}
    return graph


def _module(package: Path, file: Path) -> str:
    parts = (package.name, *file.relative_to(package).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def _targets(node: ast.AST, modules: set[str]) -> Iterator[str]:
    """Yield the modules that a statement imports; of ``from package import module`` the module alone."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            target = f"{node.module}.{alias.name}"
            if target in modules or node.module in modules:
                yield target if target in modules else node.module


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """List the modules that import each other, each group once."""
    reach = {module: _reachable(graph, module) for module in graph}
    groups = {
        tuple(sorted({module, *(each for each in reach[module] if module in reach[each])}))
        for module in graph
        if module in reach[module]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for each in graph[waiting.pop()] - seen:
            seen.add(each)
            waiting.append(each)
    return seen


def longest_chain(graph: Mapping[str, set[str]]) -> int:
    """Count the modules of the longest chain of imports; the graph has no cycle."""
    lengths: dict[str, int] = {}

    def length(module: str) -> int:
        if module not in lengths:
            lengths[module] = 1 + max((length(each) for each in graph[module]), default=0)
        return lengths[module]

    return max(map(length, graph))


def longest_file(package: Path) -> int:
    """Count the lines of the longest Python file."""
    return max(len(file.read_text(encoding="utf-8").splitlines()) for file in package.rglob("*.py"))


def lines(package: Path) -> int:
    """Count the lines of all Python files."""
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in package.rglob("*.py"))


def measure(package: Path) -> dict[str, int]:
    """Count all measures; each may only fall (``tests/test_house.py``)."""
    return {
        "class names used twice": len(classes_named_twice(package)),
        "identifiers with a banned word": len(banned_words(package)),
        "numeric constants without a reason": len(constants_without_reason(package)),
        "matches on prose": len(matches_on_prose(package)),
        "docstrings without a verb": len(docstrings_without_verb(package)),
        "lines of the longest file": longest_file(package),
        "longest chain of imports": longest_chain(imports(package)),
    }
