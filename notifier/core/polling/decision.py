"""What follows from a poll: the types that ``decide_poll`` returns and the store writes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from notifier.core.formats.text import format_duration
from notifier.core.model import MissingStreak, TaskError, Trouble, WatchState
from notifier.core.polling.learned_schedule import TaskDurations


class ScheduleRule(StrEnum):
    """By which rule the next poll is when it is."""

    AGE = "age"
    LEARNED = "learned"
    RETRY_AFTER = "retry_after"
    MISSING = "missing"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class ScheduleReason:
    """Why the next poll is when it is: the rule and its figures, to be put into words when they are read."""

    rule: ScheduleRule
    age_ms: int = 0
    durations: TaskDurations | None = None
    wait_ms: int = 0

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
            case ScheduleRule.DEADLINE:
                return "its deadline is then"
            case _:
                assert_never(self.rule)


def _describe_durations(durations: TaskDurations | None) -> str:
    if durations is None:
        return "and its kind is known"
    span = f"{format_duration(durations.p5_ms)} to {format_duration(durations.p90_ms)}"
    return f"such take {span} ({durations.finished_count} have ended)"


@dataclass(frozen=True, slots=True)
class PollAgain:
    """Poll again at ``due_at`` for this ``reason``; the rest is what the watch now looks like.

    ``said`` is what the poll brought, in words.
    """

    due_at: int
    interval_ms: int
    upstream_status: str | None
    task_created_at: int | None
    trouble: Trouble | None
    missing: MissingStreak | None
    reason: ScheduleReason = ScheduleReason(ScheduleRule.AGE)
    summary: str = ""


@dataclass(frozen=True, slots=True)
class EndWatch:
    """The watch ends. ``is_polled`` is False when no poll stands behind it (a deadline while paused).

    ``duration_ms`` is how long the task took, to learn from; None where that is not known well enough.
    ``finished_at`` is when it was over by the provider's word, never later than now; None if it did not say.
    ``said`` is what the last poll brought, in words.
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


PollDecision = PollAgain | EndWatch


def describe_wait(wait: PollAgain, now: int) -> str:
    """Say what a poll brought that ended nothing, what follows, and by which rule."""
    return f"{wait.summary}: kept, next in {format_duration(max(0, wait.due_at - now))} ({wait.reason.text})"
