"""Define what follows from an attempt for its delivery."""

from dataclasses import dataclass

USER_REASON = "given up by a user"
"""Why a delivery is dead that a user gave up (CONTRACT, HTTP)."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The delivery is done: the receiver replied 2xx."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt at ``due_at``. ``is_refusal``: this one failed because of the event itself."""

    due_at: int
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The end of a delivery without success: it is dead."""

    reason: str


AttemptDecision = Delivered | Retry | GiveUp
