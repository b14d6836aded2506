"""What a provider's or the store's trouble asks of the operator is told by the same words everywhere."""

import json
import sqlite3

import pytest

from notifier.core.circuit_breaker import Gate
from notifier.core.delivery.endpoint import Endpoint, Hold, in_words
from notifier.core.exchange import Fault, Reply, Unreachable
from notifier.core.fixes import fix_of, fix_of_receiver
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.provider import Dialect
from notifier.core.polling.verdict import Refused, Running, Throttled, Unclear
from notifier.core.secret import Secret
from notifier.store.sqlite.errors import fault_of


@pytest.mark.parametrize(
    "exchange",
    [*(Reply(status, {}) for status in (401, 402, 403, 429, 500, 503)), *(Unreachable(f, "") for f in Fault)],
    ids=str,
)
def test_every_trouble_that_holds_a_provider_back_has_its_fix(exchange: Reply | Unreachable) -> None:
    """The judge's own words, so that neither can change alone."""
    verdict = judge_poll(exchange, task_id="t", dialect=Dialect(), key=None, now=0)
    assert isinstance(verdict, Refused | Throttled | Unclear)
    if not isinstance(verdict, Unclear) or verdict.is_outage:
        assert fix_of(verdict.text, "mulerouter")


@pytest.mark.parametrize("code", [13, 10, 11, 5, 14])
def test_the_stores_trouble_has_its_fix(code: int) -> None:
    """Full, failing, damaged, locked, closed off."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    assert fix_of(fault_of(error, "/x/notifier.db").cause)


def test_a_key_is_named_as_its_owner_sets_it() -> None:
    """MuleRouter's by its variable, another's by its setting."""
    assert "MULEROUTER_API_KEY" in fix_of("provider refuses the key (401)", "mulerouter")
    assert "api_key of runway" in fix_of("provider refuses the key (401)", "runway")


@pytest.mark.parametrize("origin", ["KEY_OF_MINE", "file /etc/a key", "credential mule"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_with_where_it_came_from(status: int, origin: str) -> None:
    """In the trouble, and by that in its fix, with or without since when."""
    key = Secret("sk-mr-x", origin)
    verdict = judge_poll(Reply(status, {}), task_id="t", dialect=Dialect(), key=key, now=0)
    assert isinstance(verdict, Refused)
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
    verdict = judge_poll(Reply(200, {}, body), task_id="t", dialect=Dialect(), key=None, now=0)
    assert isinstance(verdict, Running)
    assert verdict.oddity is not None
    assert fix_of(verdict.oddity, "mulerouter") == ""


def test_what_is_not_known_has_no_fix() -> None:
    """An empty advice is better than a wrong one."""
    assert fix_of("answer has no status at task_info.status", "mulerouter") == ""


@pytest.mark.parametrize(
    ("endpoint", "sign"),
    [
        (Endpoint(), ""),
        (Endpoint(width=1), ""),
        (Endpoint(gate=Gate(since=1, reason="HTTP 503")), "notifier test-callback http://x/hook"),
        (Endpoint(hold=Hold.PAUSED), "notifier endpoints resume ep_1"),
        (Endpoint(hold=Hold.GONE), "notifier endpoints resume ep_1"),
    ],
)
def test_a_receiver_that_is_held_back_has_its_fix(endpoint: Endpoint, sign: str) -> None:
    """By the gate's own words, so that neither can change alone."""
    fix = fix_of_receiver(in_words(endpoint), "http://x/hook", "ep_1")
    assert sign in fix
    assert bool(fix) == bool(sign)


def test_a_closed_receiver_with_nothing_waiting_needs_none() -> None:
    """It is tried with the next callback, and its words say so."""
    said = in_words(Endpoint(gate=Gate(since=1, reason="HTTP 503")), is_waited_for=False)
    assert said == "closed, but nothing waits (the next callback is its probe): HTTP 503"
    assert fix_of_receiver(said, "http://x/hook", "ep_1") == ""
