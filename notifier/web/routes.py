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
        "The page for people; task leads to one by its id.",
        {
            200: _PAGE,
            303: TextResponse("text/plain", "To the page of the watch or delivery of this id", ""),
        },
        _READ,
        query=views.FILTERS,
    ),
    Route(
        "GET",
        "/watches/{id}",
        views.watch,
        "The page of one watch.",
        {200: _PAGE},
        ("not_found", *_READ),
    ),
    Route(
        "GET",
        "/deliveries/{id}",
        views.delivery,
        "The page of one delivery.",
        {200: _PAGE},
        ("not_found", *_READ),
    ),
    Route(
        "GET",
        "/page/{name}",
        views.file,
        "A file of the page.",
        {200: TextResponse("text/javascript; charset=utf-8", "Script, style or icon", "export {};\n")},
        ("not_found",),
    ),
    Route(
        "POST",
        "/v1/login",
        views.offer_login,
        "Make a link that lets one browser in, once, within a minute. Where there are tokens, needs one.",
        {201: JsonExample(schemas.LoginBody, {"path": "/login?code=5f0c…", "expires_at": NOON})},
    ),
    Route(
        "GET",
        "/login",
        views.login,
        "Let in the browser that brings a code, and send it to the page. Needs no token.",
        {303: TextResponse("text/plain", "To the page, with a cookie", "")},
        query=("code",),
    ),
)
