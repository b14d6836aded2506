"""Verifying a callback: what is taken, what is refused and by which name."""

import base64
from typing import Any

import pytest
from starlette.datastructures import Headers as StarletteHeaders

from notifier.client import BadEvent, BadSecret, BadSignature, verify
from notifier.core.delivery.signature import entry_of, make_secret, sign
from notifier.core.event_body import build_event, mark_expired
from notifier.core.model import TaskError, Watch, WatchState
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.core.secret import Secret
from tests.builders import OUTPUT, end, new_watch
from tests.fakes import NOON

NOW_S = NOON / 1_000
ONE = make_secret(b"1" * 32).reveal()
OTHER = make_secret(b"2" * 32).reveal()
PING = b'{"id":"evt_1","type":"ping","timestamp":"2026-11-23T12:00:00.000Z","data":{"message":"hello"}}'


def signed(body: bytes, *secrets: str, at_s: float = NOW_S, name: str = "evt_1") -> dict[str, str]:
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at_s)),
        "webhook-signature": sign([Secret(each) for each in secrets or (ONE,)], name, int(at_s), body),
    }


def told(state: WatchState = WatchState.COMPLETED, **over: Any) -> bytes:
    """The body that the daemon makes of an end."""
    new = new_watch(metadata='{"order": 42, "big": 18446744073709551615}')
    watch = Watch(
        id="wch_1", provider=new.provider, api_path=new.api_path, task_id=new.task_id, state=state,
        callbacks=new.callbacks, metadata=new.metadata, registered_at=NOON, expires_at=NOON + 1, due_at=None,
    )  # fmt: skip
    return build_event(watch, end(state, **over), event_id="evt_1", now=NOON + 5).body


def test_a_completed_task_is_read_with_all_it_says() -> None:
    """Instants are aware; metadata and payload are as they were."""
    payload = '{"task_info": {"n": 1e999, "huge": 123456789012345678901234567890}}'
    body = told(payload=payload, result_expires_at=NOON + 60_000)
    event = verify(body, signed(body), ONE, now_s=NOW_S)
    assert (event.id, event.type, event.data.status) == ("evt_1", "task.completed", "completed")
    assert event.data.metadata == {"order": 42, "big": 18446744073709551615}
    assert event.data.outputs == [OUTPUT]
    assert event.data.payload["task_info"]["huge"] == 123456789012345678901234567890
    assert bytes(event.data.payload_json) == payload.encode()
    assert event.timestamp.timestamp() * 1_000 == NOON + 5
    assert event.data.result_expires_at is not None
    assert not event.data.expired


def test_a_note_on_the_payload_is_read() -> None:
    """Nothing if there is none."""
    note = PayloadNote(NoteCode.OUTPUTS_CUT, {"limit": 1_000})
    for notes, text in (((note,), "outputs cut: only the first 1000 are told"), ((), None)):
        body = told(notes=notes)
        assert verify(body, signed(body), ONE, now_s=NOW_S).data.payload_note == text


def test_an_end_by_us_has_no_payload_and_says_whose_word_it_is() -> None:
    body = told(WatchState.EXPIRED, error=TaskError("notifier", None, "Deadline passed", None))
    event = verify(body, signed(body), ONE, now_s=NOW_S)
    assert event.data.payload is None
    assert event.data.error is not None
    assert event.data.error.source == "notifier"


def test_a_result_that_came_too_late_says_so() -> None:
    body = mark_expired(told())
    assert verify(body, signed(body), ONE, now_s=NOW_S).data.expired


def test_a_type_of_another_day_is_read_too() -> None:
    """`notifier test-callback` sends a ping, which tells of no task."""
    event = verify(PING, signed(PING), ONE, now_s=NOW_S)
    assert (event.type, event.data.task_id) == ("ping", "")


def test_the_published_vector_gets_past_the_signature() -> None:
    """Of Standard Webhooks; what it signs is no event of ours, and that is said by another name."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    with pytest.raises(BadEvent):
        verify(
            b'{"test": 2432232314}', headers, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", now_s=1_614_265_330
        )


@pytest.mark.parametrize("secrets", [[OTHER, ONE], (ONE, OTHER), f"{OTHER}\n{ONE}\n"])
def test_one_of_several_secrets_is_enough(secrets: str | list[str]) -> None:
    """While receivers go from one to the next; also as `notifier secret show` prints the two."""
    assert verify(PING, signed(PING, ONE), secrets, now_s=NOW_S).id == "evt_1"
    assert verify(PING, signed(PING, OTHER, ONE), ONE, now_s=NOW_S).id == "evt_1"


@pytest.mark.parametrize("off_s", [-300, 300])
def test_five_minutes_either_way_are_borne(off_s: int) -> None:
    assert verify(PING, signed(PING), ONE, now_s=NOW_S + off_s).id == "evt_1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"webhook-signature": "v1,AAAA"}, "no signature matches"),
        ({"webhook-signature": "v2,x"}, "no v1 entry"),
        ({"webhook-id": "evt_2"}, "no signature matches"),
        ({"webhook-timestamp": str(int(NOW_S) + 1)}, "no signature matches"),
        ({"webhook-timestamp": str(int(NOW_S) - 301)}, "301 s old"),
        ({"webhook-timestamp": str(int(NOW_S) + 301)}, "301 s ahead"),
        ({"webhook-timestamp": "now"}, "whole number"),
        ({"webhook-signature": None}, "missing header: webhook-signature"),
    ],
)
def test_what_was_changed_is_refused(change: dict[str, str | None], words: str) -> None:
    """A repeat of an old message, a changed header, a missing one."""
    headers = {name: value for name, value in (signed(PING) | change).items() if value is not None}
    with pytest.raises(BadSignature, match=words):
        verify(PING, headers, ONE, now_s=NOW_S)


def test_a_changed_body_and_a_strange_secret_are_refused() -> None:
    with pytest.raises(BadSignature):
        verify(PING + b" ", signed(PING), ONE, now_s=NOW_S)
    with pytest.raises(BadSignature):
        verify(PING, signed(PING), OTHER, now_s=NOW_S)


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_***", [], [ONE, ""]])
def test_a_secret_that_is_none_is_the_receivers_fault(secret: str | list[str]) -> None:
    """An empty variable must not make every message pass, nor look like a forged one."""
    with pytest.raises(BadSecret):
        verify(PING, signed(PING), secret, now_s=NOW_S)


@pytest.mark.parametrize("body", ["{}", {"id": 1}, None])
def test_only_the_bytes_that_came_can_be_verified(body: Any) -> None:
    with pytest.raises(TypeError, match="as received"):
        verify(body, {}, ONE, now_s=NOW_S)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"id":"evt_1"}', b"[" * 5_000])
def test_what_is_signed_but_no_event_has_its_own_name(body: bytes) -> None:
    with pytest.raises(BadEvent):
        verify(body, signed(body), ONE, now_s=NOW_S)


def test_headers_come_as_the_framework_has_them() -> None:
    """In any case, from a mapping that knows pairs."""
    loud = {name.title(): value for name, value in signed(PING).items()}
    assert verify(bytearray(PING), loud, ONE, now_s=NOW_S).id == "evt_1"
    assert verify(memoryview(PING), StarletteHeaders(signed(PING)), ONE, now_s=NOW_S).id == "evt_1"


def test_without_a_time_the_clock_is_asked() -> None:
    with pytest.raises(BadSignature, match="s old"):
        verify(PING, signed(PING, at_s=1), ONE)


def test_the_key_may_be_any_that_can_sign() -> None:
    """Other senders' secrets of 24 to 64 bytes."""
    key = bytes(range(64))
    headers = signed(PING) | {"webhook-signature": entry_of(key, "evt_1", str(int(NOW_S)), PING)}
    secret = "whsec_" + base64.b64encode(key).decode()
    assert verify(PING, headers, secret, now_s=NOW_S).type == "ping"
