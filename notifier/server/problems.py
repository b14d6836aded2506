"""Define all problems of requests: RFC 9457 bodies with stable codes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from notifier.errors import StoreFull, StoreUnavailable

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """The status, title and headers of a code."""

    status: int
    title: str
    headers: Mapping[str, str] = field(default_factory=dict)


def _make_retry_after(seconds: int) -> Mapping[str, str]:
    return MappingProxyType({"Retry-After": str(seconds)})


_BEARER = MappingProxyType({"WWW-Authenticate": "Bearer"})

KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "bad_request": ProblemKind(400, "Malformed HTTP request"),
        "bad_json": ProblemKind(400, "Body is not JSON"),
        "unauthorized": ProblemKind(401, "Token missing or wrong", _BEARER),
        "forbidden_origin": ProblemKind(403, "Origin not allowed"),
        "not_found": ProblemKind(404, "Not found"),
        "no_such_route": ProblemKind(404, "No such route"),
        "method_not_allowed": ProblemKind(405, "Method not allowed"),
        "request_timeout": ProblemKind(408, "Request took too long"),
        "conflict": ProblemKind(409, "Not possible in this state"),
        "payload_too_large": ProblemKind(413, "Body too large"),
        "unsupported_media_type": ProblemKind(415, "Body must be application/json"),
        "wrong_host": ProblemKind(421, "Host not allowed"),
        "validation_failed": ProblemKind(422, "Request has errors"),
        "too_many_callbacks": ProblemKind(422, "Too many callbacks for one watch"),
        "bad_configuration": ProblemKind(422, "Configuration has errors"),
        "too_many_changes": ProblemKind(429, "Too many stops and resumes at once", _make_retry_after(60)),
        "too_many_replays": ProblemKind(429, "Too many replays at once", _make_retry_after(60)),
        "internal": ProblemKind(500, "Internal error"),
        "no_picture": ProblemKind(502, "No image to show"),
        "busy": ProblemKind(503, "Too many requests at once", _make_retry_after(1)),
        "not_ready": ProblemKind(503, "Not ready", _make_retry_after(5)),
        "store_unavailable": ProblemKind(503, "Store not available", _make_retry_after(5)),
        "too_many_watches": ProblemKind(503, "Too many live watches", _make_retry_after(30)),
        "disk_full": ProblemKind(507, "Disk full"),
    }
)
"""By code. The codes are public and stay; so do the statuses (CONTRACT, HTTP)."""


class FieldError(Struct, frozen=True):
    """One error of a request. ``pointer`` is by RFC 6901, or a slash and the name of a query parameter."""

    pointer: str
    detail: str


class ProblemBody(Struct, frozen=True):
    """A problem by RFC 9457. ``code`` is stable. A response with status 422 has ``errors``."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | UnsetType = UNSET


class ProblemError(Exception):
    """End a request with a problem. ``code`` is one of ``KINDS``."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self._headers = headers or {}

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return KINDS[self.code].status

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the code and of this problem."""
        return {**KINDS[self.code].headers, **self._headers}


def errors_to_problem(errors: list[FieldError]) -> ProblemError:
    """Combine errors of fields, at least one, into one problem. Its detail quotes the first."""
    first = errors[0]
    place = f"{first.pointer}: " if first.pointer else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ProblemError("validation_failed", f"{place}{first.detail}{more}", errors=errors)


def store_error_to_problem(error: StoreUnavailable) -> ProblemError:
    """Return the problem of a store that failed. Its own text names the file, so it is only logged."""
    if isinstance(error, StoreFull):
        advice = "free some space, then try again"
        return ProblemError("disk_full", f"the disk is full; nothing of this request was kept; {advice}")
    advice = "the daemon's log says why"
    return ProblemError(
        "store_unavailable", f"the store is not available; nothing of this request was kept; {advice}"
    )


def problem_to_body(problem: ProblemError) -> ProblemBody:
    """Return the body of a problem's response."""
    kind = KINDS[problem.code]
    return ProblemBody(
        type=f"urn:notifier:problem:{problem.code}",
        title=kind.title,
        status=kind.status,
        detail=problem.detail,
        code=problem.code,
        errors=list(problem.errors) if kind.status == 422 else UNSET,
    )


def problem_to_response(problem: ProblemError) -> Response:
    """Return the response to a request that ended with a problem."""
    content = msgspec.json.encode(problem_to_body(problem))
    return Response(content, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
