"""What a status other than 2xx says, in whose words, and when to poll again."""

import json
from dataclasses import replace

import pytest

from notifier.core.model import Trouble
from notifier.core.polling.decision import PollAgain
from tests.core.replies import (
    MINUTE,
    NOW,
    WATCH,
    fix_of,
    poll,
    trouble_of,
)

# ---- Retry-After


RUNNING = b'{"task_info": {"id": "t1", "status": "processing"}}'
DATE = "Mon, 23 Nov 2026 09:00:00 GMT"  # of a server whose clock is three hours behind


@pytest.mark.fault(107)
@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("600", 600),
        ("600, 600", 600),
        ("400, 600", 600),
        ("600s", 600),
        ("10m", 600),
        (str(NOW // 1_000 + 600), 600),
        ("Mon, 23 Nov 2026 12:10:00 GMT", 600),
        ("Mon, 23 Nov 2026 12:05:00 GMT, Mon, 23 Nov 2026 12:10:00 GMT", 600),
        ("86400", 3_600),
    ],
)
def test_a_running_task_is_polled_when_the_provider_asks(status: int, value: str, wait_s: int) -> None:
    """In seconds, in two lines, with a unit, as an instant; from 1 s to 1 h."""
    found = poll(RUNNING, status, {"retry-after": value})
    assert isinstance(found, PollAgain)
    assert (found.due_at, found.trouble) == (NOW + wait_s * 1_000, None)
    assert found.upstream_status == "processing"


@pytest.mark.fault(107)
@pytest.mark.parametrize("status", [200, 429, 503])
def test_a_date_counts_from_the_replys_own_date(status: int) -> None:
    """A server whose clock is wrong means so long after its own date."""
    headers = {"retry-after": "Mon, 23 Nov 2026 09:05:00 GMT", "date": DATE}
    found = poll(RUNNING, status, headers)
    assert isinstance(found, PollAgain)
    assert found.due_at == NOW + 300_000


@pytest.mark.fault(107)
@pytest.mark.parametrize("status", [200, 429, 503])
@pytest.mark.parametrize("value", ["soon", "\x1b[2J", "-", "Mon, 99 Foo 2026", "x" * 10_000])
def test_a_retry_after_that_says_nothing_is_ignored_in_words(status: int, value: str) -> None:
    """The history of the watch quotes it."""
    found = poll(RUNNING, status, {"retry-after": value})
    assert isinstance(found, PollAgain)
    assert found.reason.rule.value != "retry_after"
    assert 'its Retry-After "' in found.summary
    assert found.summary.isprintable()
    assert len(found.summary) < 200


# ---- words about error statuses


PAGE = b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"


@pytest.mark.fault(108)
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 422, 429, 451, 500, 502, 503])
@pytest.mark.parametrize(
    ("body", "quote"),
    [
        (b'{"error": {"message": "quota\\u001b[2J\\nexceeded", "code": 7}}', "quota [2J exceeded"),
        (b'{"title": "Invalid", "detail": "no such model"}', "no such model"),
        (b'{"detail": [{"msg": "field required", "loc": ["body"]}]}', "field required"),
        (b'{"message": "no"}', "no"),
        (b'{"code": 1203}', '{"code": 1203}'),
        (b'\xef\xbb\xbf{"message": "no"}', "no"),
        (b"upstream \xff connect\r\n error", "upstream \ufffd connect error"),
        (b"Incorrect key sk-0123456789/abcdef.", "Incorrect key ***."),
        (b'{"message": "Incorrect key sk-0123456789\\/abcdef."}', "Incorrect key ***."),
        (PAGE, "Attention Required! | Cloudflare"),
        (
            b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no &amp; no</Message></Error>",
            "AccessDenied no & no",
        ),
    ],
)
def test_the_providers_own_message_is_quoted_as_its_words(status: int, body: bytes, quote: str) -> None:
    """On one line, without the key."""
    assert trouble_of(body, status).endswith(f'; it says "{quote}"')


@pytest.mark.fault(108)
@pytest.mark.parametrize("status", [400, 403, 429, 500])
def test_a_quote_is_bounded_and_may_change_without_being_another_trouble(status: int) -> None:
    """Messages hold ids of requests; since when it lasts is what counts."""
    first = poll(json.dumps({"message": "a" * 10_000}).encode(), status)
    assert isinstance(first, PollAgain)
    assert first.trouble is not None
    assert len(first.trouble.cause.text()) < 300
    later = replace(WATCH, trouble=Trouble(first.trouble.cause, NOW - MINUTE))
    again = poll(b'{"message": "request 2"}', status, watch=later)
    assert isinstance(again, PollAgain)
    assert again.trouble is not None
    assert again.trouble.since == NOW - MINUTE


@pytest.mark.fault(108)
def test_a_page_that_forbids_access_says_nothing_about_the_key() -> None:
    """A CDN before the provider blocks an address; a JSON 403 is about the key."""
    assert "web page forbids access (403)" in trouble_of(PAGE, 403)
    assert "check" not in fix_of(PAGE, 403)
    assert "key is not what is refused" in fix_of(PAGE, 403)
    assert trouble_of(b'{"message": "no"}', 403).startswith("provider forbids access (403)")


@pytest.mark.fault(59, 108)
def test_a_redirect_has_a_remedy() -> None:
    """The address to set, and why it is not followed."""
    fix = fix_of(b"", 302, {"location": "https://eu.provider.example/x"})
    assert "base_url" in fix
    assert "never followed" in fix


@pytest.mark.fault(109)
@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("body", [PAGE, b"", b"404 page not found", b'"not found"', b"404"])
def test_a_404_without_json_says_nothing_about_the_task(status: int, body: bytes) -> None:
    """A gateway has lost the API behind it: the task is not missing, and never lost by that."""
    missing = poll(body, status)
    assert isinstance(missing, PollAgain)
    assert missing.missing is None
    assert f"HTTP {status} without JSON, which says nothing about the task" in trouble_of(body, status)
    known = poll(b'{"message": "no such task"}', status)
    assert isinstance(known, PollAgain)
    assert known.missing is not None
