"""Who may ask: the Host it names, the page it comes from, the token it shows. Judged before a body is read.

The defence of a local API against the pages in its user's browser: a rebound name fails at the Host, a page
of another site at the Origin. Paths are compared by ``scope["path"]``, which no header can change.
"""

import functools
import hmac
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from notifier.api.envelope import headers_of
from notifier.api.problems import Problem
from notifier.api.services import ApiSettings, Services

_ALWAYS_ALLOWED = ("localhost", "127.0.0.1", "::1")
_WILDCARDS = ("", "0.0.0.0", "::", "*")  # noqa: S104 - compared, not bound; pages can name 0.0.0.0 as a host
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{0,5})?")
_OPEN_PATHS = ("/healthz",)


class Guard:
    """Lets through what the settings of this moment allow; raises Problem."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request, then pass it on."""
        if scope["type"] == "http":
            settings = self._services.settings()
            host = check_host(scope, settings)
            check_origin(scope, host)
            if settings.tokens and scope["path"] not in _OPEN_PATHS:
                check_token(scope, settings)
        await self._app(scope, receive, send)


def check_host(scope: Scope, settings: ApiSettings) -> str:
    """Return the Host header in lower case; raises Problem unless there is one, and allowed."""
    given = headers_of(scope, b"host")
    if len(given) != 1:
        raise Problem("wrong_host", "a request names exactly one Host")
    host = given[0].decode("latin-1").lower()
    if name_of(host) not in allowed_names(settings.listen, settings.allowed_hosts):
        raise Problem("wrong_host", "this Host is not served here; server.allowed_hosts can add it")
    return host


def name_of(host: str) -> str | None:
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
    """Raise Problem for a request that a page of another origin made."""
    own = f"{scope.get('scheme', 'http')}://{host}"
    origins = [origin.decode("latin-1").lower() for origin in headers_of(scope, b"origin")]
    if origins not in ([], [own]):
        raise Problem("forbidden_origin", "requests of pages of another origin are not served")
    sites = headers_of(scope, b"sec-fetch-site")
    if any(site.lower() not in (b"same-origin", b"none") for site in sites):
        raise Problem("forbidden_origin", "requests that another site's page caused are not served")


def check_token(scope: Scope, settings: ApiSettings) -> None:
    """Raise Problem unless one of the tokens is shown. Each is compared, so that time tells nothing."""
    given = headers_of(scope, b"authorization")
    scheme, _, shown = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    matches = [hmac.compare_digest(token.reveal().encode(), shown.strip()) for token in settings.tokens]
    if scheme.lower() != b"bearer" or not any(matches):
        raise Problem(
            "unauthorized",
            "one of server.tokens is needed: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _bare(name: str) -> str:
    return name.lower().removeprefix("[").removesuffix("]")
