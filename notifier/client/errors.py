"""Define the errors between a program and the daemon. Each has a ``code``, a ``cause`` and a ``fix``.

An error that the daemon returns (RFC 9457) keeps its code and text. Its class says what a program can do
about it. ``server/problems.py`` lists the codes.
"""

import msgspec

from notifier.errors import NotifierError


class Unreachable(NotifierError):
    """No notifier daemon responds at this address.

    ``is_broken``: the connection was refused or broke off, as during a restart of the daemon. The daemon may
    have received the request; repeating it is safe.
    """

    code = "unreachable"
    exit_status = 69

    def __init__(self, cause: str, fix: str = "", *, is_broken: bool = False) -> None:
        super().__init__(cause, fix)
        self.is_broken = is_broken


class SocketRefused(NotifierError):
    """This user may not open the socket of the daemon."""

    code = "refused"
    exit_status = 77


class Fault(msgspec.Struct, frozen=True):
    """One invalid field of a request, and the reason."""

    pointer: str = ""
    detail: str = ""


class Problem(msgspec.Struct, frozen=True):
    """An error as the API returns it (RFC 9457)."""

    code: str
    title: str = ""
    detail: str = ""
    errors: tuple[Fault, ...] = ()


class ApiProblem(NotifierError):
    """The daemon refused the request: ``status`` is the HTTP status, ``problem`` the body."""

    exit_status = 1

    def __init__(self, status: int, problem: Problem, fix: str = "") -> None:
        super().__init__(problem.detail or problem.title or f"HTTP {status}", fix)
        self.status = status
        self.code = problem.code
        self.problem = problem


class Refused(ApiProblem):
    """The daemon refuses this caller (401, 403, 421)."""

    exit_status = 77


class NotFound(ApiProblem):
    """There is no such watch (404)."""


class Conflict(ApiProblem):
    """The state of the watch does not allow this (409), for example because it has ended."""


class Invalid(ApiProblem):
    """The request is invalid (400, 413, 415, 422); ``problem.errors`` names each invalid field."""


class Unavailable(ApiProblem):
    """The daemon cannot do it now (5xx). Nothing was stored, and the same request may succeed later.

    After a disk failure during a write it is not known whether the request was stored; a repeat is safe.
    """


_KINDS: dict[int, type[ApiProblem]] = {
    400: Invalid,
    401: Refused,
    403: Refused,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    421: Refused,
    422: Invalid,
}


def problem_class(status: int) -> type[ApiProblem]:
    """Return the error class for an HTTP status."""
    return _KINDS.get(status, Unavailable if status >= 500 else ApiProblem)
