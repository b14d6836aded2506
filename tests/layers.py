"""The rules of who may import whom, and what the core may not touch, as a function over source files."""

import ast
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

Layers = Sequence[Collection[str]]

LAYERS: Layers = (
    ("core",),
    ("errors", "ports", "providers"),
    ("atomic_file", "byte_budget", "clock", "outbound"),
    ("client", "config"),
    ("store",),
    ("engine", "results", "server"),
    ("api", "simulator"),
    ("web",),
    ("daemon",),
    ("cli",),
    ("__main__",),
)
"""Bottom first. A module imports from its own room and from rooms further down, never sideways or up."""

CORE_LAYERS: Layers = (
    ("exchange", "secret", "ids", "nearest", "task_statistics", "formats"),
    ("causes",),
    ("model", "circuit_breaker", "images"),
    ("states",),
    ("polling", "delivery"),
    ("event_body", "timeline"),
)
"""The same within the core; the two of one level do not know each other."""

EXTERNAL = {
    "httpx": {
        "client/async_transport.py",
        *(f"outbound/{name}.py" for name in ("client", "errors", "response_body", "transport")),
    },
    "httptools": {"outbound/response_body.py", "server/protocol.py", "server/request_head.py"},
    "aiosqlite": {"store/sqlite/driver.py"},
    "apscheduler": {"engine/scheduler.py"},
    "prometheus_client": {"daemon/metrics.py"},
}
"""Libraries that only these files import."""

PURE = {"core"}
IMPURE_MODULES = {
    "asyncio", "httpx", "io", "logging", "os", "pathlib", "random", "secrets", "socket",
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
        yield f"only {', '.join(sorted(EXTERNAL[top]))} imports {top}"
    if room in PURE and (name in IMPURE_MODULES or top in IMPURE_MODULES - {"urllib"}):
        yield f"the core imports {name}"
    if top == package and "." in name:
        parts = name.split(".")
        yield from _upward(LAYERS, room, parts[1])
        if room == parts[1] == "core" and len(parts) > 2:
            yield from _upward(CORE_LAYERS, where.split("/")[1].removesuffix(".py"), parts[2])


def _upward(layers: Layers, room: str, other: str) -> Iterator[str]:
    """Tell of an import from a room that is not below; what is in no layer is no room."""
    depths = {name: depth for depth, layer in enumerate(layers) for name in layer}
    if room != other and other in depths and depths[other] >= depths.get(room, -1):
        yield f"{room} imports {other}, which is not below it"


def _called(node: ast.Call) -> str | None:
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return None
