"""The rules of who may import whom, and what the core may not touch, as a function over source files."""

import ast
from collections.abc import Iterator
from pathlib import Path

LAYERS = (
    ("core",),
    ("errors", "ports"),
    ("client", "config"),
    ("clock", "store", "wire"),
    ("engine",),
    ("api",),
    ("daemon",),
    ("simulator",),
    ("cli",),
    ("__main__",),
)
"""Bottom first. A module imports from its own room and from rooms further down, never sideways or up."""

EXTERNAL = {
    "httpx": {"wire/client.py"},
    "httpx_aiohttp": {"wire/client.py"},
    "aiosqlite": {"store/driver.py"},
    "apscheduler": {"engine/bells.py"},
    "prometheus_client": {"daemon/metrics.py"},
}
"""Libraries that only these files import."""

PURE = {"core"}
IMPURE_MODULES = {
    "aiohttp", "asyncio", "httpx", "io", "logging", "os", "pathlib", "random", "secrets", "socket",
    "sqlite3", "structlog", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid",
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "time", "open", "print", "input", "urandom", "random"}


def violations(package: Path) -> list[str]:
    """Every breach in the tree below ``package``, as ``file:line: what``."""
    return sorted(breach for file in package.rglob("*.py") for breach in _of_file(package, file))


def _of_file(package: Path, file: Path) -> Iterator[str]:
    where = file.relative_to(package).as_posix()
    room = where.split("/")[0].removesuffix(".py")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        line = getattr(node, "lineno", 0)
        for name in _imported(node):
            yield from (f"{where}:{line}: {what}" for what in _of_import(package.name, where, room, name))
        if room in PURE and isinstance(node, ast.Call) and (call := _called(node)) in IMPURE_CALLS:
            yield f"{where}:{line}: the core calls {call}()"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _of_import(package: str, where: str, room: str, name: str) -> Iterator[str]:
    top = name.split(".", maxsplit=1)[0]
    if top in EXTERNAL and where not in EXTERNAL[top]:
        yield f"only {', '.join(EXTERNAL[top])} imports {top}"
    if room in PURE and (name in IMPURE_MODULES or top in IMPURE_MODULES - {"urllib"}):
        yield f"the core imports {name}"
    if top == package and "." in name:
        other = name.split(".")[1]
        if _is_room(other) and other != room and _depth(other) >= _depth(room):
            yield f"{room} imports {other}, which is not below it"


def _is_room(name: str) -> bool:
    return any(name in layer for layer in LAYERS)


def _depth(room: str) -> int:
    return next((depth for depth, layer in enumerate(LAYERS) if room in layer), -1)


def _called(node: ast.Call) -> str | None:
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return None
