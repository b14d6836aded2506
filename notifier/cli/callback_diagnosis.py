"""What an answer to a test means, and what to do about it, in words."""

from dataclasses import dataclass

from notifier.core.advice import advise_on_failure, advise_on_status
from notifier.core.delivery.endpoint import AttemptAccepted
from notifier.core.delivery.judge_attempt import judge_attempt
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply


@dataclass(frozen=True, slots=True)
class CallbackDiagnosis:
    """Whether a callback would have been taken, what came of it, and the next thing to do."""

    is_ok: bool
    text: str
    fix: str = ""


def diagnose(exchange: Exchange, *, url: str, now: int) -> CallbackDiagnosis:
    """Judge as a delivery would be judged, and explain."""
    report = judge_attempt(exchange, url=url, now=now)
    if isinstance(report, AttemptAccepted):
        return CallbackDiagnosis(True, "the receiver took it")
    fix = advise_on_status(exchange.status) if isinstance(exchange, HttpReply) else _fix_of(exchange)
    return CallbackDiagnosis(False, report.text, fix)


def _fix_of(trouble: NoReply) -> str:
    """The advice for its kind, but where the particulars say that it cannot help."""
    said = trouble.detail
    if trouble.fault is FailureKind.TLS and "does not speak TLS" in said:
        return "nothing speaks TLS on that port: write http://"
    never = "never go there" in said or "notifier itself" in said
    if trouble.fault is FailureKind.BLOCKED and never and "callbacks.allow" not in said:
        return "give another URL: no setting lets callbacks go there"
    return advise_on_failure(trouble.fault)
