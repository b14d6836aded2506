"""Classify what a poll brought by whose failure it shows: the task's, its api_path's or the provider's."""

from enum import StrEnum
from typing import assert_never

from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    NotPolled,
    ResultPending,
    Running,
    TaskUnknown,
    Throttled,
    Verdict,
)

_FORBIDDEN = 403
"""A router forbids single models, so that this status says nothing about the other api_paths."""


class PollEvidence(StrEnum):
    """Whose failure a poll shows.

    A failure of the provider also counts at the api_path, and a failure of the api_path also at the task.
    """

    STATUS = "status"
    """The reply says how the task stands: no failure."""
    UNKNOWN = "unknown"
    """The reply says that the provider does not know the task: no failure."""
    TASK = "task"
    """Only the task: a bug of ours in handling its reply."""
    PATH = "path"
    PROVIDER = "provider"
    THROTTLE = "throttle"
    """429: the provider asks for a pause of all requests."""

    @property
    def is_failure(self) -> bool:
        """Return whether the poll brought nothing about the task."""
        return self not in _REPLIES


_REPLIES = frozenset({PollEvidence.STATUS, PollEvidence.UNKNOWN})


def classify_verdict(verdict: Verdict) -> PollEvidence:
    """Return whose failure the verdict shows."""
    match verdict:
        case Running() | Finished():
            return PollEvidence.STATUS
        case ResultPending(failure=failure):
            evidence = PollEvidence.STATUS if failure is None else classify_verdict(failure)
            # The poll of the task worked; that its result cannot be read says nothing about other tasks.
            return PollEvidence.TASK if evidence is PollEvidence.PATH else evidence
        case TaskUnknown():
            return PollEvidence.UNKNOWN
        case Throttled():
            return PollEvidence.THROTTLE
        case AccountRefused(status=status):
            return PollEvidence.PATH if status == _FORBIDDEN else PollEvidence.PROVIDER
        case Inconclusive(kind=InconclusiveKind.INTERNAL):
            return PollEvidence.TASK
        case Inconclusive(kind=InconclusiveKind.CONNECTION):  # all api_paths of a provider share its host
            return PollEvidence.PROVIDER
        case Inconclusive():
            return PollEvidence.PATH
        case NotPolled():
            return PollEvidence.TASK
        case _:
            assert_never(verdict)
