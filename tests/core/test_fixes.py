"""What a provider's or the store's trouble asks of the operator is told by the same words everywhere."""

import json
import sqlite3

import pytest

from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.delivery.endpoint import EndpointHealth, Suspension, describe_gate
from notifier.core.exchange import FailureKind, HttpReply, NoReply
from notifier.core.fixes import fix_of, fix_of_receiver
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.verdict import AccountRefused, Inconclusive, Running, Throttled
from notifier.core.secret import Secret
from notifier.store.sqlite.errors import error_to_unavailable


@pytest.mark.parametrize(
    "exchange",
    [
        *(HttpReply(status, {}) for status in (401, 402, 403, 429, 500, 503)),
        *(NoReply(f, "") for f in FailureKind),
    ],
    ids=str,
)
def test_every_trouble_that_holds_a_provider_back_has_its_fix(exchange: HttpReply | NoReply) -> None:
    """The judge's own words, so that neither can change alone."""
    verdict = judge_poll(exchange, task_id="t", dialect=ProviderDescription(), key=None, now=0)
    assert isinstance(verdict, AccountRefused | Throttled | Inconclusive)
    if not isinstance(verdict, Inconclusive) or verdict.is_outage:
        assert fix_of(verdict.text, "mulerouter")


@pytest.mark.parametrize("code", [13, 10, 11, 5, 14])
def test_the_stores_trouble_has_its_fix(code: int) -> None:
    """Full, failing, damaged, locked, closed off."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    assert fix_of(error_to_unavailable(error, "/x/notifier.db").cause)


def test_a_key_is_named_as_its_owner_sets_it() -> None:
    """MuleRouter's by its variable, another's by its setting."""
    assert "MULEROUTER_API_KEY" in fix_of("provider refuses the key (401)", "mulerouter")
    assert "api_key of runway" in fix_of("provider refuses the key (401)", "runway")


@pytest.mark.parametrize("origin", ["KEY_OF_MINE", "file /etc/a key", "credential mule"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_with_where_it_came_from(status: int, origin: str) -> None:
    """In the trouble, and by that in its fix, with or without since when."""
    key = Secret("sk-mr-x", origin)
    verdict = judge_poll(HttpReply(status, {}), task_id="t", dialect=ProviderDescription(), key=key, now=0)
    assert isinstance(verdict, AccountRefused)
    assert verdict.text.endswith(f"({status}), key from {origin}")
    for said in (verdict.text, f"{verdict.text} since 2026-11-23T11:00:00.000Z"):
        fix = fix_of(said, "mulerouter")
        assert f"{origin}, then" in fix or f"{origin} is" in fix
        assert "MULEROUTER_API_KEY" not in fix


@pytest.mark.parametrize(
    "word", ["disk is damaged", "locked", "waiting (402)", 'is full" of "quotes (401)', "not configured\n"]
)
def test_the_words_of_a_provider_choose_no_fix(word: str) -> None:
    """A status word is quoted in the trouble; what stands between the quotes is not searched for signs."""
    body = json.dumps({"task_info": {"id": "t", "status": word}}).encode()
    verdict = judge_poll(
        HttpReply(200, {}, body), task_id="t", dialect=ProviderDescription(), key=None, now=0
    )
    assert isinstance(verdict, Running)
    assert verdict.oddity is not None
    assert fix_of(verdict.oddity, "mulerouter") == ""


def test_what_is_not_known_has_no_fix() -> None:
    """An empty advice is better than a wrong one."""
    assert fix_of("answer has no status at task_info.status", "mulerouter") == ""


@pytest.mark.parametrize(
    ("endpoint", "sign"),
    [
        (EndpointHealth(), ""),
        (EndpointHealth(width=1), ""),
        (
            EndpointHealth(gate=CircuitBreaker(since=1, reason="HTTP 503")),
            "notifier test-callback http://x/hook",
        ),
        (EndpointHealth(hold=Suspension.PAUSED), "notifier endpoints resume ep_1"),
        (EndpointHealth(hold=Suspension.GONE), "notifier endpoints resume ep_1"),
    ],
)
def test_a_receiver_that_is_held_back_has_its_fix(endpoint: EndpointHealth, sign: str) -> None:
    """By the gate's own words, so that neither can change alone."""
    fix = fix_of_receiver(describe_gate(endpoint), "http://x/hook", "ep_1")
    assert sign in fix
    assert bool(fix) == bool(sign)


def test_a_closed_receiver_with_nothing_waiting_needs_none() -> None:
    """It is tried with the next callback, and its words say so."""
    said = describe_gate(EndpointHealth(gate=CircuitBreaker(since=1, reason="HTTP 503")), is_waited_for=False)
    assert said == "closed, but nothing waits (the next callback is its probe): HTTP 503"
    assert fix_of_receiver(said, "http://x/hook", "ep_1") == ""
