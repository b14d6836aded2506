"""What a provider's or the store's trouble asks of the operator is told by the same words everywhere."""

import sqlite3

import pytest

from notifier.core.dialect import Dialect
from notifier.core.fixes import fix_of
from notifier.core.judge import judge_poll
from notifier.core.replies import Fault, Reply, Unreachable
from notifier.core.verdict import Refused, Throttled, Unclear
from notifier.store.faults import fault_of


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


def test_what_is_not_known_has_no_fix() -> None:
    """An empty advice is better than a wrong one."""
    assert fix_of("answer has no status at task_info.status", "mulerouter") == ""
