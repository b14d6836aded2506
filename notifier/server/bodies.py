"""Read request bodies: of the right media type, and of bounded size, each and in total."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope

from notifier.server.middleware import ClientDisconnected, get_headers, has_body
from notifier.server.problems import ProblemError

MAX_BODY_BYTES = 256 * 1024  # CONTRACT, HTTP
MAX_BATCH_BODY_BYTES = 4 * 1024 * 1024  # CONTRACT, HTTP
MAX_TOTAL_BODY_BYTES = 32 * 1024 * 1024
"""Eight batches at once. Trade-off: decoded JSON takes some ten times as much memory."""

_JSON = re.compile(rb"application/json(?:[ \t]*;[ \t]*charset=\"?utf-8\"?)?", re.IGNORECASE)
_MAX_LENGTH_DIGITS = 18  # more digits than any limit has; int() of a long text is slow


class BodyBudget:
    """How many bytes of request bodies may be in memory, over all requests."""

    def __init__(self, limit: int = MAX_TOTAL_BODY_BYTES) -> None:
        self._free = limit

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Reserve ``size`` bytes within the ``with`` block. Raise ProblemError if they are not free."""
        if size > self._free:
            raise ProblemError("busy", "too many large requests at once")
        self._free -= size
        try:
            yield
        finally:
            self._free += size


def check_media_type(scope: Scope) -> None:
    """Raise ProblemError for a body that is not declared as JSON, or is compressed."""
    if not has_body(scope):
        return
    types = get_headers(scope, b"content-type")
    if len(types) != 1 or not _JSON.fullmatch(types[0].strip()):
        raise ProblemError(
            "unsupported_media_type", "a request with a body needs Content-Type: application/json"
        )
    codings = get_headers(scope, b"content-encoding")
    if any(coding.strip().lower() not in (b"", b"identity") for coding in codings):
        raise ProblemError("unsupported_media_type", "send the body uncompressed, without Content-Encoding")


def read_declared_size(scope: Scope, limit: int) -> int:
    """Return the Content-Length, or ``limit`` for a chunked body. Raise ProblemError above the limit."""
    if not has_body(scope):
        return 0
    lengths = get_headers(scope, b"content-length")
    if get_headers(scope, b"transfer-encoding"):
        return limit
    if len(lengths) != 1 or not lengths[0].isdigit():
        raise ProblemError("bad_request", "Content-Length must be one number")
    if len(lengths[0]) > _MAX_LENGTH_DIGITS or int(lengths[0]) > limit:
        raise make_size_problem(limit)
    return int(lengths[0])


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read the whole body. Raise ProblemError above the limit, ClientDisconnected if the client goes."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise make_size_problem(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def make_size_problem(limit: int) -> ProblemError:
    """Return the problem of a body, or of an entry of a batch, that is larger than ``limit``."""
    return ProblemError("payload_too_large", f"a body must have at most {limit // 1024} KiB")
