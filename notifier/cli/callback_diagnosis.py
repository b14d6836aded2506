"""Explain the reply to a test callback, for ``test-callback``."""

from dataclasses import dataclass

from notifier.core.advice import advise_on_failure, advise_on_status
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.delivery.judge_attempt import judge_attempt
from notifier.core.exchange import Exchange, FailureSubkind, HttpReply, NoReply


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
    fix = advise_on_status(exchange.status) if isinstance(exchange, HttpReply) else _fix_of(exchange)
    return CallbackDiagnosis(False, report.text, fix)


def _fix_of(trouble: NoReply) -> str:
    """Return the advice for the kind of failure, or a better one if more is known of it."""
    match trouble.subkind:
        case FailureSubkind.TLS_NOT_SPOKEN:
            return "nothing speaks TLS on that port: write http://"
        case FailureSubkind.NEVER_ALLOWED:
            return "give another URL: no setting lets callbacks go there"
    return advise_on_failure(trouble.fault)
