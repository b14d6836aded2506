"""Explain the reply to a test callback, for ``test-callback``."""

from dataclasses import dataclass

from notifier.core.causes.cause import ATTEMPT
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.delivery.judge_attempt import judge_attempt
from notifier.core.exchange import Exchange


@dataclass(frozen=True, slots=True)
class CallbackDiagnosis:
    """Whether the receiver accepted a callback, the result as text, and the fix."""

    is_ok: bool
    text: str
    fix: str = ""


def diagnose(exchange: Exchange, *, url: str, now: int) -> CallbackDiagnosis:
    """Judge a reply as that of a delivery, and explain the result."""
    report = judge_attempt(exchange, url=url, now=now)
    if isinstance(report, AttemptAccepted):
        return CallbackDiagnosis(True, "the receiver took it")
    return CallbackDiagnosis(False, report.cause.text(), report.cause.fix(ATTEMPT))
