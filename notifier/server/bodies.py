"""Reading bodies: of the right type, of bounded size each, and of bounded size together."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope

from notifier.server.middleware import ClientDisconnected, has_body, request_headers
from notifier.server.problems import ProblemError

BODY_BYTES = 256 * 1024
BATCH_BYTES = 4 * 1024 * 1024
TOGETHER_BYTES = 32 * 1024 * 1024  # decoded they take some ten times as much

_JSON = re.compile(rb"application/json(?:[ \t]*;[ \t]*charset=\"?utf-8\"?)?", re.IGNORECASE)


class BodyBudget:
    """How many bytes of bodies may be in memory, over all requests."""

    def __init__(self, room: int = TOGETHER_BYTES) -> None:
        self._room = room

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Keep ``size`` bytes for as long as this lasts; raises Problem when they are not there."""
        if size > self._room:
            raise ProblemError("busy", "too many large requests at once")
        self._room -= size
        try:
            yield
        finally:
            self._room += size


def check_type(scope: Scope) -> None:
    """Raise Problem for a body that does not say that it is JSON, or is packed."""
    if not has_body(scope):
        return
    kinds = request_headers(scope, b"content-type")
    if len(kinds) != 1 or not _JSON.fullmatch(kinds[0].strip()):
        raise ProblemError(
            "unsupported_media_type", "a request with a body needs Content-Type: application/json"
        )
    packings = request_headers(scope, b"content-encoding")
    if any(packing.strip().lower() not in (b"", b"identity") for packing in packings):
        raise ProblemError("unsupported_media_type", "a body is sent as it is, without Content-Encoding")


def declared_size(scope: Scope, limit: int) -> int:
    """How large the body may become: what it says, else ``limit``; raises Problem for more than that."""
    if not has_body(scope):
        return 0
    lengths = request_headers(scope, b"content-length")
    if request_headers(scope, b"transfer-encoding"):
        return limit
    if len(lengths) != 1 or not lengths[0].isdigit():
        raise ProblemError("bad_request", "Content-Length is one number")
    if len(lengths[0]) > 18 or int(lengths[0]) > limit:
        raise body_too_large(limit)
    return int(lengths[0])


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read the body to its end; raises Problem as soon as it is too large, ClientGone when it breaks off."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise body_too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def body_too_large(limit: int) -> ProblemError:
    """Say how much a body, or an entry of a batch, may have."""
    return ProblemError("payload_too_large", f"a body has at most {limit // 1024} KiB here")
