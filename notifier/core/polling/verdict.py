"""Define what a poll can mean: the types that ``judge_poll`` returns, and their texts."""

from dataclasses import dataclass
from typing import assert_never

from notifier.core.causes.cause import Cause, Condition
from notifier.core.model import TaskError, WatchState


@dataclass(frozen=True, slots=True)
class Running:
    """The provider knows the task, and it has not ended. ``oddity`` is what was unexpected, or None."""

    upstream_status: str | None
    created_at: int | None = None
    oddity: Cause | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider reports how the task ended.

    ``payload`` is its reply: valid JSON text, unchanged except for a redacted key.
    """

    state: WatchState
    upstream_status: str
    outputs: tuple[str, ...]
    error: TaskError | None
    payload: str
    created_at: int | None = None
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class TaskUnknown:
    """The provider does not know the task id (404 or 410)."""

    status: int


@dataclass(frozen=True, slots=True)
class AccountRefused:
    """The provider refuses the account, not the task: 401, 402 or 403."""

    status: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Throttled:
    """A 429: the account sends too many requests. ``retry_after_ms`` is within its limits."""

    retry_after_ms: int | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """A reply that says nothing about the task, so it never ends the watch.

    ``is_outage`` counts as a failure of the provider (no reply, or HTTP 5xx).
    """

    cause: Cause
    is_outage: bool
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NotPolled:
    """The provider could not be polled. ``condition`` says why, and since when."""

    condition: Condition


Verdict = Running | Finished | TaskUnknown | AccountRefused | Throttled | Inconclusive | NotPolled


def describe_verdict(verdict: Verdict) -> str:
    """Describe the verdict of a poll in words."""
    match verdict:
        case Running(upstream_status=status, oddity=oddity):
            return f"{status or 'running'} ({oddity.text()})" if oddity else status or "running"
        case Finished(upstream_status=status):
            return status
        case TaskUnknown(status=status):
            return f"HTTP {status}: the provider does not know the task"
        case AccountRefused(cause=cause) | Throttled(cause=cause) | Inconclusive(cause=cause):
            return cause.text()
        case NotPolled(condition=condition):
            return condition.text()
        case _:
            assert_never(verdict)
