"""The calls of the page: itself, its files, and the login of a browser."""

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
from notifier.core.formats.times import format_instant
from notifier.core.formats.urls import InvalidUrl, check_task_id
from notifier.core.ids import DELIVERY, WATCH, is_id
from notifier.core.model import DeliveryState, WatchState
from notifier.server.access import build_cookie_name, read_host, read_token
from notifier.server.problems import ProblemError
from notifier.server.sessions import CODE_TTL_S, SESSION_TTL_S
from notifier.store.values import DeliveryQuery, WatchQuery
from notifier.web import labels
from notifier.web.detail import delivery_page, watch_page
from notifier.web.overview import OverviewData, PageFilter, overview
from notifier.web.render import FOLDER, HEADERS, render_frame

SHOWN = 25
WORDS = "words.js"
KINDS = MappingProxyType(
    {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
)
FILTERS = ("watches", "deliveries", "task")


async def page(call: ApiRequest) -> Response:
    """The page, with what there is as of now in it. Whoever looks for an id of ours is sent to its page."""
    sought = call.query.get("task", "").strip()
    for kind, folder in ((WATCH, "watches"), (DELIVERY, "deliveries")):
        if is_id(sought, kind):
            return _sent_to(f"/{folder}/{sought}")
    wanted = _wanted(call.query, sought)
    services = call.services
    shown = OverviewData(
        register=_registration_line(call),
        now=services.clock.now(),
        wanted=wanted,
        status=await load_status(services),
        watches=await _watches(services, wanted),
        deliveries=await list_recent_deliveries(services, _delivery_query(wanted)),
        endpoints=await list_recent_endpoints(services, SHOWN),
        plots=await load_plots(services),
    )
    return render_frame("notifier", overview(shown))


async def watch(call: ApiRequest) -> Response:
    """The page of one watch."""
    shown = await load_watch_body(call)
    return render_frame(
        f"Task {shown.task_id} · notifier",
        watch_page(shown, await load_timeline(call), call.services.clock.now()),
    )


async def delivery(call: ApiRequest) -> Response:
    """The page of one delivery."""
    shown = await load_delivery_body(call)
    return render_frame(f"{shown.type} · notifier", delivery_page(shown, call.services.clock.now()))


async def file(call: ApiRequest) -> Response:
    """A file that the page needs; one of them is made of the words that the daemon itself uses."""
    name = call.path["name"]
    kind = KINDS.get(f".{name.rpartition('.')[2]}")
    if name == WORDS:
        text = labels.module(has_tokens=_has_tokens(call.services))
    elif kind is not None and name in _names():
        text = _text(name)
    else:
        raise ProblemError("not_found", "the page has no such file")
    return Response(text, headers=dict(HEADERS), media_type=kind)


async def offer_login(call: ApiRequest) -> Response:
    """Make a link that lets one browser in, once. A session cannot make another: that takes a token."""
    access = call.services.settings().access
    if not access.tokens:
        return json_response(LoginBody(path="/", expires_at=None), 201)
    token = read_token(call.header(b"authorization"), access)
    if token is None:
        raise ProblemError("unauthorized", "a login is offered to who shows one of server.tokens")
    expires_at = call.services.clock.now() + CODE_TTL_S * 1_000
    code = call.services.sessions.offer(token)
    return json_response(LoginBody(path=f"/login?code={code}", expires_at=format_instant(expires_at)), 201)


async def login(call: ApiRequest) -> Response:
    """Let a browser in that brings a code, and send it to the page. A HEAD of it uses no code up."""
    access = call.services.settings().access
    sent = _sent_to("/")
    if access.tokens and not call.is_head:
        granted = call.services.sessions.redeem(call.query.get("code", ""))
        if granted is None or granted[0] not in access.tokens:
            raise ProblemError(
                "unauthorized", "this link is used up or too old; `notifier open` makes a new one"
            )
        name = build_cookie_name(read_host(call.header(b"host")))
        life = f"Path=/; Max-Age={SESSION_TTL_S}; HttpOnly; SameSite=Strict"
        sent.headers["Set-Cookie"] = f"{name}={granted[1]}; {life}"
    return sent


def _sent_to(path: str) -> Response:
    headers = {**HEADERS, "Location": path}
    return Response(f"The page is at {path}\n", 303, headers, media_type="text/plain")


def _wanted(given: Mapping[str, str], sought: str) -> PageFilter:
    """Read what the address of the page asks for; raises Problem."""
    faults = FieldErrors()
    usual = PageFilter()
    watches, deliveries = (given.get(name, getattr(usual, name)) for name in FILTERS[:2])
    for name, word, states in (
        ("watches", watches, labels.WATCH_STATES),
        ("deliveries", deliveries, labels.DELIVERY_STATES),
    ):
        if word not in (labels.ALL, *states):
            faults.add(f"/{name}", describe_unknown(word, "state", (labels.ALL, *states)))
    faults.check()
    return PageFilter(watches, deliveries, sought)


async def _watches(services: Services, wanted: PageFilter) -> list[WatchBody]:
    """Those in the state that is wanted, or of the task that is sought, in whatever state."""
    if not wanted.task:
        state = None if wanted.watches == labels.ALL else WatchState(wanted.watches)
        return await list_recent_watches(services, WatchQuery(state=state, limit=SHOWN))
    try:
        return await list_recent_watches(
            services, WatchQuery(task_id=check_task_id(wanted.task), limit=SHOWN)
        )
    except InvalidUrl:
        return []  # no task can have such an id


def _delivery_query(wanted: PageFilter) -> DeliveryQuery:
    state = None if wanted.deliveries == labels.ALL else DeliveryState(wanted.deliveries)
    return DeliveryQuery(state=state, limit=SHOWN)


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
