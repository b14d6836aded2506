"""What a scenario returns: figures, some of which have a goal."""

from dataclasses import dataclass
from enum import Enum


class Bound(Enum):
    """On which side of its goal a figure has to be."""

    AT_MOST = "≤"
    AT_LEAST = "≥"
    EXACTLY = "="


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure, or its ratio to the limit, has to be."""

    bound: Bound
    value: float

    def is_reached_by(self, value: float) -> bool:
        """Whether a value is good enough."""
        match self.bound:
            case Bound.AT_MOST:
                return value <= self.value
            case Bound.AT_LEAST:
                return value >= self.value
            case Bound.EXACTLY:
                return value == self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. With a ``limit``, measured in the same run, the goal is for the ratio to it.

    ``note`` is what a reader needs to know beside it.
    """

    name: str
    value: float
    unit: str
    goal: Goal | None = None
    limit: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of its limit."""
        return None if self.limit is None else self.value / self.limit

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is reached; None when there is none."""
        if self.goal is None:
            return None
        return self.goal.is_reached_by(self.value if self.ratio is None else self.ratio)


def at_most(value: float) -> Goal:
    """Return a goal from above."""
    return Goal(Bound.AT_MOST, value)


def at_least(value: float) -> Goal:
    """Return a goal from below."""
    return Goal(Bound.AT_LEAST, value)


def exactly(value: float) -> Goal:
    """Return a goal that is one number."""
    return Goal(Bound.EXACTLY, value)
