"""Define what a poll can mean: the types that ``judge_poll`` returns, and their texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from notifier.core.causes.cause import QUOTE, Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.model import TaskError, WatchState
from notifier.core.polling.payload_notes import PayloadNote


class InconclusiveKind(StrEnum):
    """The kind of failure behind an inconclusive poll: the evidence for whose failure it is."""

    CONNECTION = "connection"
    """No connection: DNS, connect, TLS, an address that is not allowed."""
    EXCHANGE = "exchange"
    """A connection, and no reply: timeout, reset, no HTTP."""
    SERVER_ERROR = "server_error"
    """HTTP 5xx."""
    STATUS = "status"
    """Any other HTTP status."""
    PAGE = "page"
    """HTML, or no JSON where the status needs it: a gateway replied, and not the API."""
    UNREADABLE = "unreadable"
    """A reply of the API that cannot be read, is too large, or is about another task."""
    VANISHED = "vanished"
    """The task is unknown, and that is no evidence about it (``missing_tasks.py``)."""
    INTERNAL = "internal"
    """A bug of ours."""


_OUTAGES = frozenset(
    {
        InconclusiveKind.CONNECTION,
        InconclusiveKind.EXCHANGE,
        InconclusiveKind.SERVER_ERROR,
        InconclusiveKind.VANISHED,
    }
)


@dataclass(frozen=True, slots=True)
class Running:
    """The provider knows the task, and it has not ended. ``oddity`` is what was unexpected, or None.

    ``retry_after_ms`` is how long the provider asks to wait, clamped. ``ignored_retry_after`` is a header of
    it that cannot be read. Both mean the same in every verdict.
    """

    upstream_status: str | None
    created_at: int | None = None
    oddity: Cause | None = None
    retry_after_ms: int | None = None
    ignored_retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider reports how the task ended.

    ``payload`` is the provider's reply as valid JSON text, unchanged but for the redacted key and what
    ``notes`` say; None if it cannot be passed on. ``expires_at`` is when the result expires, if the reply
    says so.
    """

    state: WatchState
    upstream_status: str
    outputs: tuple[str, ...]
    error: TaskError | None
    payload: str | None
    created_at: int | None = None
    finished_at: int | None = None
    expires_at: int | None = None
    notes: tuple[PayloadNote, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultPending:
    """The task completed, and its result needs a second GET. ``first`` is what the poll says.

    ``values`` are those of the path. ``failure`` is why there is no result yet, None before the GET.
    """

    first: Finished
    values: Mapping[str, str]
    failure: "AccountRefused | Throttled | Inconclusive | NotPolled | None" = None


@dataclass(frozen=True, slots=True)
class TaskUnknown:
    """The provider's API does not know the task id, by HTTP ``status`` or by a word in its reply.

    ``message`` is the provider's own words.
    """

    status: int
    message: str = ""

    @property
    def cause(self) -> Cause:
        """Return it as the cause of a trouble."""
        quote = {QUOTE: self.message} if self.message else {}
        return Cause(Code.PROVIDER_TASK_UNKNOWN, {"status": self.status, **quote})


@dataclass(frozen=True, slots=True)
class AccountRefused:
    """The provider refuses the account, not the task: by HTTP 401, 402 or 403, or as its description says."""

    status: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Throttled:
    """A 429, or what means the same: too many requests. ``retry_after_ms`` is within its limits."""

    retry_after_ms: int | None
    cause: Cause
    ignored_retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """A reply, or none, that says nothing about the task. It never ends the watch."""

    cause: Cause
    kind: InconclusiveKind
    retry_after_ms: int | None = None
    ignored_retry_after: str = ""

    @property
    def is_outage(self) -> bool:
        """Return whether the provider or a part of it is down: no reply, HTTP 5xx, or vanished tasks."""
        return self.kind in _OUTAGES


@dataclass(frozen=True, slots=True)
class NotPolled:
    """The provider could not be polled. ``condition`` says why, and since when."""

    condition: Condition


Verdict = (
    Running | Finished | ResultPending | TaskUnknown | AccountRefused | Throttled | Inconclusive | NotPolled
)


def error_to_verdict(error: Exception) -> Inconclusive:
    """Return the verdict of a poll that a bug of ours spoiled."""
    cause = Cause(Code.INTERNAL_ERROR, {"type": type(error).__name__})
    return Inconclusive(cause, InconclusiveKind.INTERNAL)


def describe_verdict(verdict: Verdict) -> str:
    """Describe the verdict of a poll in words."""
    match verdict:
        case Running(upstream_status=status, oddity=oddity):
            text = f"{status or 'running'} ({oddity.text()})" if oddity else status or "running"
            return text + _describe_ignored(verdict)
        case Finished(upstream_status=status):
            return status
        case ResultPending(first=first, failure=failure):
            return first.upstream_status if failure is None else describe_verdict(failure)
        case TaskUnknown(status=status, message=message):
            quote = f'; it says "{message}"' if message else ""
            return f"HTTP {status}: the provider does not know the task{quote}"
        case AccountRefused(cause=cause):
            return cause.text()
        case Throttled(cause=cause) | Inconclusive(cause=cause):
            return cause.text() + _describe_ignored(verdict)
        case NotPolled(condition=condition):
            return condition.text()
        case _:
            assert_never(verdict)


def _describe_ignored(verdict: Running | Throttled | Inconclusive) -> str:
    value = verdict.ignored_retry_after
    return f'; its Retry-After "{value}" is not understood' if value else ""
