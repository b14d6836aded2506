"""JSON of others is read as every common reader reads it, within bounds, and repaired to be passed on."""

import json
import math
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.exchange import HttpReply
from notifier.core.formats.json_pruning import (
    LISTS_UNTIL,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_MEMBERS,
    MAX_VALUES,
    read_pruned,
)
from notifier.core.formats.json_reading import JsonReading, Repair, has_few_values, is_too_deep, read_json
from notifier.core.formats.json_text import InvalidJson, RejectedJson, scrub
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.provider import ProviderDescription
from notifier.core.polling.verdict import Finished
from notifier.core.secret import Secret
from tests.core.texts import any_documents, documents, strings_in

KEY = Secret("sk-0123456789/abcdef")


def read(raw: bytes) -> JsonReading:
    return read_json(raw, lambda body: body)


def repaired(text: str) -> str:
    raw = read(text.encode()).raw
    assert raw is not None
    return raw.decode()


@given(documents, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_that_is_in_order_is_read_and_keeps_its_bytes(
    document: Any, is_ascii: bool, indent: int | str | None
) -> None:
    raw = json.dumps(document, ensure_ascii=is_ascii, indent=indent).encode()
    assert read(raw) == JsonReading(raw, document)


@given(documents, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_the_lenient_reader_reads_the_same(document: Any, is_ascii: bool, indent: int | str | None) -> None:
    assert read_pruned(json.dumps(document, ensure_ascii=is_ascii, indent=indent)) == document


@given(st.binary() | st.text('[]{}",:\\u0d8 1e9-nNaInfity', max_size=60).map(str.encode))
def test_what_the_standard_library_reads_is_read(raw: bytes) -> None:
    """What it does not read is no JSON, or has bytes that are no UTF-8."""
    try:
        expected = json.loads(raw)
    except (ValueError, RecursionError):
        expected = ...
    try:
        reading = read(raw)
    except (InvalidJson, RejectedJson):
        assert expected is ...
        return
    assert reading.raw is not None
    json.loads(reading.raw, parse_constant=pytest.fail)
    if expected is not ...:
        assert strings_in(reading.document) == strings_in(without_oddities(expected))


def without_oddities(value: Any) -> Any:
    """What our reader makes of it: halves of pairs are U+FFFD, NaN and the infinities of words are null."""
    if isinstance(value, dict):
        return {scrub(key): without_oddities(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_oddities(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return scrub(value) if isinstance(value, str) else value


@given(st.binary() | st.text('[]{}",:\\u0d8 1e9-n', max_size=60).map(str.encode))
def test_what_the_quick_reader_takes_is_json(raw: bytes) -> None:
    """It is another library's, and what it takes is passed on to receivers."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    json.loads(raw.decode(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('{"a\\ud83d":"cut \\ud83d", "n":1e2,"m": 0.10}', '{"a\ufffd":"cut \ufffd", "n":1e2,"m": 0.10}'),
        ('["\\ude00\\n\\"","\\u00e9\\/","\\ud83d\\ude00"]', '["\ufffd\\n\\"","\\u00e9\\/","\\ud83d\\ude00"]'),
        ('"\\\\ud83d"', '"\\\\ud83d"'),
        ('"\\u0000\\ud83d"', '"\\u0000\ufffd"'),
        ('"\\ud83d\\ud83d\\ude00\\ude00"', '"\ufffd\\ud83d\\ude00\ufffd"'),
        ('[NaN,"NaN \\" NaN",-Infinity,Infinity , -1]', '[null,"NaN \\" NaN",null,null , -1]'),
        ('{"-Infinity":-Infinity,"\\ud83d":NaN}', '{"-Infinity":null,"\ufffd":null}'),
    ],
)
def test_repairs_keep_all_other_bytes(text: str, mended: str) -> None:
    assert repaired(text) == mended


@given(any_documents, st.booleans())
def test_what_is_repaired_is_valid_and_holds_no_half_of_a_pair(document: Any, is_ascii: bool) -> None:
    raw = json.dumps(document, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    reading = read(raw)
    assert reading.raw is not None
    assert not [text for text in strings_in(json.loads(reading.raw)) if scrub(text) != text]


@pytest.mark.parametrize(
    ("raw", "repairs"),
    [
        (b'"a"', ()),
        (b'\xef\xbb\xbf"a"', (Repair.BYTE_ORDER_MARK,)),
        (b'\xef\xbb\xbf"\xff"', (Repair.BYTE_ORDER_MARK, Repair.BAD_BYTES)),
        ('"a"'.encode("utf-16"), (Repair.ENCODING,)),
        ('"\ufeffa"'.encode("utf-16-le"), (Repair.ENCODING,)),
        (b'["\\ud83d", NaN, "\xc0"]', (Repair.BAD_BYTES, Repair.HALF_PAIRS, Repair.NOT_A_NUMBER)),
        (b'["\\\\ud83d", "NaN", NaN]', (Repair.NOT_A_NUMBER,)),
        (b'["\\ud83d", "NaN"]', (Repair.HALF_PAIRS,)),
    ],
)
def test_each_repair_is_named(raw: bytes, repairs: tuple[Repair, ...]) -> None:
    assert read(raw).repairs == repairs


def test_the_key_is_taken_out_of_what_is_repaired_too() -> None:
    """After the encoding is known, and before anybody reads it."""
    seen: list[bytes] = []

    def clean(raw: bytes) -> bytes:
        seen.append(raw)
        return raw.replace(b"key", b"***")

    reading = read_json('{"key": NaN}'.encode("utf-16"), clean)
    assert (reading.raw, reading.document) == (b'{"***": null}', {"***": None})
    assert seen[-1] == b'{"key": NaN}'


@pytest.mark.parametrize("levels", [1, 499, 500, 501, 600])
@pytest.mark.parametrize("unit", [("[", "]"), ('{"[":', "}"), ('[0,"[",{"a":', "}]")])
@pytest.mark.parametrize("sibling", ["[],", "[[]]," * 300, '"]]]",'])
def test_depth_is_that_of_the_deepest_value(levels: int, unit: tuple[str, str], sibling: str) -> None:
    per_unit = unit[0].count("[") + unit[0].count("{") - unit[0].count('"[')
    count = levels // per_unit
    raw = f"[{sibling}{unit[0] * count}1{unit[1] * count}]".encode()
    assert is_too_deep(raw) == (count * per_unit + 1 > MAX_DEPTH)


# ---- bounds


def test_lists_are_cut_where_the_outputs_are() -> None:
    """One item more is read than is told, so that the cut is noticed."""
    document = read_pruned(f'{{"a": [{"1," * 5_000}2], "b": [{"[]," * 5_000}{{}}, "]"], "c": "after"}}')
    assert document == {"a": [1] * MAX_ITEMS, "b": [[]] * MAX_ITEMS, "c": "after"}


def test_what_comes_after_many_lists_is_read() -> None:
    """Lists of lists use up half of the values; what decides is often the last member."""
    inner = json.dumps([{"word": "a", "at": 1}] * 900)
    document = read_pruned(f'{{"deep": [{",".join([inner] * 300)}], "status": "completed", "images": ["u"]}}')
    assert document["status"] == "completed"
    assert document["images"] == ["u"]
    assert count_values(document) <= LISTS_UNTIL + MAX_ITEMS


def count_values(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count_values, children))


def test_objects_are_cut_and_what_comes_after_them_is_read() -> None:
    """One without end, and more of them than are read in all."""
    members = ",".join(f'"{number}": 0' for number in range(MAX_MEMBERS + 9))
    parts = ",".join(f'"part {number}": {{{members}}}' for number in range(15))
    document = read_pruned(
        f'{{{parts}, "task_info": {{"status": "completed", "x": {{"y": 1}}}}, "images": ["u"]}}'
    )
    assert len(document["part 0"]) == MAX_MEMBERS
    assert document["task_info"] == {"status": "completed", "x": {}}
    assert document["images"] == ["u"]
    assert count_values(document) < 1.2 * MAX_VALUES


def test_nesting_that_no_reader_takes_is_rejected() -> None:
    with pytest.raises(RejectedJson, match="nested deeper than 10000 levels"):
        read_pruned("[" * 20_000 + "]" * 20_000)


@pytest.mark.parametrize("raw", [b"[" + b"0," * 200_000 + b"0]", b"[" + b"[]," * 100_000 + b"0]"])
def test_many_values_are_counted_before_they_are_built(raw: bytes) -> None:
    assert not has_few_values(raw)
    assert has_few_values(raw[: 64 * 1024])
    assert read(raw).raw == raw


MiB = 1 << 20
HEAD = b'{"task_info":{"id":"t1","status":"completed"},"images":["u"],"x":'
WORST: dict[str, Callable[[int], bytes]] = {
    "escaped strings": lambda size: HEAD + b"[" + b'"\\n",' * (size // 5) + b"0]}",
    "strings of escapes": lambda size: HEAD + b"[" + b'"\\u0061\\u0061",' * (size // 15) + b"0]}",
    "one escaped string": lambda size: HEAD + b'"' + b"\\u0061" * (size // 6) + b'"}',
    "images": lambda size: HEAD.replace(b'["u"],"x":', b"[") + b'"u",' * (size // 4) + b'"u"]}',
    "lists": lambda size: HEAD + b"[" + b"[]," * (size // 3) + b"0]}",
    "numbers": lambda size: HEAD + b"[" + b"0," * (size // 2) + b"0]}",
    "almost the key": lambda size: HEAD + b'"' + b"sk-0123456789" * (size // 13) + b'"}',
    "backslashes": lambda size: HEAD + b'"' + b"\\\\" * (size // 2) + b'"}',
}  # fmt: skip
LENIENT: dict[str, Callable[[int], bytes]] = {
    "halves of pairs": lambda size: HEAD + b'"' + b"\\ud83d" * (size // 6) + b'"}',
    "NaN": lambda size: HEAD + b"[" + b"NaN," * (size // 4) + b"0]}",
    "the key": lambda size: HEAD + b'"' + KEY.reveal().encode() * (size // 20) + b'"}',
    "bad bytes": lambda size: HEAD + b'"' + b"\xff" * size + b'"}',
    "pairs of lists": lambda size: HEAD + b"[" + b"[[[]]]," * (size // 7) + b"0]}",
    "brackets in texts": lambda size: HEAD + b"[" + b'"[{",' * (size // 5) + b"0]}",
}


def judge(body: bytes) -> Finished:
    verdict = judge_poll(
        HttpReply(200, {}, body), task_id="t1", description=ProviderDescription(), key=KEY, now=0
    )
    assert isinstance(verdict, Finished)
    return verdict


def count_calls(body: bytes) -> int:
    """Count the calls of functions, of Python and of C, that judging a body takes."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        judge(body)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.fault(58, 103)
@pytest.mark.threat(12)
@pytest.mark.parametrize("name", WORST)
def test_the_steps_of_judging_do_not_grow_with_the_body(name: str) -> None:
    """A body of a megabyte takes as many calls as its first thousand list items, whatever is in it."""
    judge(HEAD + b"0}")
    assert count_calls(WORST[name](MiB)) < 30_000


@pytest.mark.fault(58)
@pytest.mark.parametrize("name", LENIENT)
def test_the_steps_of_a_repair_grow_with_the_body_and_no_faster(name: str) -> None:
    """Twice the bytes take at most twice the calls, and some."""
    one, two = (count_calls(LENIENT[name](size)) for size in (MiB // 4, MiB // 2))
    assert two < 2.2 * one + 1_000


@pytest.mark.fault(103)
@pytest.mark.parametrize("name", [name for name in (*WORST, *LENIENT) if name != "bad bytes"])
def test_the_memory_of_judging_is_a_small_multiple_of_the_body(name: str) -> None:
    """Half a million images are no half a million texts in memory, nor is a repair a list of its pieces.

    Of bad bytes each becomes three, and is left out here.
    """
    body = (WORST | LENIENT)[name](2 * MiB)
    judge(body)
    tracemalloc.start()
    try:
        judge(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(body)
