"""One request as the handlers see it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.services import Services


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request that has passed the guard and is complete. ``gone`` returns when its client went away.

    ``header`` returns all values of a header, whose name is asked for in lower case. ``is_head``: the answer
    is only looked at, and nothing may come of that.
    """

    services: Services
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    header: Callable[[bytes], Sequence[bytes]]
    gone: Callable[[], Awaitable[None]]
    is_head: bool


Handler = Callable[[ApiRequest], Awaitable[Response]]
