"""What a reply means: tables of what providers do, and fuzzing with what none should."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.core.causes.cause import Audience, Cause, ProviderSubject
from notifier.core.causes.table import Code
from notifier.core.delivery.judge_attempt import judge_attempt
from notifier.core.exchange import Exchange, FailureKind, HttpReply, NoReply
from notifier.core.model import TaskError, WatchState
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.judge_reply import MAX_STATUS_CHARS, ReplyVerdict
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.core.polling.provider import MULEROUTER_WORDS, ProviderDescription
from notifier.core.polling.task_error import MAX_DETAIL_CHARS, MAX_TITLE_CHARS
from notifier.core.polling.verdict import (
    AccountRefused,
    Finished,
    Inconclusive,
    InconclusiveKind,
    Running,
    TaskUnknown,
    Throttled,
)
from notifier.core.secret import Secret

NOW = 1_795_435_200_000
TASK = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
KEY = "sk-0123456789/abcdef"
MULEROUTER = ProviderDescription()


def judge(
    exchange: Exchange, description: ProviderDescription = MULEROUTER, key: str | None = KEY
) -> ReplyVerdict:
    secret = None if key is None else Secret(key)
    return judge_poll(exchange, task_id=TASK, description=description, key=secret, now=NOW)


def judge_body(
    body: bytes | str, description: ProviderDescription = MULEROUTER, status: int = 200
) -> ReplyVerdict:
    return judge(HttpReply(status, body=body.encode() if isinstance(body, str) else body), description)


def judge_json(document: object, description: ProviderDescription = MULEROUTER) -> ReplyVerdict:
    return judge_body(json.dumps(document), description)


def an_answer(
    status: object = "completed", /, *, beside: Mapping[str, Any] | None = None, **info: object
) -> Any:
    """A MuleRouter answer; ``beside`` stands beside ``task_info``."""
    return {"task_info": {"id": TASK, "status": status} | info} | dict(beside or {})


def finished(document: object, description: ProviderDescription = MULEROUTER) -> Finished:
    found = judge_json(document, description)
    assert isinstance(found, Finished), found
    return found


def unclear(found: ReplyVerdict, kind: InconclusiveKind = InconclusiveKind.UNREADABLE) -> str:
    assert isinstance(found, Inconclusive), found
    assert found.kind is kind
    assert not found.is_outage
    return found.cause.text()


def payload_of(verdict: Finished) -> Any:
    assert verdict.payload is not None
    return json.loads(verdict.payload)


# ---- the words


@pytest.mark.parametrize("word", ["pending", "queued", "processing", "running"])
def test_four_words_say_that_it_runs(word: str) -> None:
    assert judge_json(an_answer(word)) == Running(word)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("completed", WatchState.COMPLETED),
        ("succeeded", WatchState.COMPLETED),
        ("failed", WatchState.FAILED),
        ("cancelled", WatchState.CANCELLED),
        ("canceled", WatchState.CANCELLED),
    ],
)
def test_the_others_end_it_and_canceled_is_cancelled(word: str, state: WatchState) -> None:
    found = finished(an_answer(word))
    assert (found.state, found.upstream_status) == (state, word)


@pytest.mark.parametrize("word", sorted(word for words in MULEROUTER_WORDS.values() for word in words))
def test_words_are_stripped_and_case_folded(word: str) -> None:
    plain = judge_json(an_answer(word))
    for spelt in (word.upper(), word.title(), f" {word}\t\n"):
        found = judge_json(an_answer(spelt))
        assert type(found) is type(plain)
        if isinstance(found, Finished) and isinstance(plain, Finished):
            assert found.state is plain.state


@pytest.mark.fault(57)
@pytest.mark.parametrize(
    "word", ["expired", "complete", "success", "done", "FAIL", "42", "完了", "com pleted"]
)
def test_an_unknown_word_keeps_it_running_and_is_named(word: str) -> None:
    """Providers add words; the deadline still holds."""
    found = judge_json(an_answer(word, created_at="2026-11-23T11:59:00Z"))
    assert isinstance(found, Running)
    assert (found.upstream_status, found.created_at) == (word, NOW - 60_000)
    assert found.oddity == Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": word})
    assert found.oddity.text() == f'provider says "{word}", a status we do not know'


def test_an_unknown_word_is_bounded_and_on_one_line() -> None:
    found = judge_json(an_answer("x\u001b[2J\n" + "y" * 10_000))
    assert isinstance(found, Running)
    assert found.oddity is not None
    assert found.oddity.text().isprintable()
    assert found.upstream_status is not None
    assert len(found.upstream_status) <= MAX_STATUS_CHARS
    assert len(found.oddity.text()) <= MAX_STATUS_CHARS + 100


# ---- what is no outcome


@pytest.mark.fault(53, 55)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "answer is empty"),
        (b" \r\n", "answer is empty"),
        (b'{"task_info": {"status": "completed"}', "answer is not JSON"),
        (b'{"task_info": {"status": "completed"}} {}', "answer is not JSON"),
        (b'{"task_info": {"status": "completed"}, "x": nan}', "answer is not JSON"),
        (b'{"task_info": {"status": "completed"}, "x": -infinity}', "answer is not JSON"),
        (b'{"task_info": {"status": "completed"}, "x": \xff}', "answer is not JSON"),
        (b'{"task_info": {"status": "completed"}, "x": "\xed\xa0\x80}', "answer is not JSON"),
        ('{"task_info": {"status": "completed"}'.encode("utf-16"), "answer is not JSON"),
        ('{"task_info": {"status": "completed"}}'.encode("utf-16-le")[:-1], "answer is not JSON"),
        (b'{"task_info": {"status": "completed"}, "x": 1e999', "answer is not JSON"),
        (b'{"task_info": {"status": "failed", "status": "completed"}', "answer is not JSON"),
        (b"[" * 100_000, "nested deep"),
        (b'{"a":' * 100_000, "nested deep"),
        (b"[" * 9_000, "answer is not JSON"),
        (b"[" * 70 + b"]" * 70, "answer has no status at task_info.status"),
        (b"[99999999999999999999," + b"[" * 100_000, "nested"),
        (b"[1e999,", "answer is not JSON"),
        (
            b"{" + b",".join(b'"%d":0' % number for number in range(100_001)) + b"}",
            "answer has no status at task_info.status",
        ),
        (b"null", "answer has no status at task_info.status"),
        (b"[]", "answer has no status at task_info.status"),
        (b'"completed"', "answer has no status at task_info.status"),
        (b"{}", "answer has no status at task_info.status"),
        (b'{"task_info": null}', "answer has no status at task_info.status"),
        (b'{"task_info": "completed"}', "answer has no status at task_info.status"),
        (b'{"status": "completed"}', "answer has no status at task_info.status"),
    ],
)
def test_an_answer_that_cannot_be_read_is_unclear_and_says_why(body: bytes, words: str) -> None:
    """Nothing, half of it, no task_info: each has its words."""
    assert words in unclear(judge_body(body))


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    "body", [b"<!doctype html><title>OK</title>", b"\n <html>", b"\xef\xbb\xbf\r\n<?xml version='1.0'?>"]
)
def test_a_page_is_unclear_and_not_of_the_api(body: bytes) -> None:
    """A gateway wrote it: that is another kind of evidence than a reply that the API spoiled."""
    found = judge_body(body)
    assert unclear(found, InconclusiveKind.PAGE) == "answer is HTML or XML, not JSON"


def test_text_cut_in_the_middle_of_an_emoji_costs_nobody_a_finished_task() -> None:
    """Half a surrogate pair becomes U+FFFD; also beside a key that stands twice, whose last value counts."""
    cut = b'{"task_info": {"status": "completed"}, "x": "sun \\ud83d"}'
    verdict = judge_body(cut)
    assert isinstance(verdict, Finished)
    assert payload_of(verdict)["x"] == "sun \ufffd"
    twice = b'{"x": "\\ud83d", "task_info": {"status": "failed", "status": "completed"}}'
    verdict = judge_body(twice)
    assert isinstance(verdict, Finished)
    assert (verdict.state, payload_of(verdict)["x"]) == (WatchState.COMPLETED, "\ufffd")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_every_2xx_is_read_by_its_body(status: int) -> None:
    assert isinstance(judge_body(json.dumps(an_answer("completed")), status=status), Finished)
    assert unclear(judge_body(b"", status=status)) == "answer is empty"


@pytest.mark.fault(54)
@pytest.mark.parametrize("status", [None, [], ["completed"], {}, {"status": "completed"}])
def test_a_status_of_another_type_is_unclear(status: object) -> None:
    """A list, an object, null: no word, no outcome."""
    assert unclear(judge_json(an_answer(status))) == "answer has no status at task_info.status"


@pytest.mark.fault(54)
@pytest.mark.parametrize(("status", "word"), [(1, "1"), (1.5, "1.5"), (True, "true"), (False, "false")])
def test_a_status_that_is_no_text_is_an_unknown_word(status: object, word: str) -> None:
    """It is no outcome, and is named as its JSON text."""
    oddity = Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": word})
    assert judge_json(an_answer(status)) == Running(word, oddity=oddity)


@pytest.mark.parametrize("status", ["", " \n"])
def test_an_empty_status_is_unclear(status: str) -> None:
    assert unclear(judge_json(an_answer(status))) == "answer's status is empty"


@pytest.mark.fault(56)
@pytest.mark.parametrize("other", ["other", " ", 7, False, [TASK], {"id": TASK}, TASK + " ", TASK[:-1]])
@pytest.mark.parametrize("status", ["processing", "completed", "failed", "martian"])
def test_an_answer_about_another_task_is_never_an_outcome(other: object, status: str) -> None:
    """Whatever it says of it."""
    assert "about another task" in unclear(judge_json(an_answer(status, id=other)))


def test_an_id_is_compared_as_text_whatever_its_case_and_may_be_absent() -> None:
    for document in (an_answer(id=TASK.upper()), an_answer(id=None), {"task_info": {"status": "completed"}}):
        assert finished(document).state is WatchState.COMPLETED
    number = judge_poll(
        HttpReply(200, body=b'{"task_info": {"status": "failed", "id": 17}}'),
        task_id="17",
        description=MULEROUTER,
        key=None,
        now=NOW,
    )
    assert isinstance(number, Finished)


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    ("size", "words"), [(1 << 20, "1 MiB"), (65_536, "64 KiB"), (1_000, "1000 bytes"), (16 << 20, "16 MiB")]
)
@pytest.mark.parametrize(
    ("declared", "of_size"), [("20971520", " of 20 MiB"), ("no number", ""), (None, ""), ("9" * 40, "")]
)
def test_a_cut_body_is_unclear_even_if_it_reads_well(
    size: int, words: str, declared: str | None, of_size: str
) -> None:
    """What was cut off might have said something else. The trouble names the size, the limit and its key."""
    body = json.dumps(an_answer("completed")).encode().ljust(size)[:size]
    headers = {} if declared is None else {"content-length": declared}
    found = judge(HttpReply(200, headers, body, is_cut=True), replace(MULEROUTER, max_body=size))
    assert unclear(found) == f"reply{of_size} is larger than max_body ({words})"
    assert isinstance(found, Inconclusive)
    fix = found.cause.fix(ProviderSubject("runway"))
    assert fix == "raise max_body in providers.runway, if replies of this size are meant"


# ---- HTTP statuses


@pytest.mark.fault(45, 46)
@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "provider refuses the key (401)"),
        (402, "account is empty (402)"),
        (403, "provider forbids access (403)"),
    ],
)
def test_a_refused_account_is_not_the_tasks_fault(status: int, text: str) -> None:
    """401, 402 and 403 say something of the account, each in its own words."""
    body = json.dumps(an_answer("failed") | {"message": "no"}).encode()
    found = judge(HttpReply(status, body=body))
    assert isinstance(found, AccountRefused)
    assert (found.status, found.cause.text()) == (status, f'{text}; it says "no"')
    assert found.cause.text(Audience.RECEIVER) == text, "what is said of the account is the operator's"
    bare = judge(HttpReply(status))
    assert isinstance(bare, AccountRefused)
    assert bare.cause.text() == text


def test_who_has_no_key_is_told_that_none_is_set() -> None:
    """And not that a key was refused: there is another thing to do."""
    missing = Cause(Code.PROVIDER_KEY_MISSING)
    assert judge(HttpReply(401), key=None) == AccountRefused(401, missing)
    assert judge(HttpReply(403), key=None) == AccountRefused(403, Cause(Code.PROVIDER_ACCESS_FORBIDDEN))
    assert missing.text() == "provider wants a key, and none is set (401)"
    assert missing.fix(ProviderSubject("mulerouter")).startswith("set MULEROUTER_API_KEY")


@pytest.mark.fault(48)
@pytest.mark.parametrize("status", [404, 410])
def test_404_and_410_do_not_know_the_task(status: int) -> None:
    """Neither is an outcome by itself."""
    assert judge(HttpReply(status, body=b"{}")) == TaskUnknown(status)
    assert judge(HttpReply(status, body=b'{"title": "no task"}')) == TaskUnknown(status, "no task")
    assert judge(HttpReply(status, body=b"[]")) == TaskUnknown(status)


@pytest.mark.fault(109)
@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("body", [b"", b"<html></html>", b"not found", b'"not found"'])
def test_404_and_410_without_json_are_of_a_gateway(status: int, body: bytes) -> None:
    """The API behind it was not asked."""
    found = judge(HttpReply(status, body=body))
    assert "says nothing about the task" in unclear(found, InconclusiveKind.PAGE)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("30", 30_000),
        ("0", 1_000),
        ("1e9", 3_600_000),
        ("soon", None),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120_000),
        ("Mon, 23 Nov 2020 12:02:00 GMT", 1_000),
    ],
)
def test_retry_after_is_honoured_and_clamped_to_an_hour(header: str | None, expected: int | None) -> None:
    headers = {} if header is None else {"retry-after": header}
    ignored = header if header and expected is None else ""
    throttled = judge(HttpReply(429, headers))
    assert throttled == Throttled(expected, Cause(Code.PROVIDER_THROTTLED), ignored)
    for status in (408, 425, 500, 503):
        found = judge(HttpReply(status, headers))
        assert isinstance(found, Inconclusive)
        assert found.retry_after_ms == expected


@pytest.mark.fault(52)
@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 599])
def test_5xx_is_an_outage_of_the_provider(status: int) -> None:
    """It counts against the provider, whose probes then come ever more rarely."""
    found = judge(HttpReply(status, body=json.dumps(an_answer("completed")).encode()))
    cause = Cause(Code.PROVIDER_SERVER_ERROR, {"status": status})
    assert found == Inconclusive(cause, InconclusiveKind.SERVER_ERROR)
    assert found.is_outage
    assert found.cause.text().startswith(f'provider answers HTTP {status}; it says "')


@pytest.mark.fault(49, 50)
@pytest.mark.parametrize("status", [400, 405, 408, 409, 418, 422, 423, 425, 451, 499, 100, 199, 600, 999])
def test_every_other_status_is_unclear_and_no_outage(status: int) -> None:
    """It is no outcome: polling goes on until the deadline, and says so."""
    body = json.dumps(an_answer("failed", error={"title": "no"})).encode()
    found = judge(HttpReply(status, body=body))
    assert unclear(found, InconclusiveKind.STATUS) == f'provider answers HTTP {status}; it says "no"'


REDIRECTS = [
    ("https://evil.example/steal?key=1", "redirect to evil.example not followed"),
    ("http://user:pass@evil.example:8080/", "redirect to evil.example not followed"),
    ("//evil.example/x", "redirect to evil.example not followed"),
    ("/login", "redirect to the same host not followed"),
    ("http://[::1/", "redirect to an unreadable place not followed"),
    ("", "HTTP 302"),
]


@pytest.mark.fault(59)
@pytest.mark.parametrize(("location", "words"), REDIRECTS)
def test_a_redirect_is_named_by_its_host_and_never_an_outcome(location: str, words: str) -> None:
    """Only its host: what follows may hold secrets."""
    body = json.dumps(an_answer("completed")).encode()
    found = judge(HttpReply(302, {"location": location}, body))
    assert unclear(found, InconclusiveKind.STATUS) == f"provider: {words}"


@pytest.mark.parametrize("status", [300, 301, 303, 304, 307, 308, 399])
def test_all_of_3xx_is_a_redirect(status: int) -> None:
    found = judge(HttpReply(status, {"location": "https://evil.example"}))
    assert "evil.example" in unclear(found, InconclusiveKind.STATUS)
    assert unclear(judge(HttpReply(status)), InconclusiveKind.STATUS) == f"provider: HTTP {status}"


@pytest.mark.parametrize("fault", FailureKind)
def test_no_reply_is_an_outage_in_words_of_its_own(fault: FailureKind) -> None:
    found = judge(NoReply(fault, "the particulars\nof it"))
    others = {judge(NoReply(other, "the particulars\nof it")) for other in FailureKind if other is not fault}
    assert isinstance(found, Inconclusive)
    assert found.cause.text().endswith(": the particulars of it")
    assert found not in others
    assert found.is_outage == (fault is not FailureKind.TOO_LARGE)


def test_evidence_of_a_failure_says_how_far_the_exchange_came() -> None:
    """Whose failure it is follows from it: without a connection nobody's tasks are polled."""
    kinds = InconclusiveKind
    assert {kind: evidence(NoReply(kind, "")) for kind in FailureKind} == {
        FailureKind.DNS: kinds.CONNECTION,
        FailureKind.CONNECT: kinds.CONNECTION,
        FailureKind.TLS: kinds.CONNECTION,
        FailureKind.BLOCKED: kinds.CONNECTION,
        FailureKind.TIMEOUT: kinds.EXCHANGE,
        FailureKind.RESET: kinds.EXCHANGE,
        FailureKind.PROTOCOL: kinds.EXCHANGE,
        FailureKind.TOO_LARGE: kinds.UNREADABLE,
    }
    assert evidence(HttpReply(500)) is kinds.SERVER_ERROR
    assert evidence(HttpReply(422)) is kinds.STATUS
    assert evidence(HttpReply(403, body=b"<html>")) is kinds.PAGE
    assert evidence(HttpReply(200, body=b"<html>")) is kinds.PAGE
    assert evidence(HttpReply(200)) is kinds.UNREADABLE


def evidence(exchange: Exchange) -> InconclusiveKind:
    found = judge(exchange)
    assert isinstance(found, Inconclusive)
    return found.kind


# ---- outcomes


def test_the_documented_answer_is_read_whole() -> None:
    document = {
        "task_info": {
            "id": TASK,
            "status": "completed",
            "created_at": "2026-11-23T11:58:00Z",
            "updated_at": "2026-11-23T11:59:30.5Z",
        },
        "images": ["https://example.com/1.jpg", "https://example.com/2.jpg"],
    }
    assert finished(document) == Finished(
        state=WatchState.COMPLETED,
        upstream_status="completed",
        outputs=("https://example.com/1.jpg", "https://example.com/2.jpg"),
        error=None,
        payload=json.dumps(document),
        created_at=NOW - 120_000,
        finished_at=NOW - 29_500,
    )


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    ("beside", "outputs"),
    [
        ({}, ()),
        ({"images": []}, ()),
        ({"images": None}, ()),
        ({"videos": ["v"]}, ("v",)),
        ({"audios": ["a", "b"]}, ("a", "b")),
        ({"images": ["i"], "videos": ["v"], "audios": ["a"]}, ("i", "v", "a")),
        ({"images": ["i"], "image": "other"}, ("i",)),
        ({"images": [], "image": "i"}, ("i",)),
        ({"image": "i"}, ("i",)),
        ({"video": "v"}, ("v",)),
        ({"audio": "a"}, ("a",)),
        ({"images": ["i", None, 1, True, {"url": "u"}]}, ("i",)),
        ({"images": "i"}, ("i",)),
        ({"images": {"url": "u"}}, ()),
        ({"image": {"url": "u"}}, ()),
    ],
)
def test_outputs_are_the_strings_of_plural_else_singular(beside: dict[str, Any], outputs: tuple[str]) -> None:
    """None of either is no output, and the task has completed all the same."""
    assert finished(an_answer("completed", beside=beside)).outputs == outputs


@pytest.mark.parametrize(("place", "outputs"), [("url", ("u",)), ("many[].url", ("a", "b")), ("", ())])
def test_outputs_of_another_dialect_are_a_string_or_an_array(place: str, outputs: tuple[str, ...]) -> None:
    document = an_answer("completed", beside={"url": "u", "many": [{"url": "a"}, {"url": "b"}, {}]})
    assert finished(document, replace(MULEROUTER, outputs=place)).outputs == outputs


def test_the_error_is_the_providers() -> None:
    error = {"code": 3001, "title": "Invalid Request", "detail": "prohibited content"}
    found = finished(an_answer("failed", error=error)).error
    assert found == TaskError("provider", 3001, "Invalid Request", "prohibited content")


@pytest.mark.fault(61)
@pytest.mark.parametrize("error", [None, {}, [], "", " ", False, {"code": None, "title": "", "detail": " "}])
def test_a_failure_without_a_reason_says_so(error: object) -> None:
    """It is told as it is."""
    found = finished(an_answer("failed", error=error)).error
    assert found == TaskError("provider", None, "The task failed; the provider gave no reason", None)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (3001, 3001),
        (0, 0),
        (-1, -1),
        ("E42", "E42"),
        ("3001", "3001"),
        (" ", None),
        (3001.0, 3001),
        (1.5, "1.5"),
        (True, "true"),
        ([1], "[1]"),
        ({"a": 1}, '{"a": 1}'),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (1e300, "1e+300"),
        ("c" * 10_000, "c" * 199 + "…"),
    ],
)
def test_a_code_is_an_integer_or_a_text(code: object, expected: object) -> None:
    found = finished(an_answer("failed", error={"code": code, "title": "t"})).error
    assert found is not None
    assert found.code == expected
    assert type(found.code) is type(expected)


def test_a_code_alone_is_a_reason() -> None:
    found = finished(an_answer("failed", error={"code": 3001})).error
    assert found == TaskError("provider", 3001, "The task failed", None)


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        (None, None),
        (False, None),
        ([], None),
        ({}, None),
        (True, "true"),
        (1.5, "1.5"),
        (["why"], '["why"]'),
        ({"why": 1}, '{"why": 1}'),
        ({"why": "é" * 10_000}, '{"why": "' + "é" * (MAX_DETAIL_CHARS - 10) + "…"),
    ],
)
def test_a_detail_that_is_no_text_is_its_json_text(detail: object, text: str | None) -> None:
    found = finished(an_answer("failed", error={"title": "t", "detail": detail})).error
    assert found == TaskError("provider", None, "t", text)


def test_title_and_detail_are_bounded() -> None:
    found = finished(an_answer("failed", error={"title": "t" * 10_000, "detail": "d" * 10_000})).error
    assert found is not None
    assert found.detail is not None
    assert (len(found.title), len(found.detail)) == (MAX_TITLE_CHARS, MAX_DETAIL_CHARS)


def test_a_cancelled_task_has_an_error_only_if_the_provider_gives_one() -> None:
    assert finished(an_answer("cancelled")).error is None
    found = finished(an_answer("cancelled", error={"detail": "by an admin"})).error
    assert found == TaskError("provider", None, "The task was cancelled", "by an admin")


def test_a_completed_task_has_no_error() -> None:
    assert finished(an_answer("completed", error={"code": 0, "title": "ok"})).error is None


@pytest.mark.parametrize(
    "stamp",
    [None, True, 1e300, "5", "", "yesterday", [], "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59"],
)
def test_a_stamp_that_cannot_be_read_is_none(stamp: object) -> None:
    found = finished(an_answer("completed", created_at=stamp, updated_at=stamp))
    assert (found.created_at, found.finished_at) == (None, None)


# ---- the payload, and the key


@pytest.mark.parametrize(
    "body",
    [
        ' {\n "task_info": {"status" : "completed"}, "n": [1.0, 1e2, 0.10, 18446744073709551615]}\r\n',
        '{"task_info":{"status":"failed"},"x":"\\u00e9\\/ é 😀 \u2028"}',
    ],
)
def test_the_payload_is_the_answer_to_the_byte(body: str) -> None:
    found = judge_body(body)
    assert isinstance(found, Finished)
    assert found.payload == body


def texts_of(verdict: ReplyVerdict) -> str:
    """All that a verdict carries, as one text; escapes of the payload are resolved."""
    payload = payload_of(verdict) if isinstance(verdict, Finished) else None
    return "\n".join([str(verdict), str(payload)])


WITH_KEY = [
    HttpReply(200, body=json.dumps(an_answer(f"odd {KEY}")).encode()),
    HttpReply(200, body=json.dumps(an_answer("x" * (MAX_STATUS_CHARS - 10) + KEY)).encode()),
    HttpReply(200, body=json.dumps(an_answer("completed", id=KEY)).encode()),
    HttpReply(
        200,
        body=json.dumps(an_answer("completed", beside={"images": [f"https://x/{KEY}"], KEY: KEY})).encode(),
    ),
    HttpReply(
        200, body=json.dumps(an_answer("failed", error={"code": KEY, "title": KEY, "detail": KEY})).encode()
    ),
    HttpReply(200, body=json.dumps(an_answer("failed", error={"title": KEY})).replace("/", "\\/").encode()),
    HttpReply(
        200, body=json.dumps(an_answer("failed", error={"title": KEY})).replace("sk", "\\u0073k").encode()
    ),
    HttpReply(302, {"location": f"https://example.com/{KEY}"}),
    HttpReply(302, {"location": f"https://{KEY}.example.com/"}),
    HttpReply(302, {"location": f"https://u:{KEY}@example.com/"}),
    HttpReply(401, body=KEY.encode()),
    HttpReply(401, body=json.dumps({"message": f"bad key {KEY}"}).replace("/", "\\/").encode()),
    HttpReply(422, body=json.dumps({KEY: 1}).encode()),
    HttpReply(500, body=b"x" * 190 + KEY.encode()),
    HttpReply(403, body=f"<title>{KEY}</title>".replace("/", "&#47;", 1).encode()),
    HttpReply(403, body=f"<e><k>{KEY}</k></e>".encode()),
    HttpReply(404, body=json.dumps({"title": KEY}).encode()),
    HttpReply(503, {"retry-after": f"after {KEY}"}),
    HttpReply(200, {"retry-after": KEY}, json.dumps(an_answer("processing")).encode()),
    HttpReply(200, {"content-encoding": KEY}, b"{"),
    HttpReply(200, {"content-encoding": "gzip"}, gzip.compress(json.dumps(an_answer(KEY)).encode(), mtime=0)),
    HttpReply(200, body=json.dumps(an_answer("failed", error=[KEY])).encode("utf-16")),
    HttpReply(200, body=json.dumps(an_answer("failed") | {KEY: [KEY]}).encode() + b" "),
    NoReply(FailureKind.TLS, f"bad header {KEY}"),
    NoReply(FailureKind.TLS, "x" * 190 + KEY),
]


@pytest.mark.threat(17)
@pytest.mark.parametrize("exchange", WITH_KEY)
def test_no_verdict_quotes_the_key_or_a_part_of_it(exchange: Exchange) -> None:
    """Wherever the provider has put it."""
    assert KEY[:6] not in texts_of(judge(exchange))


def test_only_the_key_is_replaced() -> None:
    body = '{ "task_info":{"status":"completed" }, "said": "Bearer ' + KEY + ' is fine", "n":1.0 }'
    found = judge_body(body)
    assert isinstance(found, Finished)
    assert found.payload == body.replace(KEY, "***")


# ---- places


@pytest.mark.parametrize(
    "place",
    [
        "task_info..status",
        "]",
        "nope(@)",
        "length(`1`)",
        "sort_by(@, &x)",
        "a[::0]",
        "join(`,`, [task_info])",
    ],
)
@pytest.mark.parametrize("field", ["status", "id"])
def test_an_expression_of_status_or_id_that_fails_makes_it_unclear(place: str, field: str) -> None:
    description = replace(MULEROUTER, **{field: place})  # type: ignore[arg-type]
    found = judge_json(an_answer("failed"), description)
    assert isinstance(found, Inconclusive | Finished)
    if place != "a[::0]":  # which is nothing, and no error
        assert "does not fit the expression" in unclear(found)


@pytest.mark.fault(105)
@pytest.mark.parametrize(
    "place", ["task_info..status", "]", "nope(@)", "length(`1`)", "sort_by(@, &x)", "join(`,`, [task_info])"]
)
@pytest.mark.parametrize("field", ["created_at", "finished_at", "outputs", "error_code"])
def test_any_other_expression_that_fails_is_null_with_a_note(place: str, field: str) -> None:
    """The outcome is told."""
    description = replace(MULEROUTER, **{field: place})  # type: ignore[arg-type]
    found = finished(an_answer("failed"), description)
    assert found.notes == (PayloadNote(NoteCode.EXPRESSION_FAILED, {"place": repr(place)}),)


def test_an_empty_place_is_nothing() -> None:
    description = replace(MULEROUTER, id="", created_at="", finished_at="", error_code="")
    found = finished(an_answer("failed", id="other", created_at="2026-11-23T11:58:00Z"), description)
    assert (found.created_at, found.finished_at) == (None, None)


def test_another_provider_is_a_table() -> None:
    dashscope = ProviderDescription(
        status="output.task_status",
        id="output.task_id",
        outputs="output.results[].url",
        error_title="output.code",
        error_detail="output.message",
        words={
            "running": ("PENDING", "RUNNING"),
            "completed": ("SUCCEEDED",),
            "failed": ("FAILED", "UNKNOWN"),
        },
    )
    done = {"output": {"task_id": TASK, "task_status": "SUCCEEDED", "results": [{"url": "u"}, {"code": "x"}]}}
    assert finished(done, dashscope).outputs == ("u",)
    gone = {"output": {"task_id": TASK, "task_status": "unknown", "code": "Gone", "message": "expired"}}
    assert finished(gone, dashscope).error == TaskError("provider", None, "Gone", "expired")
    odd = judge_json({"output": {"task_id": TASK, "task_status": "canceled"}}, dashscope)
    assert isinstance(odd, Running)
    assert odd.oddity is not None


# ---- fuzz

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["completed", TASK]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
INFOS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES | st.just(TASK),
        "status": VALUES | st.sampled_from(["completed", "failed", "processing", "cancelled"]),
        "created_at": VALUES,
        "updated_at": VALUES,
        "error": VALUES
        | st.fixed_dictionaries({}, optional={"code": VALUES, "title": VALUES, "detail": VALUES}),
    },
)
DOCUMENTS = VALUES | st.fixed_dictionaries(
    {}, optional={"task_info": INFOS | VALUES, "images": VALUES, "videos": VALUES, "image": VALUES}
)
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "location", "content-type"]), st.text())


def check(verdict: ReplyVerdict, reply: HttpReply) -> None:
    """What holds for every verdict, whatever was answered."""
    if isinstance(verdict, Finished):
        assert 200 <= reply.status <= 299
        if verdict.payload is not None:
            json.loads(verdict.payload, parse_constant=pytest.fail)
            verdict.payload.encode()
        assert len(verdict.outputs) <= 1_000
        assert verdict.state in {WatchState.COMPLETED, WatchState.FAILED, WatchState.CANCELLED}
        assert (verdict.error is not None) or verdict.state is not WatchState.FAILED
    if isinstance(verdict, Inconclusive):
        assert verdict.cause.text().isprintable()
        assert 0 < len(verdict.cause.text()) < 500
    str(verdict).encode()


@pytest.mark.fault(53, 54)
@given(st.binary(), st.integers(100, 599), HEADERS, st.booleans())
@example(b"[" * 200_000, 200, {}, False)
@example(b'{"task_info":' * 200_000, 200, {}, False)
@example(b'{"a":1,"a":' + b"[" * 200_000, 200, {}, False)
@example(b"<" * 200_000, 403, {}, False)
@example(b"<title" * 20_000, 500, {}, False)
@example(b'"\\' * 50_000, 500, {}, False)
@example(b"\x1f\x8b" * 50_000, 200, {"content-encoding": "gzip"}, False)
def test_no_bytes_make_it_raise(body: bytes, status: int, headers: dict[str, str], is_cut: bool) -> None:
    """Not even such as are no JSON."""
    reply = HttpReply(status, headers, body, is_cut=is_cut)
    check(judge(reply), reply)
    judge_attempt(reply, url="http://127.0.0.1/", now=NOW)


@pytest.mark.fault(54)
@given(DOCUMENTS)
def test_no_json_makes_it_raise(document: object) -> None:
    """Whatever types stand where."""
    reply = HttpReply(200, body=json.dumps(document).encode())
    check(judge(reply), reply)


@given(st.integers(0, 400), st.sampled_from([b"", b" ", b"\xff", b"}", b"\x00"]))
def test_no_truncation_of_an_outcome_is_an_outcome(cut_at: int, tail: bytes) -> None:
    whole = json.dumps(an_answer("completed", beside={"images": ["https://example.com/1.jpg"]})).encode()
    found = judge_body(whole[: min(cut_at, len(whole) - 1)] + tail)
    assert isinstance(found, Inconclusive) or tail == b"}"


def strings_in(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in strings_in(item)]
        case dict():
            return [*value, *strings_in(list(value.values()))]
        case _:
            return []


@pytest.mark.threat(17)
@given(DOCUMENTS, st.text(min_size=4), st.booleans())
@example({"title": "a****b"}, "****", True)
@example("x", "completed", True)
@example("x", "true", False)
def test_no_json_gets_the_key_through(said: object, key: str, is_ascii: bool) -> None:
    """However it is escaped."""
    error = {"code": key, "title": f"a {key}", "detail": f"{key}{key}"}
    document = an_answer("failed", error=error, beside={"said": said, key + "x": 1, "images": [f"/{key}"]})
    found = judge(HttpReply(200, body=json.dumps(document, ensure_ascii=is_ascii).encode()), key=key)
    if isinstance(found, Finished):
        assert found.error is not None
        texts = [*found.outputs, str(found.error.code), found.error.title, str(found.error.detail)]
        assert not [text for text in texts + strings_in(payload_of(found)) if key in text]
