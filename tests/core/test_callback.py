import json
import time
from dataclasses import replace
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from notifier import __version__
from notifier.core.delivery.request_headers import build_headers
from notifier.core.delivery.signature import BadSignature, make_secret, verify
from notifier.core.event_body import build_event, mark_expired, read_payload
from notifier.core.formats.times import parse_instant
from notifier.core.model import ClaimedDelivery, EventType, TaskError, Watch, WatchState
from notifier.core.polling.decision import EndWatch
from notifier.core.polling.payload_notes import NoteCode, PayloadNote
from notifier.core.secret import Secret
from tests.core.texts import any_text


def at(text: str) -> int:
    instant = parse_instant(text)
    assert instant is not None
    return instant


NOW = at("2026-11-23T12:00:00.250Z")
PAYLOAD = (
    '{"task_info": {"id":"T1", "status":"completed","n":1.0,"m":1e2},\n "images":["https:\\/\\/h\\/1.jpg"]}'
)
METADATA = '{"order": 42, "price":0.10, "n":"\\u00e9 ☃"}'
WATCH = Watch(
    id="wch_1",
    provider="mulerouter",
    api_path="/vendors/a/v1/generation",
    task_id="T1",
    state=WatchState.WATCHING,
    callbacks=(),
    metadata=METADATA,
    registered_at=at("2026-11-23T11:58:00Z"),
    expires_at=NOW + 1,
    due_at=NOW,
    round=2,
    polls=3,
)
END = EndWatch(
    state=WatchState.COMPLETED,
    upstream_status="succeeded",
    outputs=("https://h/1.jpg", "https://h/ü.jpg"),
    error=None,
    payload=PAYLOAD,
    result_expires_at=at("2026-11-24T11:59:58Z"),
    task_created_at=None,
)
ONE = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = Secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
DISPATCH = ClaimedDelivery(
    delivery_id="dlv_1",
    event_id="evt_1",
    watch_id="wch_1",
    url="http://h/",
    headers=(("X-Order", "42"), ("Authorization", "Bearer b")),
    body='{"é":1}'.encode(),
    number=3,
    created_at=NOW,
    give_up_at=NOW,
    result_expires_at=None,
    is_maybe_duplicate=False,
)


def data_of(watch: Watch, end: EndWatch) -> dict[str, Any]:
    data = json.loads(build_event(watch, end, event_id="evt_1", now=NOW).body)["data"]
    assert isinstance(data, dict)
    return data


def test_the_body_is_what_the_contract_shows_byte_for_byte() -> None:
    event = build_event(WATCH, END, event_id="evt_1", now=NOW)
    assert event.body.decode() == (
        '{"id":"evt_1","type":"task.completed","timestamp":"2026-11-23T12:00:00.250Z",'
        '"data":{"watch_id":"wch_1","provider":"mulerouter","api_path":"/vendors/a/v1/generation","task_id":"T1",'
        f'"status":"completed","upstream_status":"succeeded","metadata":{METADATA},'
        '"outputs":["https://h/1.jpg","https://h/ü.jpg"],"result_expires_at":"2026-11-24T11:59:58.000Z","error":null,'
        '"registered_at":"2026-11-23T11:58:00.000Z","ended_at":"2026-11-23T12:00:00.250Z","polls":4,'
        f'"payload":{PAYLOAD},"payload_note":null}}}}'
    )


def test_the_notes_of_an_end_are_told_as_one_text() -> None:
    """In the order in which they were made."""
    notes = (
        PayloadNote(NoteCode.OUTPUTS_CUT, {"limit": 1_000}),
        PayloadNote(NoteCode.EXPRESSION_FAILED, {"place": "'a b'"}),
    )
    event = build_event(WATCH, replace(END, notes=notes), event_id="evt_1", now=NOW)
    assert json.loads(event.body)["data"]["payload_note"] == (
        "outputs cut: only the first 1000 are told; "
        "the reply does not fit the expression 'a b', which counts as null"
    )


@pytest.mark.parametrize("size", [len(PAYLOAD.encode()), len(PAYLOAD.encode()) + 1])
def test_a_payload_up_to_the_limit_is_in_the_body_and_nowhere_else(size: int) -> None:
    event = build_event(WATCH, END, event_id="evt_1", now=NOW, max_payload=size)
    assert event.payload is None
    assert event == build_event(WATCH, END, event_id="evt_1", now=NOW)
    assert read_payload(event.body) == PAYLOAD.encode()


def test_a_larger_payload_is_beside_the_body_with_a_note_after_the_others() -> None:
    """The limit counts bytes; the rest of the body stays as it is."""
    limit = len(PAYLOAD.encode()) - 1
    notes = (PayloadNote(NoteCode.OUTPUTS_CUT, {"limit": 1_000}),)
    event = build_event(WATCH, replace(END, notes=notes), event_id="evt_1", now=NOW, max_payload=limit)
    assert event.payload == PAYLOAD.encode()
    assert read_payload(event.body) is None
    whole = build_event(WATCH, END, event_id="evt_1", now=NOW)
    note = (
        f"outputs cut: only the first 1000 are told; payload left out: it has {limit + 1} bytes, "
        f"and callbacks.max_payload is {limit} bytes; GET /v1/watches/wch_1/payload returns it"
    )
    assert event.body.decode() == whole.body.decode().replace(
        f'"payload":{PAYLOAD},"payload_note":null', f'"payload":null,"payload_note":"{note}"'
    )


@pytest.mark.parametrize("state", [WatchState.EXPIRED, WatchState.LOST])
def test_an_end_that_is_not_the_providers_word_has_no_payload_beside_the_body(state: WatchState) -> None:
    event = build_event(WATCH, replace(END, state=state), event_id="evt_1", now=NOW, max_payload=1)
    assert (event.payload, read_payload(event.body)) == (None, None)


def test_the_event_carries_what_its_deliveries_need() -> None:
    event = build_event(WATCH, END, event_id="evt_1", now=NOW)
    assert (event.id, event.watch_id, event.round, event.at) == ("evt_1", "wch_1", 2, NOW)
    assert (event.type, event.result_expires_at) == (EventType.COMPLETED, END.result_expires_at)


@pytest.mark.parametrize("kind", list(EventType))
def test_the_state_makes_type_and_status(kind: EventType) -> None:
    state = WatchState(kind.removeprefix("task."))
    event = build_event(WATCH, replace(END, state=state), event_id="evt_1", now=NOW)
    body = json.loads(event.body)
    assert (event.type, body["type"], body["data"]["status"]) == (kind, kind, state)


@pytest.mark.parametrize("state", [WatchState.WATCHING, WatchState.STOPPED])
def test_a_state_that_tells_nothing_makes_no_event(state: WatchState) -> None:
    with pytest.raises(ValueError, match=state):
        build_event(WATCH, replace(END, state=state), event_id="evt_1", now=NOW)


@pytest.mark.parametrize("state", [WatchState.EXPIRED, WatchState.LOST])
def test_an_end_that_is_not_the_providers_word_has_no_payload(state: WatchState) -> None:
    assert data_of(WATCH, replace(END, state=state))["payload"] is None


def test_what_is_unknown_is_null_and_the_poll_counts_only_when_there_was_one() -> None:
    end = replace(
        END, payload=None, upstream_status=None, outputs=(), result_expires_at=None, is_polled=False
    )
    data = data_of(WATCH, end)
    assert [data[name] for name in ("payload", "upstream_status", "result_expires_at", "error")] == [None] * 4
    assert data["outputs"] == []
    assert data["polls"] == 3


@pytest.mark.parametrize(
    ("error", "shape"),
    [
        (
            TaskError("provider", 3001, "Invalid Request", "The prompt …"),
            '{"source":"provider","code":3001,"title":"Invalid Request","detail":"The prompt …"}',
        ),
        (
            TaskError("notifier", "expired", "deadline passed", None),
            '{"source":"notifier","code":"expired","title":"deadline passed","detail":null}',
        ),
        (TaskError("provider", None, "", ""), '{"source":"provider","code":null,"title":"","detail":""}'),
        (
            TaskError("provider", 2**70, "t", None),
            f'{{"source":"provider","code":{2**70},"title":"t","detail":null}}',
        ),
    ],
)
def test_an_error_has_source_code_title_and_detail(error: TaskError, shape: str) -> None:
    event = build_event(WATCH, replace(END, state=WatchState.FAILED, error=error), event_id="evt_1", now=NOW)
    assert f'"error":{shape},' in event.body.decode()


@given(
    st.dictionaries(any_text, any_text | st.floats(allow_nan=False, allow_infinity=False)),
    st.lists(any_text),
    any_text,
)
def test_any_metadata_and_any_text_of_a_provider_make_valid_utf8_json(
    metadata: dict[str, Any], outputs: list[str], text: str
) -> None:
    """Even half a surrogate pair, which metadata may not hold and a provider's text might."""
    watch = replace(WATCH, metadata=json.dumps(metadata))
    error = TaskError("provider", text, text, text)
    end = replace(
        END,
        state=WatchState.FAILED,
        outputs=tuple(outputs),
        error=error,
        upstream_status=text,
        payload=json.dumps(text),
    )
    data = data_of(watch, end)
    assert data["metadata"] == json.loads(json.dumps(metadata))
    assert data["payload"] == json.loads(json.dumps(text))
    assert len(data["outputs"]) == len(outputs)


def test_an_attempts_headers() -> None:
    headers = build_headers(DISPATCH, [ONE, OTHER], now=NOW)
    signature = headers["webhook-signature"]
    assert headers == {
        "X-Order": "42",
        "Authorization": "Bearer b",
        "Content-Type": "application/json",
        "User-Agent": f"notifier/{__version__}",
        "webhook-id": "evt_1",
        "webhook-timestamp": str(NOW // 1_000),
        "webhook-signature": signature,
        "notifier-attempt": "3",
    }
    assert [entry[:3] for entry in signature.split(" ")] == ["v1,", "v1,"]


def test_headers_of_the_endpoint_go_along_and_those_of_the_callback_win() -> None:
    """Names are compared without case, and no header of the endpoint overrides ours."""
    of_endpoint: dict[str, str | Secret] = {
        "authorization": Secret("Bearer endpoint"),
        "x-team": "images",
        "x-token": Secret("t"),
    }
    headers = build_headers(DISPATCH, [ONE], now=NOW, of_endpoint=of_endpoint)
    assert headers == {
        **build_headers(DISPATCH, [ONE], now=NOW),
        "x-team": "images",
        "x-token": "t",
    }


def test_a_maybe_duplicate_says_so() -> None:
    headers = build_headers(replace(DISPATCH, is_maybe_duplicate=True), [ONE], now=NOW)
    assert headers["notifier-maybe-duplicate"] == "1"


def test_the_headers_verify_and_are_fresh_for_each_attempt_of_the_same_bytes() -> None:
    first = build_headers(DISPATCH, [ONE, OTHER], now=NOW)
    later = build_headers(replace(DISPATCH, number=4), [ONE, OTHER], now=NOW + 3_600_000)
    for secret in (ONE, OTHER):
        verify([secret], first, DISPATCH.body, now=NOW)
        verify([secret], later, DISPATCH.body, now=NOW + 3_600_000)
    assert first["webhook-id"] == later["webhook-id"]
    assert first["webhook-signature"] != later["webhook-signature"]
    with pytest.raises(BadSignature, match="3600 s old"):
        verify([ONE], first, DISPATCH.body, now=NOW + 3_600_000)


@pytest.mark.parametrize(
    "name",
    [
        "webhook-id",
        "Webhook-Signature",
        "NOTIFIER-ATTEMPT",
        "content-type",
        "user-agent",
        "Host",
        "notifier-x",
    ],
)
def test_no_custom_header_overrides_ours_even_if_one_was_stored(name: str) -> None:
    forged = replace(DISPATCH, headers=((name, "forged"),))
    headers = build_headers(forged, [ONE], now=NOW)
    assert "forged" not in headers.values()
    assert headers == build_headers(replace(DISPATCH, headers=()), [ONE], now=NOW)


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(codec="utf-8")))
def test_a_foreign_verifier_takes_the_events_own_bytes(key: bytes, text: str) -> None:
    now = int(time.time() * 1_000)
    secret = make_secret(key)
    event = build_event(replace(WATCH, metadata=json.dumps({"t": text})), END, event_id="evt_1", now=now)
    headers = build_headers(replace(DISPATCH, body=event.body), [ONE, secret], now=now)
    read = standardwebhooks.Webhook(secret.reveal()).verify(event.body, dict(headers))
    assert read["data"]["metadata"] == {"t": text}


def test_a_late_body_says_that_its_result_has_expired_and_keeps_all_else() -> None:
    """``expired`` stands beside ``outputs``; payload and metadata keep their bytes; the same each time."""
    event = build_event(WATCH, END, event_id="evt_1", now=NOW)
    late = mark_expired(event.body)
    assert late == mark_expired(event.body)
    assert late.replace(b'"expired":true,', b"") == event.body
    assert json.loads(late)["data"]["expired"] is True


@pytest.mark.parametrize(("left_ms", "seconds"), [(90_500, "90"), (999, "0"), (0, "0"), (-5_000, "0")])
def test_an_attempt_says_how_long_its_result_will_last(left_ms: int, seconds: str) -> None:
    """Whole seconds from this attempt on, never below 0; nothing where the life is unknown."""
    dispatch = replace(DISPATCH, result_expires_at=NOW + left_ms)
    assert build_headers(dispatch, [ONE], now=NOW)["notifier-result-expires-in"] == seconds
    unknown = replace(DISPATCH, result_expires_at=None)
    assert "notifier-result-expires-in" not in build_headers(unknown, [ONE], now=NOW)


def test_a_trace_of_ours_takes_the_place_of_the_callbacks_own() -> None:
    """However that is written: a receiver sees one of them, and the callback's own where we have none."""
    dispatch = replace(DISPATCH, headers=(("TraceParent", "own"), ("x-tenant", "7")))
    ours = build_headers(dispatch, [ONE], now=NOW, traceparent="ours")
    assert [(name, value) for name, value in ours.items() if name.lower() == "traceparent"] == [
        ("traceparent", "ours")
    ]
    assert ours["x-tenant"] == "7"
    assert build_headers(dispatch, [ONE], now=NOW)["TraceParent"] == "own"
