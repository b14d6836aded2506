"""Render the frame of every page, with headers that restrict what it may load."""

from functools import cache
from pathlib import Path
from types import MappingProxyType

from starlette.responses import Response
from starlette.types import Scope

from notifier import __version__
from notifier.server.middleware import get_headers
from notifier.server.problems import KINDS, ProblemError, problem_to_response
from notifier.web.filters import Html, join, tag

HTML = "text/html; charset=utf-8"
FOLDER = Path(__file__).parent / "static"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
)
SCRIPT = Html('<script type="module" src="/page/app.js"></script>')


def render_frame(title: str, main: Html, *, status: int = 200, has_script: bool = True) -> Response:
    """Return a response with a page."""
    script = SCRIPT if has_script else Html("")
    parts = {"title": join(title), "script": script, "version": join(__version__), "main": main}
    text = _frame()
    for name, part in parts.items():
        before, _, after = text.partition(f"<!-- {name} -->")
        text = before + part + after
    return Response(text, status, headers=dict(HEADERS), media_type=HTML)


def render_problem(scope: Scope, problem: ProblemError) -> Response:
    """Render a problem as a page where a browser requests one of the pages, as JSON for programs."""
    return problem_page(problem) if _is_page_request(scope) else problem_to_response(problem)


def _is_page_request(scope: Scope) -> bool:
    """Return whether a browser requests a page. Programs accept no HTML or request other paths."""
    path: str = scope["path"]
    is_page = path in ("/", "/login") or path.startswith(("/watches/", "/deliveries/"))
    return is_page and any(b"text/html" in each for each in get_headers(scope, b"accept"))


def problem_page(problem: ProblemError) -> Response:
    """Render a problem as a page, without scripts, because the API may refuse their requests too."""
    kind = KINDS[problem.code]
    main = join(
        tag("h1", kind.title),
        tag("p", problem.detail, class_="summary ill"),
        tag("p", tag("a", "All watches", href="/")),
    )
    answer = render_frame(kind.title, main, status=problem.status, has_script=False)
    answer.headers.update(problem.headers)
    return answer


@cache
def _frame() -> str:
    return (FOLDER / "index.html").read_text(encoding="utf-8")
