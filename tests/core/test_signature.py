import base64
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.delivery.signature import (
    BadSecret,
    BadSignature,
    digest_of,
    entry_of,
    key_of,
    make_secret,
    sign,
    signed_part,
    verify,
)
from notifier.core.secret import Secret
from tests.core.texts import any_text

NOW_S = int(datetime.now(UTC).timestamp())  # the foreign verifiers read the clock themselves
NOW = NOW_S * 1_000
ONE = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = Secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
ID = "evt_01HF7YAT00000000000000003V"
keys = st.binary(min_size=24, max_size=64)
bodies = st.text(st.characters(codec="utf-8")).map(str.encode)


def headers(secrets: list[Secret], body: bytes, *, at_s: int = NOW_S) -> dict[str, str]:
    return {
        "webhook-id": ID,
        "webhook-timestamp": str(at_s),
        "webhook-signature": sign(secrets, ID, at_s, body),
    }


@pytest.mark.parametrize(
    ("key", "message_id", "timestamp", "body", "entry"),
    [
        (
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
            b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553",
            b'{"email":"test@example.com","username":"test_user"}',
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", "1731705121",
            b'{"event_type":"ping","data":{"success":true}}',
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ),
    ],
)  # fmt: skip
def test_the_published_vectors(key: str, message_id: str, timestamp: str, body: bytes, entry: str) -> None:
    """Of the libraries of Standard Webhooks and of Svix."""
    assert entry_of(base64.b64decode(key), message_id, timestamp, body) == entry


def test_the_published_vectors_hold_from_the_secret_on() -> None:
    signature = sign([ONE], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# The first vector's message signed with Ed25519, from the tests of Svix: of another version than ours.
ED25519_PAIR = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
ED25519_PUBLIC = "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
VECTOR_AT = 1_614_265_330
VECTOR = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": str(VECTOR_AT)}


def test_the_published_vector_of_v1a_signs_the_same_bytes_as_ours() -> None:
    """We make no v1a signatures; what one is over is the very text that ours are over."""
    signed = signed_part(VECTOR["webhook-id"], VECTOR["webhook-timestamp"], b'{"test": 2432232314}')
    signature = base64.b64decode(V1A.removeprefix("v1a,"))
    pair = base64.b64decode(ED25519_PAIR)
    assert Ed25519PrivateKey.from_private_bytes(pair[:32]).sign(signed) == signature
    assert pair[32:] == base64.b64decode(ED25519_PUBLIC)
    Ed25519PublicKey.from_public_bytes(pair[32:]).verify(signature, signed)  # raises if it does not fit


@pytest.mark.parametrize("entries", [f"{V1A} {V1}", f"{V1} {V1A}"])
def test_a_v1a_entry_beside_ours_is_passed_over(entries: str) -> None:
    """The first vector carried both at once: the one that we know decides."""
    verify([ONE], {**VECTOR, "webhook-signature": entries}, b'{"test": 2432232314}', now=VECTOR_AT * 1_000)


def test_a_v1a_entry_alone_proves_nothing_to_us() -> None:
    """Good as it is: it is no v1 entry, and never taken for one."""
    with pytest.raises(BadSignature, match="no v1 entry"):
        verify([ONE], {**VECTOR, "webhook-signature": V1A}, b'{"test": 2432232314}', now=VECTOR_AT * 1_000)


def test_the_published_vector_of_github_is_our_digest_in_hex() -> None:
    """GitHub signs the body alone and writes it in hex; the digest over exact bytes is the same."""
    digest = digest_of(b"It's a Secret to Everybody", b"Hello, World!")
    assert digest.hex() == "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_githubs_signature_proves_nothing_to_us() -> None:
    """It covers neither id nor time, so that anyone could send it again for ever."""
    digest = digest_of(key_of(ONE), b"{}").hex()
    with pytest.raises(BadSignature, match="missing header"):
        verify([ONE], {"X-Hub-Signature-256": f"sha256={digest}"}, b"{}", now=NOW)
    for value in (f"sha256={digest}", f"v1,{digest}"):
        with pytest.raises(BadSignature):
            verify([ONE], {**headers([ONE], b"{}"), "webhook-signature": value}, b"{}", now=NOW)


@pytest.mark.threat(15)
@given(keys, bodies)
def test_foreign_verifiers_take_our_signature(key: bytes, body: bytes) -> None:
    """Two libraries that others wrote."""
    at_s = int(datetime.now(UTC).timestamp())  # anew: a run of all tests takes longer than their five minutes
    secret = make_secret(key)
    sent = headers([OTHER, secret], body, at_s=at_s)
    standardwebhooks.Webhook(secret.reveal()).verify(body, sent, json_parse=False)
    svix.webhooks.Webhook(secret.reveal()).verify(body, sent)
    verify([secret], sent, body, now=at_s * 1_000)


@given(keys, bodies)
def test_foreign_verifiers_refuse_what_we_refuse(key: bytes, body: bytes) -> None:
    secret = make_secret(key)
    sent = headers([secret], body)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret.reveal()).verify(body + b" ", sent, json_parse=False)
    with pytest.raises(BadSignature):
        verify([secret], sent, body + b" ", now=NOW)


@pytest.mark.threat(15)
@given(st.binary())
def test_any_bytes_can_be_signed_and_verified(body: bytes) -> None:
    """What is signed are the bytes that are sent."""
    verify([ONE], headers([ONE], body), body, now=NOW)


@pytest.mark.threat(14)
def test_while_secrets_rotate_either_side_may_be_ahead() -> None:
    """One signature a secret; one that fits is enough."""
    third = make_secret(b"3" * 32)
    sent = headers([ONE, OTHER], b"{}")
    assert sent["webhook-signature"].count("v1,") == 2
    verify([ONE], sent, b"{}", now=NOW)
    verify([OTHER], sent, b"{}", now=NOW)
    verify([third, OTHER], sent, b"{}", now=NOW)
    with pytest.raises(BadSignature, match="no signature matches"):
        verify([third], sent, b"{}", now=NOW)
    with pytest.raises(BadSignature, match="no signature matches"):
        verify([], sent, b"{}", now=NOW)


def test_header_names_may_have_any_case_and_foreign_entries_are_passed_over() -> None:
    sent = {name.title(): value for name, value in headers([ONE], b"{}").items()}
    sent["Webhook-Signature"] = "v1a,abc nonsense v1 v2,x " + sent["Webhook-Signature"]
    verify([ONE], sent, b"{}", now=NOW)


@pytest.mark.parametrize("age_s", [-300, -1, 0, 1, 300])
def test_a_message_within_five_minutes_is_taken(age_s: int) -> None:
    verify([ONE], headers([ONE], b"{}", at_s=NOW_S - age_s), b"{}", now=NOW)


@pytest.mark.threat(14)
@pytest.mark.parametrize(("age_s", "why"), [(301, "301 s old"), (-301, "301 s ahead"), (86_400, "old")])
def test_a_message_of_another_time_is_refused_though_its_signature_is_good(age_s: int, why: str) -> None:
    """More than five minutes off, either way."""
    with pytest.raises(BadSignature, match=why):
        verify([ONE], headers([ONE], b"{}", at_s=NOW_S - age_s), b"{}", now=NOW)


def _without(name: str) -> Callable[[dict[str, str]], None]:
    return lambda sent: sent.__delitem__(name)


def _with(name: str, value: str) -> Callable[[dict[str, str]], None]:
    return lambda sent: sent.__setitem__(name, value)


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (_without("webhook-id"), "missing header: webhook-id"),
        (_without("webhook-timestamp"), "missing header: webhook-timestamp"),
        (_without("webhook-signature"), "missing header: webhook-signature"),
        (_with("webhook-id", "evt_other"), "no signature matches"),
        (_with("webhook-id", "\ud800"), "no signature matches"),
        (_with("webhook-timestamp", str(NOW_S + 1)), "no signature matches"),
        (_with("webhook-timestamp", f"0{NOW_S}"), "no signature matches"),
        (_with("webhook-timestamp", f"{NOW_S}.0"), "whole number"),
        (_with("webhook-timestamp", ""), "whole number"),
        (_with("webhook-timestamp", "-5"), "whole number"),
        (_with("webhook-timestamp", "٣"), "whole number"),
        (_with("webhook-timestamp", "9" * 5_000), "whole number"),
        (_with("webhook-signature", ""), "no v1 entry"),
        (_with("webhook-signature", "v1"), "no v1 entry"),
        (_with("webhook-signature", "v1a,AAAA"), "no v1 entry"),
        (_with("webhook-signature", "v1,"), "no signature matches"),
        (_with("webhook-signature", "v1,é\ud800"), "no signature matches"),
    ],
)
def test_what_was_tampered_with_is_refused_with_words(
    tamper: Callable[[dict[str, str]], None], why: str
) -> None:
    sent = headers([ONE], b"{}")
    tamper(sent)
    with pytest.raises(BadSignature, match=why):
        verify([ONE], sent, b"{}", now=NOW)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), any_text))
def test_verifying_garbage_raises_nothing_else(sent: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify([ONE], sent, b"{}", now=NOW)


@given(keys)
def test_a_made_secret_holds_its_bytes(key: bytes) -> None:
    assert key_of(make_secret(key)) == key


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "starts with whsec_"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "starts with whsec_"),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "starts with whsec_"),
        ("whsec_", "not 0"),
        ("whsec_plJ3nmyCDGBKInavdOK15jsl", "24 to 64 bytes, not 18"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "not 23"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "not 65"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSé", "not base64"),
    ],
)
def test_a_bad_secret_is_refused_without_being_quoted(text: str, why: str) -> None:
    with pytest.raises(BadSecret, match=why) as refused:
        key_of(Secret(text))
    quoted = text.removeprefix("whsec_")[:12]
    assert not quoted or quoted not in str(refused.value)
