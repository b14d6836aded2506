"""Wrap the application: common headers, problems for exceptions, a clean end of the connection.

A response sent before the whole body has come in carries ``Connection: close``. The rest of the body is then
read and dropped for a moment. Closing at once would reset the connection, and the client would see the reset
instead of the response.
"""

import asyncio
from collections.abc import Callable

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notifier.errors import StoreUnavailable
from notifier.server.problems import ProblemError, store_error_to_problem

LINGER_S = 3.0
"""How long to drop the rest of a body. No record of why 3 s; changing it needs a measurement."""

_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))

ProblemRenderer = Callable[[Scope, ProblemError], Response]
"""A function that makes the response to a request that ended with a problem."""

log = structlog.get_logger()


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete. No response can be sent."""


class ResponseMiddleware:
    """Outermost middleware of the application."""

    def __init__(self, app: ASGIApp, render_problem: ProblemRenderer, *, linger_s: float = LINGER_S) -> None:
        self._app = app
        self._render_problem = render_problem
        self._linger_s = linger_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._linger_s)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnected:
            return
        except ProblemError as problem:
            await self._refuse(exchange, problem)
        except StoreUnavailable as error:
            log.warning("api.not_stored", **error.log_fields())
            await self._refuse(exchange, store_error_to_problem(error))
        except Exception:
            log.exception("api.unexpected", method=scope["method"], route=scope.get("notifier.route"))
            await self._refuse(
                exchange,
                ProblemError("internal", "an unexpected error occurred; the daemon's log has the details"),
            )

    async def _refuse(self, exchange: "_Exchange", problem: ProblemError) -> None:
        """Respond with a problem, unless a response has begun; then the broken connection must show it."""
        if exchange.is_started:
            raise problem
        response = self._render_problem(exchange.scope, problem)
        await response(exchange.scope, exchange.receive, exchange.send)


class _Exchange:
    """The progress of one request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, linger_s: float) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._linger_s = linger_s
        self._is_body_in = not has_body(scope)
        self.is_started = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_body_in = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_started = True
            closing = () if self._is_body_in else ((b"connection", b"close"),)
            message = {**message, "headers": [*message.get("headers", ()), *_ALWAYS, *closing]}
        elif not message.get("more_body", False) and not self._is_body_in:
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(self._linger_s):
                while not self._is_body_in:
                    await self.receive()
        except TimeoutError:
            return


def has_body(scope: Scope) -> bool:
    """Return whether the head declares a body, even an empty one in chunks."""
    lengths = get_headers(scope, b"content-length")
    return bool(get_headers(scope, b"transfer-encoding")) or any(length.strip(b"0") for length in lengths)


def get_headers(scope: Scope, name: bytes) -> list[bytes]:
    """Return all values of a header. ``name`` is in lower case. The first call indexes the headers."""
    by_name: dict[bytes, list[bytes]] | None = scope.get("notifier.headers")
    if by_name is None:
        by_name = scope["notifier.headers"] = {}
        for key, value in scope["headers"]:
            by_name.setdefault(key, []).append(value)
    return by_name.get(name, [])
