"""Check Host, origin and token of each request, before its body is read.

These checks protect a local API from the pages in its user's browser. DNS rebinding fails at the Host, a page
of another site at its Origin. A browser that logged in (``server/sessions.py``) sends a cookie instead of a
token; a request that changes something must then show that our own page made it. Paths are compared with
``scope["path"]``, which no header can change.
"""

import functools
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from notifier.core.secret import Secret
from notifier.server.middleware import get_headers
from notifier.server.problems import ProblemError
from notifier.server.sessions import BrowserSessions

_ALWAYS_ALLOWED = ("localhost", "127.0.0.1", "::1")
# A page can name 0.0.0.0 as its host, so that a listener on all addresses allows no such name.
_WILDCARDS = ("", "0.0.0.0", "::", "*")  # noqa: S104 - compared, not bound
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{0,5})?")
# Served without a token: the health check, the login, and what the page of a problem needs.
_OPEN_PATHS = ("/healthz", "/login", "/page/style.css", "/page/icon.svg")
_COOKIE = "notifier_session"
_SAFE_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """What decides whether a request is served. ``listen`` is ``host:port`` or ``unix:/path``."""

    listen: str
    allowed_hosts: tuple[str, ...]
    tokens: tuple[Secret, ...]


class AccessMiddleware:
    """Pass on requests that the settings of this moment allow; raise ProblemError for the others."""

    def __init__(
        self, app: ASGIApp, settings: Callable[[], AccessSettings], sessions: BrowserSessions
    ) -> None:
        self._app = app
        self._settings = settings
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, then pass it on."""
        if scope["type"] == "http":
            settings = self._settings()
            host = check_host(scope, settings)
            if not is_login_link(scope):
                check_origin(scope, host)
            if settings.tokens and scope["path"] not in _OPEN_PATHS:
                check_token(scope, settings, self._sessions, host)
        await self._app(scope, receive, send)


def check_host(scope: Scope, settings: AccessSettings) -> str:
    """Return the Host header in lower case. Raise ProblemError unless there is one and it is allowed."""
    values = get_headers(scope, b"host")
    if len(values) != 1:
        raise ProblemError("wrong_host", "a request must have exactly one Host header")
    host = read_host(values)
    if parse_host_name(host) not in collect_allowed_names(settings.listen, settings.allowed_hosts):
        raise ProblemError("wrong_host", "this Host is not allowed; server.allowed_hosts can add it")
    return host


def read_host(values: Sequence[bytes]) -> str:
    """Return the value of the Host header in lower case."""
    return values[0].decode("latin-1").lower()


def parse_host_name(host: str) -> str | None:
    """Return the name in ``name:port``, an IPv6 address without brackets; None for any other text."""
    match = _HOST.fullmatch(host)
    return None if match is None else match[1] or match[2]


@functools.lru_cache(maxsize=8)
def collect_allowed_names(listen: str, allowed_hosts: tuple[str, ...]) -> frozenset[str]:
    """Collect the names that a Host header may hold. A wildcard address in ``listen`` adds no name."""
    listen = listen.lower()
    own_name = "" if listen.startswith("unix:") else listen.rpartition(":")[0]
    names = (_strip_brackets(name) for name in (own_name, *allowed_hosts))
    return frozenset((*_ALWAYS_ALLOWED, *(name for name in names if name not in _WILDCARDS)))


def check_origin(scope: Scope, host: str) -> None:
    """Raise ProblemError for a request that a page of another origin made.

    Behind a proxy that terminates TLS the origin of our page is https, which this process cannot know. The
    browser does: with ``Sec-Fetch-Site: same-origin`` https is accepted too.
    """
    sites = [site.lower() for site in get_headers(scope, b"sec-fetch-site")]
    schemes = [scope.get("scheme", "http"), *(["https"] if sites == [b"same-origin"] else [])]
    origins = [origin.decode("latin-1").lower() for origin in get_headers(scope, b"origin")]
    if origins and origins not in [[f"{scheme}://{host}"] for scheme in schemes]:
        raise ProblemError("forbidden_origin", "requests from pages of another origin are refused")
    if any(site not in (b"same-origin", b"none") for site in sites):
        raise ProblemError("forbidden_origin", "requests from pages of another site are refused")


def is_login_link(scope: Scope) -> bool:
    """Return whether a browser follows a link to the login, from a file or another site.

    ``notifier open`` hands the browser a file with the link. No other page has a code, so that its link logs
    nobody in.
    """
    is_navigation = get_headers(scope, b"sec-fetch-mode") == [b"navigate"]
    is_page = get_headers(scope, b"sec-fetch-dest") == [b"document"] and not get_headers(scope, b"origin")
    return (scope["method"], scope["path"]) == ("GET", "/login") and is_navigation and is_page


def check_token(scope: Scope, settings: AccessSettings, sessions: BrowserSessions, host: str) -> None:
    """Raise ProblemError unless the request has one of the tokens, or the cookie of a session.

    Where there is an Authorization header, it alone decides.
    """
    values = get_headers(scope, b"authorization")
    token = read_token(values, settings) if values else _read_session_token(scope, sessions, host)
    if token not in settings.tokens:
        raise ProblemError(
            "unauthorized",
            "a token of server.tokens is needed: Authorization: Bearer …; for a browser, `notifier open`",
        )


def read_token(values: Sequence[bytes], settings: AccessSettings) -> Secret | None:
    """Return the token in an Authorization header, or None if it is none of ours.

    All tokens are compared, each in constant time, so that the duration discloses nothing about them.
    """
    scheme, _, credentials = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
    matches = [hmac.compare_digest(token.reveal().encode(), credentials.strip()) for token in settings.tokens]
    if scheme.lower() != b"bearer" or not any(matches):
        return None
    return settings.tokens[matches.index(True)]


def build_cookie_name(host: str) -> str:
    """Return the cookie's name with the port in it, because browsers share cookies among ports of a host."""
    port = host.rpartition(":")[2]
    return f"{_COOKIE}_{port}" if port.isdigit() else _COOKIE


def _read_session_token(scope: Scope, sessions: BrowserSessions, host: str) -> Secret | None:
    """Return the token of the session in the cookie; None where another page could have sent the cookie."""
    if scope["method"] not in _SAFE_METHODS and not _is_from_own_page(scope):
        return None
    cookie_name = build_cookie_name(host).encode()
    pairs = [
        pair.strip().partition(b"=") for line in get_headers(scope, b"cookie") for pair in line.split(b";")
    ]
    values = [value for name, _, value in pairs if name == cookie_name]
    return sessions.find_token(values[0].decode("latin-1")) if len(values) == 1 else None


def _is_from_own_page(scope: Scope) -> bool:
    """Return whether our own page made the request. ``check_origin`` has refused other origins before."""
    is_same_origin = get_headers(scope, b"sec-fetch-site") == [b"same-origin"]
    return is_same_origin or bool(get_headers(scope, b"origin"))


def _strip_brackets(name: str) -> str:
    return name.lower().removeprefix("[").removesuffix("]")
