"""What a receiver's answer means, and whom a failure speaks against."""

import pytest

from notifier.core.delivery.endpoint import (
    MAX_PRIVATE_PROBE_MS,
    MAX_PUBLIC_PROBE_MS,
    AttemptAccepted,
    AttemptFailed,
    AttemptResult,
    FailureScope,
)
from notifier.core.delivery.judge_attempt import classify_failure, is_public, judge_attempt, status_to_scope
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.outbound.exchange_state import format_address
from tests.builders import answered

NOW = 1_795_435_200_000
HOOK = "http://127.0.0.1:9001/hook"


def judge(exchange: Exchange, url: str = HOOK) -> AttemptResult:
    return judge_attempt(exchange, url=url, now=NOW)


def failed(exchange: Exchange) -> AttemptFailed:
    report = judge(exchange)
    assert isinstance(report, AttemptFailed), report
    return report


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_2xx_is_taken_whatever_its_body(status: int) -> None:
    """Success is a 2xx status and nothing else."""
    assert judge(HttpReply(status, body=b"<html>", is_cut=True)) == AttemptAccepted()
    assert classify_failure(HttpReply(status)) is None


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [
        (
            FailureScope.ENDPOINT,
            [100, 199, 300, 301, 304, 401, 402, 403, 404, 405, 406, 408, 411,
             418, 421, 423, 425, 426, 429, 431, 451, 500, 503, 504, 600],
        ),
        (FailureScope.EVENT, [400, 409, 413, 415, 422]),
        (FailureScope.GONE, [410]),
    ],
)  # fmt: skip
def test_every_other_status_is_refused_and_speaks_against_somebody(
    scope: FailureScope, statuses: list[int]
) -> None:
    """A wrong path, a refused signature, a proxy and a 5xx are the endpoint's; five may be this event's."""
    for status in statuses:
        assert status_to_scope(status) is scope
        assert failed(HttpReply(status)) == AttemptFailed(scope, answered(status), None, MAX_PRIVATE_PROBE_MS)
        assert classify_failure(HttpReply(status)) == f"http_{status // 100}xx"


@pytest.mark.parametrize("fault", FailureKind)
def test_no_answer_is_the_endpoints_fault_and_told_in_words(fault: FailureKind) -> None:
    """DNS, connect, TLS, timeout and the rest are one kind: an outage."""
    report = failed(NoReply(fault, "so and so"))
    assert report.scope is FailureScope.ENDPOINT
    assert report.cause.text().endswith(": so and so")
    assert classify_failure(NoReply(fault, "")) == str(fault)


@pytest.mark.fault(69)
@pytest.mark.parametrize("status", [300, 400, 404, 408, 425, 429, 500, 503])
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("60", 60_000),
        ("0", 1_000),
        ("1e9", 86_400_000),
        ("Mon, 23 Nov 2026 14:00:00 GMT", 7_200_000),
        ("?", None),
    ],
)
def test_retry_after_counts_with_every_refusal_up_to_a_day(
    status: int, header: str, expected: int | None
) -> None:
    """Both forms, clamped to 1 s … 24 h; garbage is none."""
    assert failed(HttpReply(status, {"retry-after": header})).retry_after_ms == expected


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://user:pass@evil.example:8080/?key=1", "redirect to evil.example not followed"),
        ("/login", "redirect to the same host not followed"),
        ("", "HTTP 302"),
    ],
)
def test_a_redirect_is_not_followed_and_named_by_its_host(location: str, words: str) -> None:
    """What follows the host may hold secrets."""
    assert failed(HttpReply(302, {"location": location})).cause.text() == words


@pytest.mark.parametrize(
    ("url", "peer", "expected"),
    [
        ("http://127.0.0.1:9001/hook", None, False),
        ("http://[::1]/hook", None, False),
        ("http://10.1.2.3/hook", None, False),
        ("https://203.0.113.9/hook", None, False),
        ("https://8.8.8.8/hook", None, True),
        ("http://127.0.0.1:9001/hook", format_address("127.0.0.1", 9001), False),
        ("http://[::1]:9001/hook", format_address("::1", 9001), False),
        ("https://example.com/hook", format_address("192.168.1.5", 443), False),
        ("https://example.com/hook", format_address("fd12::5", 443), False),
        ("https://example.com/hook", format_address("8.8.8.8", 443), True),
        ("https://nas.local/hook", format_address("2606:4700::1111", 443), True),
        ("https://example.com/hook", None, True),
        ("http://localhost:9001/hook", None, False),
        ("http://nas/hook", None, False),
        ("http://nas.local./hook", None, False),
        ("unix:/run/app.sock:/hook", None, False),
        ("unix:/run/app.sock:/hook", "/run/app.sock", False),
    ],
)
def test_how_long_a_probe_may_wait_goes_by_where_the_receiver_is(
    url: str, peer: str | None, expected: bool
) -> None:
    """A minute on private networks, ten on the internet; by the address spoken to, as the wire spells it."""
    assert is_public(url, peer) is expected
    report = judge(NoReply(FailureKind.CONNECT, "", peer=peer), url)
    assert isinstance(report, AttemptFailed)
    assert report.cap_ms == (MAX_PUBLIC_PROBE_MS if expected else MAX_PRIVATE_PROBE_MS)


@pytest.mark.parametrize(
    ("hung_ms", "cap_ms"), [(0, 60_000), (15_000, 45_000), (58_000, 5_000), (120_000, 5_000)]
)
def test_probes_of_what_hangs_begin_within_a_minute_of_each_other_too(hung_ms: int, cap_ms: int) -> None:
    """The time that the attempt hung is part of it; a breath is left in any case."""
    report = judge(NoReply(FailureKind.TIMEOUT, "", elapsed_ms=hung_ms), "http://127.0.0.1:9001/hook")
    assert isinstance(report, AttemptFailed)
    assert report.cap_ms == cap_ms
