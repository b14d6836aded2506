"""What can go wrong between a program and the daemon. Each fault has a ``code``, a ``cause`` and a ``fix``.

Those that the daemon tells carry its own code and words (RFC 9457), and stand here by what a program can do
about them. The codes are in the table of ``api/problems.py``.
"""

import msgspec

from notifier.errors import NotifierError


class Unreachable(NotifierError):
    """No daemon of ours answers at this address.

    ``is_broken``: the connection was refused or broke off, as it does while a daemon starts again. Whether
    the request was heard is not known then, but none does harm twice.
    """

    code = "unreachable"
    exit_status = 69

    def __init__(self, cause: str, fix: str = "", *, is_broken: bool = False) -> None:
        super().__init__(cause, fix)
        self.is_broken = is_broken


class SocketRefused(NotifierError):
    """The daemon's socket may not be opened by this user."""

    code = "refused"
    exit_status = 77


class Fault(msgspec.Struct, frozen=True):
    """One field that was refused, and why."""

    pointer: str = ""
    detail: str = ""


class Problem(msgspec.Struct, frozen=True):
    """An error as the API tells it (RFC 9457)."""

    code: str
    title: str = ""
    detail: str = ""
    errors: tuple[Fault, ...] = ()


class ApiProblem(NotifierError):
    """The daemon answered that it cannot do this: ``status`` is HTTP's, ``problem`` what it said."""

    exit_status = 1

    def __init__(self, status: int, problem: Problem, fix: str = "") -> None:
        super().__init__(problem.detail or problem.title or f"HTTP {status}", fix)
        self.status = status
        self.code = problem.code
        self.problem = problem


class Refused(ApiProblem):
    """The daemon does not let this caller in (401, 403, 421)."""

    exit_status = 77


class NotFound(ApiProblem):
    """There is no such watch (404)."""


class Conflict(ApiProblem):
    """That cannot be done in the watch's present state (409): it has ended otherwise, say."""


class Invalid(ApiProblem):
    """The request was refused as it is (400, 413, 415, 422); ``problem.errors`` names each field at fault."""


class Unavailable(ApiProblem):
    """The daemon cannot do it now (5xx): nothing was kept, the same request may work later.

    The exception to "nothing" is a disk that failed under a write: then it is not known, and a repeat is
    safe.
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
    """The fault that an HTTP status stands for."""
    return _KINDS.get(status, Unavailable if status >= 500 else ApiProblem)
