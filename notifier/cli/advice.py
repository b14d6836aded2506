"""What an answer to a test means, and what to do about it, in words."""

from dataclasses import dataclass

from notifier.core.advice import of_fault, of_status
from notifier.core.attempt import judge_attempt
from notifier.core.endpoint import Accepted
from notifier.core.replies import Exchange, Reply


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether a callback would have been taken, what came of it, and the next thing to do."""

    is_ok: bool
    text: str
    fix: str = ""


def advise(exchange: Exchange, *, url: str, now: int) -> Advice:
    """Judge as a delivery would be judged, and explain."""
    report = judge_attempt(exchange, url=url, now=now)
    if isinstance(report, Accepted):
        return Advice(True, "the receiver took it")
    fix = of_status(exchange.status) if isinstance(exchange, Reply) else of_fault(exchange.fault)
    return Advice(False, report.text, fix)
