"""Build the ASGI application: middleware, router, and the steps before each handler."""

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from notifier.api.query import read_query
from notifier.api.registration import check_no_members
from notifier.api.request import ApiRequest, Route
from notifier.api.services import Services
from notifier.core.nearest import find_nearest
from notifier.server.access import AccessMiddleware
from notifier.server.bodies import BodyBudget, check_media_type, read_body, read_declared_size
from notifier.server.middleware import ProblemRenderer, ResponseMiddleware, get_headers
from notifier.server.problems import ProblemError


def build_app(services: Services, routes: Sequence[Route], render_problem: ProblemRenderer) -> ASGIApp:
    """Build the ASGI application. Its only state is the number of body bytes in memory."""
    table = tuple(routes)
    budget = BodyBudget()
    by_path: dict[str, dict[str, Route]] = {}
    for route in table:
        by_path.setdefault(route.path, {})[route.method] = route
    endpoints = [
        StarletteRoute(path, MethodRouter(methods, services, budget, table))
        for path, methods in by_path.items()
    ]
    router = Router(endpoints, redirect_slashes=False, default=_make_default(list(by_path)))
    guarded = AccessMiddleware(router, lambda: services.settings().access, services.sessions)
    return ResponseMiddleware(guarded, render_problem)


class MethodRouter:
    """Dispatch the requests of one path by their method."""

    def __init__(
        self,
        by_method: Mapping[str, Route],
        services: Services,
        budget: BodyBudget,
        routes: tuple[Route, ...],
    ) -> None:
        self._by_method = by_method
        self._services = services
        self._budget = budget
        self._routes = routes
        head = ["HEAD"] if "GET" in by_method else []
        self._allow = ", ".join(sorted([*by_method, *head]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, call the handler, send its response."""
        route = self._route(scope)
        check_media_type(scope)
        query = read_query(scope["query_string"], route.query)
        with self._budget.hold(read_declared_size(scope, route.body_limit)):
            body = await read_body(receive, route.body_limit)
            if route.request is None:
                check_no_members(body)
            call = ApiRequest(
                self._services,
                scope["path_params"],
                query,
                body,
                header=partial(get_headers, scope),
                gone=lambda: _wait_for_disconnect(receive),
                is_head=scope["method"] == "HEAD",
                routes=self._routes,
            )
            response = await route.handler(call)
        await response(scope, receive, send)

    def _route(self, scope: Scope) -> Route:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        route = self._by_method.get(method)
        if route is None:
            raise ProblemError(
                "method_not_allowed", f"this path allows {self._allow}", headers={"Allow": self._allow}
            )
        scope["notifier.route"] = f"{method} {route.path}"  # for the log of an unexpected error
        return route


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _make_default(paths: Sequence[str]) -> ASGIApp:
    async def default(scope: Scope, _receive: Receive, _send: Send) -> None:
        close = find_nearest(scope["path"], paths)
        raise ProblemError(
            "no_such_route", f"did you mean {close}?" if close else "/openapi.json lists all routes"
        )

    return default
