"""status prints on one screen the counts, what is held back and since when, and the fix."""

import json
import re
from typing import Any

import pytest

from notifier.core.causes.cause import Cause, EndpointSubject, ProviderSubject
from notifier.core.causes.table import Code
from tests.builders import DISK_FULL, KEY_REFUSED, SERVER_ERROR, api_cause
from tests.cli.conftest import FakeDaemon, Run
from tests.cli.test_endpoints import ENDPOINT

NONE: dict[str, Any] = {"endpoints": [], "next_cursor": None}
STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "trouble": None,
    "watches": {"watching": 3, "completed": 12, "lost": 0},
    "deliveries": {"pending": 2, "delivered": 40, "dead": 1},
    "oldest_pending_at": "2020-11-23T12:00:00.000Z",
    "expiring_results": 1,
    "providers": {"mulerouter": "ok"},
}


@pytest.fixture
def tell(ask: Run, daemon: FakeDaemon) -> Any:
    """Return the output of status for these responses of the daemon."""

    def call(page: dict[str, Any] = NONE, **changed: Any) -> str:
        daemon.now("GET", "/v1/status", {**STATUS, **changed})
        daemon.now("GET", "/v1/endpoints", page)
        result = ask("status")
        assert (result.code, result.err) == (0, "")
        return result.out

    return call


def test_counts_are_printed_without_zeros(tell: Any, daemon: FakeDaemon) -> None:
    """Counts of zero are omitted."""
    lines = tell().splitlines()
    assert lines[0] == f"daemon      notifier 0.1.0 at {daemon.url}: working"
    assert lines[1] == "watches     3 watching, 12 completed"
    assert lines[2] == "deliveries  2 pending, 40 delivered, 1 dead"
    assert "oldest waiting: " in lines[3]
    assert "1 undelivered result expires soon" in lines[3]
    assert "`notifier deliveries --state dead`" in lines[3]
    assert lines[4:] == ["mulerouter  ok"]


def test_json_is_the_response_of_the_daemon(ask: Run, daemon: FakeDaemon) -> None:
    """A program gets the response of the API unchanged."""
    daemon.on("GET", "/v1/status", {**STATUS, "new": [1]})
    assert json.loads(ask("status", "--json").out) == {**STATUS, "new": [1]}


def test_zero_watches_are_printed_as_none(tell: Any) -> None:
    """A new daemon has no counts."""
    out = tell(watches={}, deliveries={"pending": 0}, expiring_results=0)
    assert "watches     none\ndeliveries  none\nmulerouter  ok\n" in out


@pytest.mark.parametrize(
    ("provider", "condition", "fix"),
    [
        ("mulerouter", KEY_REFUSED, "check MULEROUTER_API_KEY"),
        ("runway", KEY_REFUSED, "check api_key of runway"),
        ("mulerouter", Cause(Code.PROVIDER_ACCOUNT_EMPTY), "top up the account"),
        ("mulerouter", Cause(Code.PROVIDER_ACCESS_FORBIDDEN), "check --online"),
        ("mulerouter", SERVER_ERROR, "goes on by itself"),
        ("mulerouter", Cause(Code.CONNECT_FAILED, {"detail": "refused"}), "goes on by itself"),
        ("mulerouter", Cause(Code.TIMEOUT), "goes on by itself"),
    ],
)
def test_a_held_provider_says_since_when_and_what_to_do(
    tell: Any, provider: str, condition: Cause, fix: str
) -> None:
    """Each provider has its own key."""
    out = tell(
        providers={provider: f"{condition.text()} since 2020-11-23T12:00:00.000Z"},
        provider_causes={provider: api_cause(condition, ProviderSubject(provider))},
    )
    assert f"{provider:<12}{condition.text()} since 2020-11-23 " in out
    assert "d ago)" in out
    assert fix in out.split("fix: ")[1]


def test_a_condition_without_a_remedy_gets_none(tell: Any) -> None:
    """What a provider says chooses nothing, whatever it reads like; the daemon says what to do."""
    said = 'provider says "the disk is damaged (401)", a status we do not know'
    assert "fix:" not in tell(providers={"mulerouter": said})
    assert "fix:" not in tell(
        providers={"mulerouter": said},
        provider_causes={"mulerouter": {"code": "provider_status_unknown", "fix": ""}},
    )


@pytest.mark.parametrize(
    ("troubled", "result"),
    [
        (1, "1 of 3 in trouble: `notifier ls --state watching` shows why"),
        (10_000, "at least 10000 of 3 in trouble"),
    ],
)
def test_watches_in_trouble_are_counted_with_the_command_that_lists_them(
    tell: Any, troubled: int, result: str
) -> None:
    """Their provider may be ok. The daemon counts up to ten thousand."""
    assert f"\n            {result}" in tell(troubled_watches=troubled)


def test_callbacks_that_are_refused_are_counted(tell: Any) -> None:
    """An endpoint that replies 422 is not held back, but accepts nothing."""
    assert (
        "\n            1 of 2 pending was refused: `notifier deliveries --state pending` shows why"
        in tell(refused_deliveries=1)
    )


def test_a_closed_receiver_with_nothing_waiting_is_no_news(tell: Any) -> None:
    """Its deliveries are dead and counted as such."""
    gate = "closed, but nothing waits (the next callback is its probe): HTTP 503"
    idle = {**ENDPOINT, "gate": gate, "cause": None, "pending": 0}
    assert "endpoint" not in tell({"endpoints": [idle], "next_cursor": None})


def test_receivers_that_are_held_back_are_named(tell: Any) -> None:
    """Open endpoints have no line."""
    unknown = {"since": None, "next_probe_at": None}  # as of one that a user has paused
    held = {**ENDPOINT, **unknown, "gate": "closed: HTTP 503", "pending": 7}
    fine = {**ENDPOINT, "state": "open", "gate": "open, starting slowly", "url": "http://fine/"}
    out = tell({"endpoints": [fine, held], "next_cursor": None})
    assert out.splitlines()[-2:] == [
        "endpoint    http://127.0.0.1:9001/hook closed: HTTP 503; 7 waiting",
        "            fix: `notifier test-callback http://127.0.0.1:9001/hook` says what is wrong; "
        "when it is mended, all that waits goes out after the next probe, or at once by "
        "`notifier endpoints resume ep_1`",
    ]
    parked = {
        **held,
        "state": "gone",
        "gate": "parked: the endpoint says that it is gone (410)",
        "cause": api_cause(Cause(Code.RECEIVER_GONE), EndpointSubject("ep_1", ENDPOINT["url"])),
        "pending": 0,
    }
    assert "notifier endpoints resume ep_1" in tell({"endpoints": [parked], "next_cursor": None})
    assert "fine" not in out


def test_a_closed_receiver_says_since_when_and_when_it_is_tried_again(tell: Any) -> None:
    """After a repair the user knows how long to wait."""
    closed = {"since": "2020-11-23T12:00:00.000Z", "next_probe_at": "2020-11-24T12:00:05.000Z"}
    held = {**ENDPOINT, **closed, "gate": "closed: HTTP 503"}
    line = tell({"endpoints": [held], "next_cursor": None}).splitlines()[-2]
    assert "closed: HTTP 503 since 2020-11-23 " in line
    assert re.search(r"d ago\), next probe 2020-11-24 \d\d:\d\d; 7 waiting$", line)


def test_of_many_endpoints_five_are_printed(ask: Run, daemon: FakeDaemon) -> None:
    """The output must fit a screen."""
    daemon.now("GET", "/v1/status", STATUS)
    daemon.now("GET", "/v1/endpoints", {"endpoints": [ENDPOINT] * 400, "next_cursor": "x"})
    out = ask("status").out
    assert out.count("endpoint  ") == 5
    assert "400 or more endpoints held back: `notifier endpoints --all`" in out
    daemon.now("GET", "/v1/endpoints", {"endpoints": [ENDPOINT] * 7, "next_cursor": None})
    assert "7 endpoints held back: `notifier endpoints --all`" in ask("status").out


def test_a_daemon_in_trouble_says_it_first_with_the_fix(tell: Any) -> None:
    """The trouble of the daemon is more important than the counts."""
    lines = tell(trouble=DISK_FULL.text(), cause=api_cause(DISK_FULL)).splitlines()
    assert "the disk that holds /x/notifier.db is full" in lines[0]
    assert lines[1].strip() == "fix: free some space; notifier then goes on by itself"


def test_it_fits_80_columns_and_nothing_drives_the_terminal(
    tell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long sentences are broken at words, and foreign text is escaped."""
    monkeypatch.setattr("notifier.cli.output._is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    name = "a-provider-with-a-very-long-name"
    out = tell(
        {"endpoints": [{**ENDPOINT, "url": "http://r/\x1b[2J" + "long/" * 40}], "next_cursor": None},
        trouble="the disk failed \x1b]0;x\x07 " * 6,
        providers={name: "provider refuses the key (401) since 2020-11-23T12:00:00.000Z", "\x9b": "\x1b[1m"},
    )
    assert all(len(line) <= 80 for line in out.splitlines())
    assert not any(sign in out for sign in "\x1b\x07\x9b")
