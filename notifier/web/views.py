"""Handle requests for pages, their files, and the login of a browser."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from starlette.responses import Response

from notifier.api.deliveries import list_recent_deliveries, load_delivery_body
from notifier.api.endpoints import list_recent_endpoints
from notifier.api.json_fields import FieldErrors, describe_unknown
from notifier.api.plots import load_plots
from notifier.api.representations import json_response
from notifier.api.request import ApiRequest
from notifier.api.schemas import LoginBody, WatchBody
from notifier.api.services import Services
from notifier.api.status import load_status
from notifier.api.watches import list_recent_watches, load_timeline, load_watch_body
from notifier.core.formats.task_urls import check_task_id
from notifier.core.formats.times import format_instant
from notifier.core.formats.urls import InvalidUrl
from notifier.core.ids import DELIVERY, WATCH, is_id
from notifier.core.model import DeliveryState, WatchState
from notifier.server.access import build_cookie_name, read_host, read_token
from notifier.server.problems import ProblemError
from notifier.server.sessions import CODE_TTL_S, SESSION_TTL_S
from notifier.store.values import DeliveryQuery, WatchQuery
from notifier.web import labels
from notifier.web.detail import delivery_page, watch_page
from notifier.web.overview import OverviewData, PageFilter, overview
from notifier.web.render import FOLDER, HEADERS, HTML, render_frame

MAX_ROWS = 25  # of each list: no record of why 25
LABELS_FILE = "words.js"
KINDS = MappingProxyType(
    {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
)
FILTERS = ("watches", "deliveries", "task")


async def page(call: ApiRequest) -> Response:
    """Return the overview. A search for an id of a watch or delivery redirects to its page."""
    search = call.query.get("task", "").strip()
    for kind, folder in ((WATCH, "watches"), (DELIVERY, "deliveries")):
        if is_id(search, kind):
            return _redirect(f"/{folder}/{search}")
    page_filter = _parse_filter(call.query, search)
    services = call.services
    data = OverviewData(
        register=_registration_line(call),
        now=services.clock.now(),
        page_filter=page_filter,
        status=await load_status(services),
        watches=await _watches(services, page_filter),
        deliveries=await list_recent_deliveries(services, _delivery_query(page_filter)),
        endpoints=await list_recent_endpoints(services, MAX_ROWS),
        plots=await load_plots(services),
    )
    return render_frame("notifier", overview(data))


async def watch(call: ApiRequest) -> Response:
    """Return the page of one watch."""
    body = await load_watch_body(call)
    return render_frame(
        f"Task {body.task_id} · notifier",
        watch_page(body, await load_timeline(call), call.services.clock.now()),
    )


async def delivery(call: ApiRequest) -> Response:
    """Return the page of one delivery."""
    body = await load_delivery_body(call)
    return render_frame(f"{body.type} · notifier", delivery_page(body, call.services.clock.now()))


async def file(call: ApiRequest) -> Response:
    """Return a file of the page. One of them is generated from ``labels.py``."""
    name = call.path["name"]
    kind = KINDS.get(f".{name.rpartition('.')[2]}")
    if name == LABELS_FILE:
        text = labels.module(has_tokens=_has_tokens(call.services))
    elif kind is not None and name in _names():
        text = _text(name)
    else:
        raise ProblemError("not_found", "the page has no such file")
    return Response(text, headers=dict(HEADERS), media_type=kind)


_ENTRANCE = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><a href="/">notifier</a>\n'


async def offer_login(call: ApiRequest) -> Response:
    """Make a one-time link that lets a browser in. It needs a token: a session cannot start another."""
    access = call.services.settings().access
    if not access.tokens:
        return json_response(LoginBody(path="/", expires_at=None), 201)
    token = read_token(call.header(b"authorization"), access)
    if token is None:
        raise ProblemError("unauthorized", "a login link needs one of server.tokens: Authorization: Bearer …")
    expires_at = call.services.clock.now() + CODE_TTL_S * 1_000
    code = call.services.sessions.offer(token)
    return json_response(LoginBody(path=f"/login?code={code}", expires_at=format_instant(expires_at)), 201)


async def login(call: ApiRequest) -> Response:
    """Exchange a code for a session cookie, and lead to the page. A HEAD request uses up no code.

    A browser that comes from a file or another site gets a page. A redirect would go on as a request of that
    site, without the cookie.
    """
    access = call.services.settings().access
    is_foreign = call.header(b"sec-fetch-site") == [b"cross-site"]
    response = Response(_ENTRANCE, headers=HEADERS, media_type=HTML) if is_foreign else _redirect("/")
    if access.tokens and not call.is_head:
        grant = call.services.sessions.redeem(call.query.get("code", ""))
        if grant is None or grant[0] not in access.tokens:
            raise ProblemError(
                "unauthorized", "this link was used or has expired; `notifier open` makes a new one"
            )
        name = build_cookie_name(read_host(call.header(b"host")))
        life = f"Path=/; Max-Age={SESSION_TTL_S}; HttpOnly; SameSite=Strict"
        response.headers["Set-Cookie"] = f"{name}={grant[1]}; {life}"
    return response


def _redirect(path: str) -> Response:
    headers = {**HEADERS, "Location": path}
    return Response(f"The page is at {path}\n", 303, headers, media_type="text/plain")


def _parse_filter(params: Mapping[str, str], search: str) -> PageFilter:
    """Parse the filters in the address of the page. Raise ProblemError."""
    errors = FieldErrors()
    defaults = PageFilter()
    watches, deliveries = (params.get(name, getattr(defaults, name)) for name in FILTERS[:2])
    for name, word, states in (
        ("watches", watches, labels.WATCH_STATES),
        ("deliveries", deliveries, labels.DELIVERY_STATES),
    ):
        if word not in (labels.ALL, *states):
            errors.add(f"/{name}", describe_unknown(word, "state", (labels.ALL, *states)))
    errors.check()
    return PageFilter(watches, deliveries, search)


async def _watches(services: Services, page_filter: PageFilter) -> list[WatchBody]:
    """Load watches in the selected state, or those of the task that was searched, in any state."""
    if not page_filter.task:
        state = None if page_filter.watches == labels.ALL else WatchState(page_filter.watches)
        return await list_recent_watches(services, WatchQuery(state=state, limit=MAX_ROWS))
    try:
        return await list_recent_watches(
            services, WatchQuery(task_id=check_task_id(page_filter.task), limit=MAX_ROWS)
        )
    except InvalidUrl:
        return []  # no task can have such an id


def _delivery_query(page_filter: PageFilter) -> DeliveryQuery:
    state = None if page_filter.deliveries == labels.ALL else DeliveryState(page_filter.deliveries)
    return DeliveryQuery(state=state, limit=MAX_ROWS)


def _registration_line(call: ApiRequest) -> str:
    origin = f"http://{read_host(call.header(b'host'))}"
    return labels.registration_line(origin, has_tokens=_has_tokens(call.services))


def _has_tokens(services: Services) -> bool:
    return bool(services.settings().access.tokens)


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir())


@cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
