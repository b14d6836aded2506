"""What a poll can mean, and what is to be done about it: the types between judge, decide and store."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from notifier.core.formats.text import format_duration
from notifier.core.model import MissingStreak, TaskError, Trouble, WatchState
from notifier.core.polling.learned_schedule import TaskDurations


@dataclass(frozen=True, slots=True)
class Running:
    """The provider knows the task and it has not ended. ``oddity`` names what was strange, else None."""

    upstream_status: str | None
    created_at: int | None = None
    oddity: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider says how the task ended.

    ``payload`` is the provider's answer, valid JSON text, the key redacted and otherwise unchanged.
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
    text: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """429: too much of the whole account. ``retry_after_ms`` is clamped already."""

    retry_after_ms: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """Anything else; no outcome. ``is_outage``: the provider as a whole seems down (no reply, 5xx)."""

    text: str
    is_outage: bool
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NotPolled:
    """The provider could not be asked at all (it is paused); ``text`` says why."""

    text: str


Verdict = Running | Finished | TaskUnknown | AccountRefused | Throttled | Inconclusive | NotPolled


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
                return f"learned: the task is {format_duration(self.age_ms)} old, {_usual(self.durations)}"
            case ScheduleRule.RETRY_AFTER:
                return f"the provider asks to wait {format_duration(self.wait_ms)}"
            case ScheduleRule.MISSING:
                return "the provider does not know the task; whether it is lost is told soon"
            case ScheduleRule.DEADLINE:
                return "its deadline is then"
            case _:
                assert_never(self.rule)


def _usual(durations: TaskDurations | None) -> str:
    if durations is None:
        return "and its kind is known"
    span = f"{format_duration(durations.p5_ms)} to {format_duration(durations.p90_ms)}"
    return f"such take {span} ({durations.finishes} have ended)"


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
    said: str = ""


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
    said: str = ""


Decision = PollAgain | EndWatch


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver answered 2xx."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Send again at ``due_at``. ``is_refusal``: the attempt spoke against the event itself."""

    due_at: int
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The delivery is dead."""

    reason: str


Sequel = Delivered | Retry | GiveUp
