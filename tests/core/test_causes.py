"""A cause is one code, one text and one remedy, whatever strangers write into its parameters."""

import json
import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.causes.cause import (
    ATTEMPT,
    DAEMON,
    Audience,
    Cause,
    Condition,
    EndpointSubject,
    ProviderSubject,
    Subject,
)
from notifier.core.causes.failures import FAILURE_CODES, find_attempt_fix
from notifier.core.causes.table import CAUSES, Code, Template
from notifier.core.circuit_breaker import CircuitBreaker
from notifier.core.delivery.endpoint import EndpointHealth, Suspension, find_hold_cause
from notifier.core.delivery.judge_attempt import classify_failure
from notifier.core.exchange import FailureKind, HttpReply, NoReply
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.judge_reply import ReplyVerdict
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.verdict import AccountRefused, Inconclusive, Running, Throttled
from notifier.core.secret import Secret
from notifier.store.sqlite.errors import error_to_unavailable
from tests.builders import DISK_FULL, KEY_REFUSED, answered
from tests.core.texts import any_text
from tests.fakes import NOON

PLACE = re.compile(r"\{(?:[^{}\[\]]*\[)?(\w+)\]?[^{}\[\]]*\}")
SUBJECTS = (DAEMON, ProviderSubject("mulerouter"), EndpointSubject("ep_1", "http://x/hook"), ATTEMPT)
HOSTILE = (
    "disk is damaged",
    "locked",
    "waiting (402)",
    'is full" of "quotes (401)',
    "not configured",
    "{word} {[word]} {0} {key}",
    "{key, key from [key_origin]}",
    r"\g<0> \1 %s $word",
    "a provider: no connection",
    "since 2026-11-23T12:00:00.000Z",
)
"""What a provider might say; each was a sign of another cause, or is markup of a template."""


def parameters(code: Code) -> list[str]:
    """The names of the parameters in the text of a cause, and in its remedy but for those of the subject."""
    names = PLACE.findall(CAUSES[code].text + CAUSES[code].fix)
    return [name for name in dict.fromkeys(names) if name != "key"]


def judge(reply: HttpReply | NoReply, key: Secret | None = None) -> ReplyVerdict:
    return judge_poll(reply, task_id="t", description=ProviderDescription(), key=key, now=0)


def status_reply(word: str) -> HttpReply:
    return HttpReply(200, {}, json.dumps({"task_info": {"id": "t", "status": word}}).encode())


# ---- the table


def test_the_table_has_every_code_and_no_other() -> None:
    assert set(CAUSES) == set(Code)


@pytest.mark.parametrize(("code", "template"), CAUSES.items(), ids=[str(code) for code in CAUSES])
def test_every_code_has_a_text_and_a_remedy_or_a_reason_why_none(code: Code, template: Template) -> None:
    """Whoever adds a cause decides what an operator is to do about it."""
    assert template.text, code
    has_remedy = bool(template.fix or template.endpoint_fix)
    assert has_remedy or template.no_fix
    assert not (template.fix and template.no_fix), "a remedy needs no reason why there is none"
    assert Cause(code).text() or parameters(code), "only a missing parameter may leave a text empty"


@pytest.mark.parametrize("code", Code)
def test_the_name_of_a_code_is_its_value_in_capitals(code: Code) -> None:
    """What is searched for in a database is found in the code."""
    assert code.name == code.value.upper()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code.value)


# ---- parameters


def fill_all(code: Code, value: str | None) -> Cause:
    """The cause with every parameter it can have; with no value, each is a mark of its own."""
    return Cause(code, {name: f"\ue000{name}\ue001" if value is None else value for name in parameters(code)})


def swap(marked: str, value: str) -> str:
    """Put ``value`` in place of every mark, in one pass."""
    return re.sub("\ue000\\w+\ue001", lambda _: value, marked)


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_stays_inside_its_place(code: Code, value: str) -> None:
    """All else of text and remedy is as with any other value: nothing is expanded twice."""
    marked, hostile = fill_all(code, None), fill_all(code, value)
    for audience in Audience:
        assert hostile.text(audience) == swap(marked.text(audience), value)
    for subject in SUBJECTS:
        assert hostile.fix(subject) == swap(marked.fix(subject), value)


@given(st.sampled_from(Code), any_text.filter(bool))
def test_any_value_stays_inside_its_place(code: Code, value: str) -> None:
    """The same for texts that nobody has thought of."""
    assert fill_all(code, value).text() == swap(fill_all(code, None).text(), value)


@pytest.mark.parametrize("value", HOSTILE)
def test_the_subject_of_a_remedy_stays_inside_its_place(value: str) -> None:
    """A callback URL is a user's, and a provider's name comes from a file."""
    fix = answered(503).fix(EndpointSubject(value, value))
    assert fix == swap(answered(503).fix(EndpointSubject("\ue000id\ue001", "\ue000url\ue001")), value)
    assert KEY_REFUSED.fix(ProviderSubject(value)).startswith(f"check api_key of {value}, then reload")


@pytest.mark.parametrize("code", Code)
def test_no_private_parameter_is_in_a_text_for_receivers(code: Code) -> None:
    """Callbacks leave the host; where a key lies is known to the operator alone."""
    marked, private = fill_all(code, None), CAUSES[code].private
    for name in parameters(code):
        assert (f"\ue000{name}\ue001" in marked.text(Audience.RECEIVER)) == (
            name not in private and f"\ue000{name}\ue001" in marked.text()
        )
    assert private <= set(parameters(code))
    assert "key_origin" not in set(parameters(code)) - private


def test_what_is_missing_leaves_no_trace_of_its_place() -> None:
    """A parameter may be unknown; a text never shows its template."""
    for code in Code:
        assert not re.search(r"[{}\[\]]", Cause(code).text() + "".join(Cause(code).fix(s) for s in SUBJECTS))


def test_causes_are_the_same_where_code_and_parameters_are_equal() -> None:
    """The order of the parameters does not matter, their texts do not either."""
    one = Cause(Code.DISK_FAILED, {"file": "a", "detail": "b"})
    assert one == Cause(Code.DISK_FAILED, {"detail": "b", "file": "a"})
    assert hash(one) == hash(Cause(Code.DISK_FAILED, {"detail": "b", "file": "a"}))
    assert one != Cause(Code.DISK_FAILED, {"file": "a", "detail": "c"})
    assert one != Cause(Code.COMMIT_UNCERTAIN, {"file": "a", "detail": "b"})
    assert Cause(Code.TLS_FAILED).text() == Cause(Code.TLS_NOT_SPOKEN).text()
    assert Cause(Code.TLS_FAILED) != Cause(Code.TLS_NOT_SPOKEN)


def test_a_condition_says_since_when_where_that_is_known() -> None:
    refused = Cause(Code.PROVIDER_KEY_REFUSED, {"key_origin": "file /etc/a since 2 key"})
    since = " since 2026-11-23T12:00:00.000Z"
    assert Condition(refused).text() == "provider refuses the key (401), key from file /etc/a since 2 key"
    assert Condition(refused, NOON).text() == Condition(refused).text() + since
    assert Condition(refused, NOON).text(Audience.RECEIVER) == f"provider refuses the key (401){since}"


# ---- what the judges make


@pytest.mark.parametrize("word", [*HOSTILE, "not\nconfigured\r\n\t", "x\x1b[2J\u202e\x7f", "y" * 10_000])
def test_the_words_of_a_provider_choose_no_remedy(word: str) -> None:
    """A status word is a parameter: it is quoted on one line, cut, and read by nobody for a sign."""
    verdict = judge(status_reply(word))
    assert isinstance(verdict, Running)
    assert verdict.oddity is not None
    assert verdict.oddity.code is Code.PROVIDER_STATUS_UNKNOWN
    quoted = verdict.oddity.params["word"]
    assert verdict.oddity.text() == f'provider says "{quoted}", a status we do not know'
    assert verdict.oddity.text().isprintable()
    assert len(verdict.oddity.text()) < 300
    assert [verdict.oddity.fix(subject) for subject in SUBJECTS] == [""] * len(SUBJECTS)
    if word in HOSTILE:
        assert quoted == word


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (lambda text: NoReply(FailureKind.DNS, text), Code.DNS_FAILED),
        (lambda text: NoReply(FailureKind.TOO_LARGE, text), Code.BODY_TOO_LARGE),
        (lambda text: HttpReply(302, {"location": f"https://{text}"}), Code.PROVIDER_REDIRECT),
        (
            lambda text: HttpReply(200, {}, json.dumps({"task_info": {"id": text, "status": "x"}}).encode()),
            Code.REPLY_OTHER_TASK,
        ),
    ],
    ids=["detail", "large", "location", "task"],
)
def test_no_text_of_a_peer_chooses_a_remedy(reply: object, code: Code, text: str) -> None:
    """Details of an exchange, redirects and ids of tasks are strangers' words, too."""
    verdict = judge(reply(text))  # type: ignore[operator]
    assert isinstance(verdict, Inconclusive)
    assert verdict.cause.code is code
    assert verdict.cause.text().isprintable()
    for subject in SUBJECTS:
        assert verdict.cause.fix(subject) == Cause(code).fix(subject)


FAILED_EXCHANGES = [
    *(HttpReply(status, {}) for status in (401, 402, 403, 429, 500, 503)),
    *(NoReply(kind, "") for kind in FailureKind),
]


@pytest.mark.parametrize("exchange", FAILED_EXCHANGES, ids=str)
def test_every_trouble_that_holds_a_provider_back_has_its_remedy(exchange: HttpReply | NoReply) -> None:
    verdict = judge(exchange)
    assert isinstance(verdict, AccountRefused | Throttled | Inconclusive)
    if not isinstance(verdict, Inconclusive) or verdict.is_outage:
        assert verdict.cause.fix(ProviderSubject("mulerouter"))


@pytest.mark.parametrize("code", [13, 10, 11, 5, 14])
def test_the_stores_trouble_has_its_remedy(code: int) -> None:
    """Full, failing, damaged, locked, closed off."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    fault = error_to_unavailable(error, "/x/notifier.db")
    assert fault.fix == fault.reason.fix() != ""
    assert "/x/notifier.db" in fault.cause


def test_a_key_is_named_as_its_owner_sets_it() -> None:
    """MuleRouter's by its variable, another's by its setting."""
    assert "MULEROUTER_API_KEY" in KEY_REFUSED.fix(ProviderSubject("mulerouter"))
    assert "api_key of runway" in KEY_REFUSED.fix(ProviderSubject("runway"))
    assert "api_key of the provider" in KEY_REFUSED.fix()


@pytest.mark.parametrize(
    "origin", ["KEY_OF_MINE", "file /etc/a key", "credential mule", "file /srv/keys since 2024/a.key"]
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_with_where_it_came_from(status: int, origin: str) -> None:
    """In the trouble, and in its remedy."""
    verdict = judge(HttpReply(status, {}), Secret("sk-mr-x", origin))
    assert isinstance(verdict, AccountRefused)
    assert verdict.cause.text().endswith(f"({status}), key from {origin}")
    fix = verdict.cause.fix(ProviderSubject("mulerouter"))
    assert f"{origin}, then" in fix or f"{origin} is" in fix
    assert "MULEROUTER_API_KEY" not in fix


def test_a_path_with_a_line_break_is_named_on_one_line() -> None:
    """It is a text in the log and on a terminal."""
    verdict = judge(HttpReply(401, {}), Secret("sk-mr-x", "file /etc/a\nkey"))
    assert isinstance(verdict, AccountRefused)
    assert verdict.cause.text().endswith(", key from file /etc/a key")
    assert verdict.cause.fix().startswith("check file /etc/a key, then")


def test_what_is_not_known_has_no_remedy() -> None:
    """An empty advice is better than a wrong one."""
    assert Cause(Code.REPLY_STATUS_MISSING, {"place": "task_info.status"}).fix() == ""


# ---- endpoints and attempts


@pytest.mark.parametrize(
    ("endpoint", "sign"),
    [
        (EndpointHealth(), ""),
        (EndpointHealth(concurrency=1), ""),
        (
            EndpointHealth(CircuitBreaker(since=1, reason=answered(503))),
            "notifier test-callback http://x/hook",
        ),
        (EndpointHealth(suspension=Suspension.PAUSED), "notifier endpoints resume ep_1"),
        (EndpointHealth(suspension=Suspension.GONE), "notifier endpoints resume ep_1"),
    ],
)
def test_a_receiver_that_is_held_back_has_its_remedy(endpoint: EndpointHealth, sign: str) -> None:
    cause = find_hold_cause(endpoint)
    fix = "" if cause is None else cause.fix(EndpointSubject("ep_1", "http://x/hook"))
    assert sign in fix
    assert bool(fix) == bool(sign)


@pytest.mark.parametrize(
    "cause",
    [
        *map(answered, (301, 401, 404, 429, 500, 503)),
        *map(Cause, FAILURE_CODES.values()),
        Cause(Code.TLS_NOT_SPOKEN),
        Cause(Code.TLS_EXPECTED),
        Cause(Code.TLS_CLIENT_CERTIFICATE),
        Cause(Code.ADDRESS_NEVER_ALLOWED),
        Cause(Code.RECEIVER_REDIRECT, {"host": "x"}),
        Cause(Code.INTERNAL_ERROR, {"type": "KeyError"}),
        Cause(Code.LEGACY, {"text": "HTTP 503"}),
    ],
    ids=lambda cause: f"{cause.code} {dict(cause.params)}",
)
def test_whatever_closed_a_gate_its_endpoint_has_a_remedy(cause: Cause) -> None:
    """What is to be done does not depend on why: one looks, mends, and resumes."""
    fix = cause.fix(EndpointSubject("ep_1", "http://x/hook"))
    assert fix.startswith("`notifier test-callback http://x/hook` says what is wrong")
    assert fix.endswith("`notifier endpoints resume ep_1`")


@pytest.mark.parametrize("status", [*range(100, 200), *range(300, 600)])
def test_every_status_but_2xx_has_its_remedy(status: int) -> None:
    assert (
        find_attempt_fix(status, classify_failure(HttpReply(status))) == answered(status).fix(ATTEMPT) != ""
    )


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_kind_of_failure_has_its_remedy(kind: FailureKind) -> None:
    """By the class that is stored with the attempt."""
    fix = Cause(FAILURE_CODES[kind]).fix(ATTEMPT)
    assert find_attempt_fix(None, classify_failure(NoReply(kind, "x"))) == fix != ""


@pytest.mark.parametrize(("status", "fault"), [(204, None), (200, None), (None, None), (None, "unheard_of")])
def test_what_was_accepted_or_is_not_known_has_none(status: int | None, fault: str | None) -> None:
    assert find_attempt_fix(status, fault) == ""


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_a_disk_that_is_full_is_no_matter_of_a_receiver(subject: Subject) -> None:
    """A remedy is for its own subject."""
    assert bool(DISK_FULL.fix(subject)) == isinstance(subject, ProviderSubject)
