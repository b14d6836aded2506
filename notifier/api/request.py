"""Define the argument of a handler, and one row of the table of routes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from starlette.responses import Response

from notifier.api.services import Services
from notifier.server.bodies import MAX_BODY_BYTES

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A complete request that access control has allowed.

    ``header`` returns all values of a header, whose name is in lower case. ``gone`` returns when the client
    has disconnected. ``is_head``: the client sees no body, and the handler must change nothing.
    ``routes`` are all routes of the application, for its description.
    """

    services: Services
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    header: Callable[[bytes], Sequence[bytes]]
    gone: Callable[[], Awaitable[None]]
    is_head: bool
    routes: "tuple[Route, ...]"


Handler = Callable[[ApiRequest], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class JsonExample:
    """A JSON body: its schema and an example."""

    schema: type[Struct]
    example: Any


@dataclass(frozen=True, slots=True)
class TextResponse:
    """A response whose format is not ours: its media type, its content, and an example if there is one."""

    media_type: str
    description: str
    example: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One operation: how it is dispatched, and how ``openapi.json`` describes it.

    ``responses`` are by status. ``problems`` are codes of ``server/problems.py``; they and ``headers`` come
    in addition to those of every operation. ``query`` names the parameters. Without ``request`` a body must
    be empty or ``{}``. Equal to itself alone, so that a table of routes can be the key of a cache.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    responses: Mapping[int, JsonExample | TextResponse]
    problems: Sequence[str] = ()
    query: Sequence[str] = ()
    request: JsonExample | None = None
    is_request_optional: bool = False
    headers: Sequence[str] = ()
    body_limit: int = MAX_BODY_BYTES
