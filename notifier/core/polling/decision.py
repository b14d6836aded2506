"""Define what follows from a poll: the types that ``decide_poll`` returns and the store writes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from notifier.core.formats.text import format_duration
from notifier.core.model import MissingStreak, TaskError, Trouble, WatchState
from notifier.core.polling.learned_schedule import TaskDurations
from notifier.core.polling.payload_notes import PayloadNote


class ScheduleRule(StrEnum):
    """The rule that decided the time of the next poll."""

    AGE = "age"
    LEARNED = "learned"
    RETRY_AFTER = "retry_after"
    MISSING = "missing"
    FAILING = "failing"
    DEADLINE = "deadline"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class ScheduleReason:
    """Why the next poll is at its time: the rule and its values. The text is made when it is needed."""

    rule: ScheduleRule
    age_ms: int = 0
    durations: TaskDurations | None = None
    wait_ms: int = 0
    failures: int = 0

    @property
    def text(self) -> str:
        """The reason in words."""
        match self.rule:
            case ScheduleRule.AGE:
                return f"by age: the task is {format_duration(self.age_ms)} old"
            case ScheduleRule.LEARNED:
                durations = _describe_durations(self.durations)
                return f"learned: the task is {format_duration(self.age_ms)} old, {durations}"
            case ScheduleRule.RETRY_AFTER:
                return f"the provider asks to wait {format_duration(self.wait_ms)}"
            case ScheduleRule.MISSING:
                return "the provider does not know the task; whether it is lost is told soon"
            case ScheduleRule.FAILING if self.failures == 1:
                return "the last poll failed"
            case ScheduleRule.FAILING:
                return f"the last {self.failures} polls failed"
            case ScheduleRule.DEADLINE:
                return "its deadline is then"
            case ScheduleRule.RESULT:
                return "the task completed, and its result is read now"
            case _:
                assert_never(self.rule)


def _describe_durations(durations: TaskDurations | None) -> str:
    if durations is None:
        return "and its kind is known"
    span = f"{format_duration(durations.p5_ms)} to {format_duration(durations.p90_ms)}"
    return f"such take {span} ({durations.finished_count} have ended)"


@dataclass(frozen=True, slots=True)
class PollAgain:
    """Another poll at ``due_at`` for this ``reason``. The other fields are the new values of the watch.

    ``failures`` counts the polls in a row that failed, this one included. ``paced_due_at`` is when the poll
    would be due without the ``Retry-After`` of a failure; None where that changed nothing. ``summary``
    describes the verdict of the poll. ``completion`` (``completion.py``) is set once the task has completed,
    and its result is still to be read.
    """

    due_at: int
    interval_ms: int
    upstream_status: str | None
    task_created_at: int | None
    trouble: Trouble | None
    missing: MissingStreak | None
    failures: int = 0
    paced_due_at: int | None = None
    reason: ScheduleReason = ScheduleReason(ScheduleRule.AGE)
    summary: str = ""
    completion: str | None = None


@dataclass(frozen=True, slots=True)
class EndWatch:
    """The end of the watch. ``is_polled`` is False without a poll (a deadline while the provider is paused).

    ``duration_ms`` is the duration of the task, to learn from; None if it is too uncertain. ``finished_at``
    is the end time of the provider, never later than now; None without one. ``summary`` describes the last
    verdict. ``notes`` are about payload and outputs.
    """

    state: WatchState
    upstream_status: str | None
    outputs: tuple[str, ...]
    error: TaskError | None
    payload: str | None
    result_expires_at: int | None
    task_created_at: int | None
    is_polled: bool = True
    duration_ms: int | None = None
    finished_at: int | None = None
    summary: str = ""
    notes: tuple[PayloadNote, ...] = ()


PollDecision = PollAgain | EndWatch


def describe_wait(wait: PollAgain, now: int) -> str:
    """Describe a poll that did not end the watch: its verdict, the next poll, and the rule."""
    return f"{wait.summary}: kept, next in {format_duration(max(0, wait.due_at - now))} ({wait.reason.text})"
