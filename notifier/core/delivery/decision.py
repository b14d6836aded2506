"""What follows from an attempt for its delivery."""

from dataclasses import dataclass


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


AttemptDecision = Delivered | Retry | GiveUp
