"""Every text about what goes wrong, and what to do about it, is what it was."""

import json
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from notifier.core.causes.cause import Cause, Condition, EndpointSubject, ProviderSubject
from notifier.core.causes.failures import find_attempt_fix
from notifier.core.causes.table import CAUSES, Code
from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.delivery.endpoint import (
    AttemptFailed,
    EndpointHealth,
    Suspension,
    describe_gate,
    describe_hold,
    find_hold_cause,
)
from notifier.core.delivery.judge_attempt import classify_failure, judge_attempt
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.formats.urls import url_to_endpoint
from notifier.core.model import Watch, WatchState
from notifier.core.polling.age_schedule import AgeSchedule
from notifier.core.polling.decide_poll import decide_poll
from notifier.core.polling.decision import EndWatch, PollAgain
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.verdict import NotPolled, Verdict
from notifier.core.secret import Secret
from notifier.store.sqlite.errors import error_to_unavailable
from tests.fakes import NOON
from tests.golden import check

KEYS = {
    "no key": None,
    "its own key": Secret("sk-mr-x", "MULEROUTER_API_KEY"),
    "a key of a file": Secret("sk-mr-x", "file /etc/a key"),
}
HOOK = "https://receiver.example/hook?a=1"
REDIRECTS = ("", "https://other.example/x", "/x", "http://[")


def task(status: object, **more: object) -> HttpReply:
    """A readable reply about the task."""
    return HttpReply(200, {}, json.dumps({"task_info": {"id": "t", "status": status, **more}}).encode())


REPLIES: dict[str, Exchange] = {
    **{
        f"HTTP {status}": HttpReply(status, body=b"" if status not in (404, 410) else b"{}")
        for status in (400, 401, 402, 403, 404, 410, 418, 429, 500, 503)
    },
    **{f"301 to {place!r}": HttpReply(301, {"location": place}) for place in REDIRECTS},
    **{
        f"{kind} {detail!r}": NoReply(kind, detail)
        for kind in FailureKind
        for detail in ("", "10.0.0.1:80: lost")
    },
}
BODIES: dict[str, Exchange] = {
    "an unknown word": task("dreaming"),
    "a hostile word": task('x" is full (401) {key} {detail}\nlocked'),
    "another task": task("queued", id='other"\n'),
    "no status": task([7]),
    "a number as status": task(7),
    "a broken encoding": HttpReply(200, {"content-encoding": "gzip"}, b"\x1f\x8b\x08"),
    "too deep": HttpReply(200, {}, b"[" * 20_000),
    "an empty status": task("  "),
    "too large": HttpReply(200, {}, b"{" * 1_048_576, is_cut=True),
    "cut at once": HttpReply(200, {}, b"", is_cut=True),
    "a byte order mark": HttpReply(200, {}, b"\xef\xbb\xbf{}"),
    "nothing": HttpReply(200, {}, b" "),
    "HTML": HttpReply(200, {}, b"<html>"),
    "no JSON": HttpReply(200, {}, b"{"),
    "a key twice": HttpReply(200, {}, b'{"a": 1, "a": 2}'),
}


WATCH = Watch("wch_1", "mulerouter", "/p", "t", WatchState.WATCHING, (), "{}", NOON, NOON + 60_000, NOON)


def decided(verdict: Verdict, *, now: int = NOON) -> PollAgain | EndWatch:
    schedule = AgeSchedule(2_500, 60_000, 0.1)
    return decide_poll(WATCH, verdict, schedule=schedule, result_ttl_ms=0, now=now, jitter=0.0)


def polls() -> Iterator[str]:
    """What a poll brings: its words, the trouble, what to do, and what a receiver reads at the deadline."""
    for key_name, key in KEYS.items():
        for name, exchange in {**REPLIES, **(BODIES if key is None else {})}.items():
            verdict = judge_poll(exchange, task_id="t", description=ProviderDescription(), key=key, now=NOON)
            wait, end = decided(verdict), decided(verdict, now=NOON + 60_000)
            assert isinstance(wait, PollAgain)
            assert isinstance(end, EndWatch)
            assert end.error is not None
            yield f"{name}, {key_name}"
            yield f"  said     {wait.summary}"
            yield f"  trouble  {trouble_text(wait)}"
            for provider in ("mulerouter", "runway", ""):
                yield f"  fix      {provider}: {trouble_fix(wait, provider)}"
            yield f"  receiver {end.error.detail}"


def trouble_text(wait: PollAgain) -> str:
    assert wait.trouble is not None
    return wait.trouble.cause.text()


def trouble_fix(wait: PollAgain, provider: str) -> str:
    assert wait.trouble is not None
    return wait.trouble.cause.fix(ProviderSubject(provider))


def unpolled() -> Iterator[str]:
    """What a receiver reads where the provider could not be asked at the deadline."""
    refused = Cause(Code.PROVIDER_KEY_REFUSED, {"key_origin": "file /etc/a key"})
    for condition in (Condition(refused, NOON), Condition(Cause(Code.PROVIDER_REMOVED))):
        end = decided(NotPolled(condition), now=NOON + 60_000)
        assert isinstance(end, EndWatch)
        assert end.error is not None
        yield f"not polled: {end.error.detail}"
    gone = Cause(Code.PROVIDER_NOT_CONFIGURED)
    yield f"{gone.text()}: {gone.fix(ProviderSubject('runway'))}"


def attempts() -> Iterator[str]:
    """What an attempt meets: its words, and what to do."""
    for name, exchange in REPLIES.items():
        report = judge_attempt(exchange, url=HOOK, now=NOON)
        assert isinstance(report, AttemptFailed)
        status = exchange.status if isinstance(exchange, HttpReply) else None
        yield f"{name}: {report.cause.text()}"
        yield f"  fix {find_attempt_fix(status, classify_failure(exchange))}"
        gate = CircuitBreaker(since=NOON, reason=report.cause, probe_at=NOON + 5_000)
        yield f"  held {hold_text(EndpointHealth(gate))}"


def hold_text(health: EndpointHealth) -> str | None:
    suspension = describe_hold(health)
    return None if suspension is None else suspension.text


def endpoints() -> Iterator[str]:
    """How an endpoint stands, and what to do."""
    down = CircuitBreaker(
        since=NOON, reason=Cause(Code.RECEIVER_HTTP_STATUS, {"status": 503}), probe_at=NOON + 5_000
    )
    url = url_to_endpoint(HOOK)
    for health in (
        EndpointHealth(),
        EndpointHealth(concurrency=None),
        EndpointHealth(down),
        EndpointHealth(down, Suspension.PAUSED),
        EndpointHealth(suspension=Suspension.GONE),
    ):
        for is_waited_for in (True, False):
            gate = describe_gate(health, is_waited_for=is_waited_for)
            yield f"{gate}: {hold_text(health)}"
            cause = find_hold_cause(health) if is_waited_for or health.suspension else None
            yield f"  fix {'' if cause is None else cause.fix(EndpointSubject('ep_1', url))}"


def store() -> Iterator[str]:
    """Why the store takes no write, and what to do, in the log and in the status."""
    for code in (13, 5, 10, 11, 26, 8, 7):
        for at_commit in (False, True):
            error = sqlite3.OperationalError("by SQLite")
            error.sqlite_errorcode = code
            fault = error_to_unavailable(error, "/x/notifier.db", at_commit=at_commit)
            yield f"{fault.code}: {fault.cause}"
            yield f"  log    {fault.fix}"
            yield f"  status {fault.reason.fix()}"
    stalled = Cause(Code.LOOP_STALLED, {"part": "poller", "seconds": 12})
    yield f"{stalled.text()}: {stalled.fix()}"


def codes() -> Iterator[str]:
    """Every code, with its text and its remedies: codes are stored, and stand in the API and in the log."""
    for code, template in CAUSES.items():
        yield f"{code}: {template.text}"
        for name in ("fix", "attempt_fix", "endpoint_fix"):
            if getattr(template, name):
                yield f"  {name} {getattr(template, name)}"


@pytest.mark.parametrize("part", [polls, unpolled, attempts, endpoints, store, codes])
def test_the_texts_of_troubles(part: Callable[[], Iterator[str]]) -> None:
    """Operators search logs and databases for them; receivers get some of them."""
    check(f"troubles-{part.__name__}.txt", "".join(f"{line.rstrip()}\n" for line in part()))
