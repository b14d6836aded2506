"""Who may ask: the Host it names, the page it comes from, the token it shows. Judged before a body is read.

The defence of a local API against the pages in its user's browser: a rebound name fails at the Host, a page
of another site at the Origin. A browser that was let in by a code (``api/logins.py``) shows a cookie for a
token; what changes something must then say itself that it comes from our own page. Paths are compared by
``scope["path"]``, which no header can change.
"""

import functools
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from notifier.core.secret import Secret
from notifier.server.middleware import request_headers
from notifier.server.problems import ProblemError
from notifier.server.sessions import BrowserSessions

_ALWAYS_ALLOWED = ("localhost", "127.0.0.1", "::1")
_WILDCARDS = ("", "0.0.0.0", "::", "*")  # noqa: S104 - compared, not bound; pages can name 0.0.0.0 as a host
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{0,5})?")
_OPEN_PATHS = ("/healthz", "/login", "/page/style.css", "/page/icon.svg")  # a refusal is to be readable
_COOKIE = "notifier_session"
_HARMLESS = ("GET", "HEAD")


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
        """Judge one request, then pass it on."""
        if scope["type"] == "http":
            settings = self._settings()
            host = check_host(scope, settings)
            check_origin(scope, host)
            if settings.tokens and scope["path"] not in _OPEN_PATHS:
                check_token(scope, settings, self._sessions, host)
        await self._app(scope, receive, send)


def check_host(scope: Scope, settings: AccessSettings) -> str:
    """Return the Host header in lower case; raises Problem unless there is one, and allowed."""
    given = request_headers(scope, b"host")
    if len(given) != 1:
        raise ProblemError("wrong_host", "a request names exactly one Host")
    host = request_host(given)
    if host_name(host) not in allowed_names(settings.listen, settings.allowed_hosts):
        raise ProblemError("wrong_host", "this Host is not served here; server.allowed_hosts can add it")
    return host


def request_host(given: Sequence[bytes]) -> str:
    """The Host header, in lower case, of a request that names one."""
    return given[0].decode("latin-1").lower()


def host_name(host: str) -> str | None:
    """The name in ``name:port``, IPv6 addresses without their brackets; None when it is none."""
    found = _HOST.fullmatch(host)
    return None if found is None else found[1] or found[2]


@functools.lru_cache(maxsize=8)
def allowed_names(listen: str, allowed_hosts: tuple[str, ...]) -> frozenset[str]:
    """All names that a Host header may hold. Where we listen everywhere, that gives no name."""
    listen = listen.lower()
    listening = "" if listen.startswith("unix:") else listen.rpartition(":")[0]
    further = (_bare(name) for name in (listening, *allowed_hosts))
    return frozenset((*_ALWAYS_ALLOWED, *(name for name in further if name not in _WILDCARDS)))


def check_origin(scope: Scope, host: str) -> None:
    """Raise Problem for a request that a page of another origin made.

    Where a proxy speaks TLS for us, our page's origin is https. We cannot know that, but the browser does: it
    is believed if it says that the page asks where it came from.
    """
    sites = [site.lower() for site in request_headers(scope, b"sec-fetch-site")]
    schemes = [scope.get("scheme", "http"), *(["https"] if sites == [b"same-origin"] else [])]
    origins = [origin.decode("latin-1").lower() for origin in request_headers(scope, b"origin")]
    if origins and origins not in [[f"{scheme}://{host}"] for scheme in schemes]:
        raise ProblemError("forbidden_origin", "requests of pages of another origin are not served")
    if any(site not in (b"same-origin", b"none") for site in sites):
        raise ProblemError("forbidden_origin", "requests that another site's page caused are not served")


def check_token(scope: Scope, settings: AccessSettings, logins: BrowserSessions, host: str) -> None:
    """Raise Problem unless one of the tokens is shown, or the cookie of a browser that one let in.

    Who shows a token is judged by it alone.
    """
    shown = request_headers(scope, b"authorization")
    token = read_token(shown, settings) if shown else _token_of_browser(scope, logins, host)
    if token not in settings.tokens:
        raise ProblemError(
            "unauthorized",
            "one of server.tokens is needed: Authorization: Bearer …; for a browser, `notifier open`",
        )


def read_token(given: Sequence[bytes], settings: AccessSettings) -> Secret | None:
    """Return the token in an Authorization header. Each is compared, so that time tells nothing."""
    scheme, _, shown = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    matches = [hmac.compare_digest(token.reveal().encode(), shown.strip()) for token in settings.tokens]
    if scheme.lower() != b"bearer" or not any(matches):
        return None
    return settings.tokens[matches.index(True)]


def cookie_name(host: str) -> str:
    """Return the name of the cookie: cookies know no ports, and there may be a daemon on another one."""
    port = host.rpartition(":")[2]
    return f"{_COOKIE}_{port}" if port.isdigit() else _COOKIE


def _token_of_browser(scope: Scope, logins: BrowserSessions, host: str) -> Secret | None:
    """The token behind the cookie. A change must come from our page: an Origin is our own by now."""
    is_own = bool(request_headers(scope, b"origin")) or request_headers(scope, b"sec-fetch-site") == [
        b"same-origin"
    ]
    if scope["method"] not in _HARMLESS and not is_own:
        return None
    wanted = cookie_name(host).encode()
    pairs = [
        pair.strip().partition(b"=")
        for line in request_headers(scope, b"cookie")
        for pair in line.split(b";")
    ]
    sessions = [value for name, _, value in pairs if name == wanted]
    return logins.token_of(sessions[0].decode("latin-1")) if len(sessions) == 1 else None


def _bare(name: str) -> str:
    return name.lower().removeprefix("[").removesuffix("]")
