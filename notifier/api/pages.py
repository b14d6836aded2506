"""The calls of the page: itself, its files, and the login of a browser."""

from functools import cache
from pathlib import Path
from types import MappingProxyType

from starlette.responses import Response

from notifier.api.call import Call
from notifier.api.deliveries import newest as newest_deliveries
from notifier.api.guard import cookie_name, host_of, token_shown
from notifier.api.logins import CODE_LIFE_S, SESSION_LIFE_S
from notifier.api.overview import Overview, overview
from notifier.api.problems import Problem
from notifier.api.render import answer
from notifier.api.shapes import LoginBody
from notifier.api.system import status_body
from notifier.api.watches import newest as newest_watches
from notifier.core.instants import to_text

HTML = "text/html; charset=utf-8"
SHOWN = 25
FOLDER = Path(__file__).parent / "page"
KINDS = MappingProxyType(
    {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
)
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
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
_PLACE = "<!-- main -->"


async def page(call: Call) -> Response:
    """The page, with what there is as of now in it."""
    services = call.services
    shown = Overview(
        origin=f"http://{host_of(call.header(b'host'))}",
        now=services.clock.now(),
        status=await status_body(services),
        watches=await newest_watches(services, SHOWN),
        deliveries=await newest_deliveries(services, SHOWN),
    )
    before, _, after = _text("index.html").partition(_PLACE)
    return Response(before + overview(shown) + after, headers=dict(HEADERS), media_type=HTML)


async def file(call: Call) -> Response:
    """A file that the page needs."""
    kind = KINDS.get(Path(call.path["name"]).suffix)
    if kind is None or call.path["name"] not in _names():
        raise Problem("not_found", "the page has no such file")
    return Response(_text(call.path["name"]), headers=dict(HEADERS), media_type=kind)


async def offer_login(call: Call) -> Response:
    """Make a link that lets one browser in, once. A session cannot make another: that takes a token."""
    settings = call.services.settings()
    if not settings.tokens:
        return answer(LoginBody(path="/", expires_at=None), 201)
    token = token_shown(call.header(b"authorization"), settings)
    if token is None:
        raise Problem("unauthorized", "a login is offered to who shows one of server.tokens")
    expires_at = call.services.clock.now() + CODE_LIFE_S * 1_000
    code = call.services.logins.offer(token)
    return answer(LoginBody(path=f"/login?code={code}", expires_at=to_text(expires_at)), 201)


async def login(call: Call) -> Response:
    """Let a browser in that brings a code, and send it to the page."""
    settings = call.services.settings()
    headers = {**HEADERS, "Location": "/"}
    if settings.tokens:
        granted = call.services.logins.redeem(call.query.get("code", ""))
        if granted is None or granted[0] not in settings.tokens:
            raise Problem("unauthorized", "this link is used up or too old; `notifier open` makes a new one")
        name = cookie_name(host_of(call.header(b"host")))
        life = f"Path=/; Max-Age={SESSION_LIFE_S}; HttpOnly; SameSite=Strict"
        headers["Set-Cookie"] = f"{name}={granted[1]}; {life}"
    return Response("The page is at /\n", 303, headers, media_type="text/plain")


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir())


@cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
