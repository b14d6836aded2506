"""Whose failure a poll shows: the task's, its api_path's or the provider's."""

import pytest

from notifier.core.causes.cause import Cause, Condition
from notifier.core.causes.table import Code
from notifier.core.exchange import Exchange, FailureKind, FailureSubkind, HttpReply, NoReply
from notifier.core.model import WatchState
from notifier.core.polling.evidence import PollEvidence, classify_verdict
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.verdict import Finished, NotPolled, error_to_verdict
from tests.fakes import NOON

STATUS, UNKNOWN = PollEvidence.STATUS, PollEvidence.UNKNOWN
TASK, PATH, PROVIDER = PollEvidence.TASK, PollEvidence.PATH, PollEvidence.PROVIDER


@pytest.mark.parametrize(
    ("exchange", "evidence"),
    [
        (HttpReply(200, body=b'{"task_info": {"id": "t", "status": "running"}}'), STATUS),
        (HttpReply(200, body=b'{"task_info": {"id": "t", "status": "strange"}}'), STATUS),
        (HttpReply(200, body=b'{"task_info": {"id": "t", "status": "failed"}}'), STATUS),
        (HttpReply(404, body=b'{"title": "Not Found"}'), UNKNOWN),
        (HttpReply(410, body=b'{"title": "Gone"}'), UNKNOWN),
        (HttpReply(200, body=b'{"task_info": {"id": "another", "status": "running"}}'), PATH),
        (HttpReply(200, body=b"<html>"), PATH),
        (HttpReply(200, body=b"{", is_cut=True), PATH),
        (HttpReply(302, {"location": "https://elsewhere.example"}), PATH),
        (HttpReply(400), PATH),
        (HttpReply(403), PATH),
        (HttpReply(451), PATH),
        (HttpReply(500), PATH),
        (HttpReply(503), PATH),
        (HttpReply(401), PROVIDER),
        (HttpReply(402), PROVIDER),
        (HttpReply(429), PollEvidence.THROTTLE),
        (NoReply(FailureKind.TIMEOUT, ""), PATH),
        (NoReply(FailureKind.RESET, ""), PATH),
        (NoReply(FailureKind.PROTOCOL, ""), PATH),
        (NoReply(FailureKind.TOO_LARGE, ""), PATH),
        (NoReply(FailureKind.DNS, ""), PROVIDER),
        (NoReply(FailureKind.CONNECT, ""), PROVIDER),
        (NoReply(FailureKind.TLS, ""), PROVIDER),
        (NoReply(FailureKind.TLS, "", subkind=FailureSubkind.TLS_NOT_SPOKEN), PROVIDER),
        (NoReply(FailureKind.BLOCKED, ""), PROVIDER),
        (NoReply(FailureKind.BLOCKED, "", subkind=FailureSubkind.NEVER_ALLOWED), PROVIDER),
    ],
    ids=lambda each: str(getattr(each, "status", getattr(each, "kind", each))),
)
def test_an_exchange_is_evidence_for_one_scope(exchange: Exchange, evidence: PollEvidence) -> None:
    """A reply about the task is no failure. What all paths share is the provider's, the rest the path's."""
    verdict = judge_poll(exchange, task_id="t", description=ProviderDescription(), key=None, now=NOON)
    assert classify_verdict(verdict) is evidence
    assert evidence.is_failure == (evidence not in (STATUS, UNKNOWN))


def test_a_bug_of_ours_is_evidence_against_nobody_else() -> None:
    bug = error_to_verdict(KeyError())
    assert classify_verdict(bug) is TASK
    assert classify_verdict(NotPolled(Condition(Cause(Code.TIMEOUT)))) is TASK
    assert classify_verdict(Finished(WatchState.FAILED, "failed", (), None, "{}")) is STATUS
