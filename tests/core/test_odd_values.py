"""Status, id, outputs, instants and reasons are read in every form that providers give them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from notifier.core.model import Trouble
from notifier.core.polling.decision import EndWatch, PollAgain
from tests.core.replies import (
    DAY,
    HOUR,
    MINUTE,
    MULEROUTER,
    NOW,
    URL,
    WATCH,
    completed,
    poll,
    tell,
)

# ---- the words


WORDS = {"running": ("null", "false"), "completed": ("true", "1203", "1.5"), "failed": ("-7",)}
BY_STATUS = replace(MULEROUTER, status="s", id="", words=WORDS)


@pytest.mark.fault(102)
@pytest.mark.parametrize(
    ("status", "word", "end"),
    [
        ("true", "true", "completed"),
        ("1203", "1203", "completed"),
        ("1203.0", "1203", "completed"),
        ("1.5", "1.5", "completed"),
        ("-7", "-7", "failed"),
        ('"1203"', "1203", "completed"),
        ("false", "false", None),
        ("null", "null", None),
    ],
)
def test_a_status_that_is_no_text_is_compared_as_json_text(status: str, word: str, end: str | None) -> None:
    """Numbers, true, false and null can be words of a provider."""
    found = poll(f'{{"s": {status}}}'.encode(), description=BY_STATUS)
    assert found.upstream_status == word
    assert (found.state.value if isinstance(found, EndWatch) else None) == end
    assert isinstance(found, EndWatch) or found.trouble is None


@pytest.mark.fault(102)
@pytest.mark.parametrize("identity", ['"id": ""', '"id": null'])
def test_an_empty_id_is_none(identity: str) -> None:
    """It names no other task."""
    body = f'{{"task_info": {{{identity}, "status": "completed"}}, "images": ["{URL}"]}}'
    assert tell(body.encode()).data["outputs"] == [URL]


# ---- outputs


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    "images", ["[]", "null", '[""]', '["", " "]', '[null], "image": ""', '[], "video": ""']
)
def test_a_task_that_completed_without_outputs_is_told_with_a_note(images: str) -> None:
    """Empty texts are no outputs."""
    told = tell(completed(images=images))
    assert (told.data["status"], told.data["outputs"]) == ("completed", [])
    assert told.note.startswith("the task completed, and the reply has no outputs at '[images")


@pytest.mark.fault(103)
def test_outputs_that_are_no_texts_are_left_out_and_counted() -> None:
    """The texts beside them are told."""
    told = tell(completed(images=f'[{{"url": "u"}}, "{URL}", 7, null, ""]'))
    assert (told.data["outputs"], told.note) == ([URL], "2 outputs left out: they are no texts")


@pytest.mark.fault(103)
@pytest.mark.parametrize("count", [1_001, 50_000, 300_000])
def test_more_than_a_thousand_outputs_are_cut_with_a_note(count: int) -> None:
    """The first of them are told."""
    images = ",".join(f'"https://cdn.example/{number}"' for number in range(count))
    told = tell(completed(images=f"[{images}]"))
    assert len(told.data["outputs"]) == 1_000
    assert told.data["outputs"][999] == "https://cdn.example/999"
    assert told.note == "outputs cut: only the first 1000 are told"


def test_a_thousand_outputs_are_told_without_a_note() -> None:
    told = tell(completed(images=json.dumps([URL] * 1_000)))
    assert (len(told.data["outputs"]), told.note) == (1_000, "")


@pytest.mark.fault(103)
@pytest.mark.parametrize("count", [16, 17, 1_001])
def test_outputs_of_more_than_a_mebibyte_are_cut_with_a_note(count: int) -> None:
    """The first that fit are told, whole; such outputs are the images themselves, as data URLs."""
    image = "data:image/png;base64,".ljust(1 << 16, "A")
    told = tell(completed(images=json.dumps([image] * count)))
    assert told.data["outputs"] == [image] * 16
    cut = f"outputs cut: 16 of {min(count, 1_000)} are told, more would have over 1 MiB"
    notes = ["outputs cut: only the first 1000 are told"] * (count > 1_000) + [cut] * (count > 16)
    assert told.note == "; ".join(notes)


@pytest.mark.fault(103)
def test_one_output_of_more_than_a_mebibyte_is_not_told() -> None:
    """It is in the payload, and the task is told as completed."""
    told = tell(completed(images=json.dumps(["A" * ((1 << 20) + 1), URL])))
    assert (told.data["status"], told.data["outputs"]) == ("completed", [])
    assert told.note == "outputs cut: 0 of 2 are told, more would have over 1 MiB"


# ---- instants


@pytest.mark.fault(104)
@pytest.mark.parametrize(
    ("stamp", "finished_at"),
    [
        ((NOW - MINUTE) // 1_000, NOW - MINUTE),
        ((NOW - MINUTE) / 1_000, NOW - MINUTE),
        (NOW - MINUTE, NOW - MINUTE),
        ("2026-11-23T11:59:00", NOW - MINUTE),
        ("2026-11-23 11:59:00.000", NOW - MINUTE),
        ("2026-11-23T19:59:00+08:00", NOW - MINUTE),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        (0, None),
        (1, None),
        (-1, None),
        (1e300, None),
        ("2026-11-24T12:00:00Z", None),
        ("2023-11-07T05:31:56Z", None),
        (True, None),
    ],
)
def test_the_life_of_a_result_counts_from_a_finish_that_can_be(
    stamp: object, finished_at: int | None
) -> None:
    """Seconds, milliseconds, text without offset. Year 1, 1970, the future and years ago are not believed."""
    body = completed().replace(b'"id": "t1"', f'"id": "t1", "updated_at": {json.dumps(stamp)}'.encode())
    end = poll(body)
    assert isinstance(end, EndWatch)
    assert end.result_expires_at == (NOW if finished_at is None else finished_at) + DAY


@pytest.mark.fault(104)
def test_a_finish_before_the_last_reply_that_found_it_running_is_not_believed() -> None:
    """Providers write the creation into it, or the last change before the end."""
    seen = replace(WATCH, last_polled_at=NOW - 2_500, upstream_status="processing")
    body = completed().replace(b'"id": "t1"', b'"id": "t1", "updated_at": "2026-11-23T11:59:00Z"')
    end = poll(body, watch=seen)
    assert isinstance(end, EndWatch)
    assert (end.result_expires_at, end.finished_at) == (NOW + DAY, None)
    blind = replace(seen, trouble=Trouble(trouble_cause(), NOW - 5_000))
    again = poll(body, watch=blind)
    assert isinstance(again, EndWatch)
    assert again.result_expires_at == NOW - MINUTE + DAY


def trouble_cause() -> Any:
    wait = poll(b"")
    assert isinstance(wait, PollAgain)
    assert wait.trouble is not None
    return wait.trouble.cause


@pytest.mark.fault(104)
def test_utc_offset_says_what_a_stamp_without_one_means() -> None:
    """One that has an offset keeps it."""
    china = replace(MULEROUTER, utc_offset_ms=8 * HOUR)
    for stamp in ("2026-11-23 19:59:00", "2026-11-23T11:59:00Z"):
        body = completed().replace(b'"id": "t1"', f'"id": "t1", "updated_at": "{stamp}"'.encode())
        end = poll(body, description=china)
        assert isinstance(end, EndWatch)
        assert end.finished_at == NOW - MINUTE


@pytest.mark.fault(104)
@pytest.mark.parametrize("stamp", ["1795435100", "1795435100000", '"2026-11-23T11:58:20"'])
def test_a_creation_in_any_form_is_the_age_of_the_task(stamp: str) -> None:
    """So that its polls come neither too often nor too rarely."""
    body = f'{{"task_info": {{"status": "processing", "created_at": {stamp}}}}}'.encode()
    found = poll(body)
    assert isinstance(found, PollAgain)
    assert (found.task_created_at, found.interval_ms) == (NOW - 100_000, 10_000)


# ---- expressions


@pytest.mark.fault(105)
@pytest.mark.parametrize(
    "field", ["created_at", "finished_at", "outputs", "error_code", "error_title", "error_detail"]
)
@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_expression_that_fails_costs_nobody_an_outcome(field: str, status: str) -> None:
    """``status`` and ``id`` decide. Any other counts as null, and a note names it."""
    description = replace(MULEROUTER, **{field: "join(`,`, [task_info])"})  # type: ignore[arg-type]
    body = completed().replace(b"completed", status.encode())
    told = tell(body, description=description)
    assert told.data["status"] == status
    is_read = status != "completed" or not field.startswith("error")
    assert ("does not fit the expression 'join(`,`, [task_info])'" in told.note) == is_read


@pytest.mark.fault(105)
def test_a_failing_expression_of_a_running_task_is_a_trouble() -> None:
    """It runs on, by its status."""
    body = b'{"task_info": {"status": "processing"}}'
    found = poll(body, description=replace(MULEROUTER, created_at="abs(task_info)"))
    assert isinstance(found, PollAgain)
    assert found.upstream_status == "processing"
    assert found.trouble is not None
    assert found.trouble.cause.text() == "answer does not fit the expression 'abs(task_info)'"


# ---- reasons of a failure


@pytest.mark.fault(106)
@pytest.mark.parametrize(
    ("info", "beside", "code", "detail"),
    [
        ('"error": "NSFW content"', "", None, "NSFW content"),
        ('"error": ["a", "b"]', "", None, '["a", "b"]'),
        ('"error": [{"message": "NSFW"}]', "", None, "NSFW"),
        ('"error": [1, 2]', "", None, "[1, 2]"),
        ('"error": {"kind": "nsfw"}', "", None, '{"kind": "nsfw"}'),
        ('"error": {"message": "NSFW", "code": "E7"}', "", "E7", "NSFW"),
        ('"error": null', '"error": {"message": "NSFW", "code": 7}', 7, "NSFW"),
        ('"error": null', '"error": "NSFW"', None, "NSFW"),
        ('"error": null', '"message": "NSFW"', None, "NSFW"),
        ('"error": null', '"detail": [{"msg": "NSFW", "loc": []}]', None, "NSFW"),
        ('"error": 7', "", None, "7"),
        ('"error": {"detail": {"why": 1}}', "", None, '{"why": 1}'),
    ],
)
def test_a_reason_of_any_shape_is_told(info: str, beside: str, code: object, detail: str) -> None:
    """As text, list, object without our keys, or beside the task."""
    more = f", {beside}" if beside else ""
    error = tell(f'{{"task_info": {{"status": "failed", {info}}}{more}}}'.encode()).data["error"]
    assert (error["source"], error["code"], error["detail"]) == ("provider", code, detail)
    assert error["title"] in {"The task failed", "NSFW"}


def test_a_reason_of_any_size_is_bounded() -> None:
    body = f'{{"task_info": {{"status": "failed", "error": {{"x": "{"y" * 100_000}"}}}}}}'
    detail = tell(body.encode()).data["error"]["detail"]
    assert detail.startswith('{"x": "yyy')
    assert len(detail) == 4_096
