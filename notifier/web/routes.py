"""All operations of the page. The daemon serves them beside those of the JSON API."""

from collections.abc import Sequence

from notifier.api import schemas
from notifier.api.examples import NOON
from notifier.api.request import JsonExample, Route, TextResponse
from notifier.web import views
from notifier.web.render import HTML

_PAGE = TextResponse(HTML, "The page", "<!doctype html>\n")
_READ = ("store_unavailable",)

WEB_ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/",
        views.page,
        "Return the page. task searches a task by its id, or a watch or delivery by its id.",
        {
            200: _PAGE,
            303: TextResponse("text/plain", "Redirect to the page of the watch or delivery with this id", ""),
        },
        _READ,
        query=views.FILTERS,
    ),
    Route(
        "GET",
        "/watches/{id}",
        views.watch,
        "Return the page of one watch.",
        {200: _PAGE},
        ("not_found", *_READ),
    ),
    Route(
        "GET",
        "/deliveries/{id}",
        views.delivery,
        "Return the page of one delivery.",
        {200: _PAGE},
        ("not_found", *_READ),
    ),
    Route(
        "GET",
        "/page/{name}",
        views.file,
        "Return a file of the page.",
        {200: TextResponse("text/javascript; charset=utf-8", "Script, style or icon", "export {};\n")},
        ("not_found",),
    ),
    Route(
        "POST",
        "/v1/login",
        views.offer_login,
        "Make a link that lets a browser in once, within a minute. Needs a token if tokens are configured.",
        {201: JsonExample(schemas.LoginBody, {"path": "/login?code=5f0c…", "expires_at": NOON})},
    ),
    Route(
        "GET",
        "/login",
        views.login,
        "Exchange a code for a session cookie, and redirect to the page. Needs no token.",
        {
            200: TextResponse(
                HTML, "A page that leads to the page, for a link in a file", "<!doctype html>\n"
            ),
            303: TextResponse("text/plain", "Redirect to the page, with a session cookie", ""),
        },
        query=("code",),
    ),
)
