import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.core.formats.json_text import (
    MAX_INT,
    MIN_INT,
    InvalidJson,
    RejectedJson,
    decode_strict,
    encode,
    scrub,
    split_items,
    split_members,
)
from tests.core.texts import any_text, clean_text, documents


@given(documents, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_good_json_is_read_however_it_is_written(
    document: Any, is_ascii: bool, indent: int | str | None
) -> None:
    text = json.dumps(document, ensure_ascii=is_ascii, indent=indent)
    assert decode_strict(text.encode()) == document


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty"), (b" \n", "empty"), (b"{", "Expecting"), (b"[1,]", "Expecting"),
        (b"{'a':1}", "Expecting"),
        (b'{"a":1}}', "Extra data"), (b"01", "Extra data"), (b"1 2", "Extra data"), (b"+1", "Expecting"),
        (b".5", "Expecting"), (b"1.", "Extra data"), (b"0x10", "Extra data"), (b"True", "Expecting"),
        (b'"a', "Unterminated"), (b'"\n"', "Invalid control character"), (b'"\\x"', "escape"),
        (b'"\\ud8"', "escape"),
        (b"// c\n1", "Expecting"), (b"\xc2\xa01", "Expecting"), (b"\x0c1", "Expecting"),
        (b"NaN", "NaN"), (b"[Infinity]", "Infinity"), (b'{"a":-Infinity}', "-Infinity"),
        (b"nan", "Expecting"),
        (b"\xef\xbb\xbf{}", "byte order mark"), ("{}".encode("utf-16"), "NUL"),
        ("{}".encode("utf-16-le"), "NUL"),
        ("{}".encode("utf-32"), "NUL"), (b'"\0"', "NUL"), (b'"\xff"', "byte 1 is not UTF-8"),
        (b'"\xc0\x80"', "not UTF-8"), (b'"\xed\xa0\x80"', "not UTF-8"), (b'"\xf4\x90\x80\x80"', "not UTF-8"),
        (b'{"a":1,"a":2,', "Expecting"), (b'["\\u0000",', "Expecting"), (b"[1e999", "Expecting"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_bad_json(raw: bytes, why: str) -> None:
    with pytest.raises(InvalidJson, match=why):
        decode_strict(raw)


@pytest.mark.parametrize(
    ("raw", "pointer", "why"),
    [
        (b'{"a":1,"a":1}', "/a", "twice"), (b'{"a":1,"\\u0061":1}', "/a", "twice"),
        (b'{"":1,"":2}', "/", "twice"),
        (b'{"watches":[{},{},{},{"metadata":{"a/b":1,"a/b":2}}]}', "/watches/3/metadata/a~1b", "twice"),
        (b'[{"m~n":{"x":1,"x":1}}]', "/0/m~0n/x", "twice"), (b'{"~/":1,"~/":1}', "/~0~1", "twice"),
        (b'"\\u0000"', "", "NUL"), (b'{"a":["b","c\\u0000d"]}', "/a/1", "NUL"), (b'{"\\u0000":1}',
        "/\ufffd", "NUL"),
        (b'"\\ud800"', "", "surrogate"), (b'["\\uDFFF"]', "/0", "surrogate"),
        (b'["\\ude00\\ud83d"]', "/0", "surrogate"),
        (b'["\\ud83d\\ud83d\\ude00"]', "/0", "surrogate"), (b'{"a\\ud800":1}', "/a\ufffd", "surrogate"),
        (b"18446744073709551616", "", "64 bits"), (b"[-9223372036854775809]", "/0", "64 bits"),
        (b'{"n":[1,' + b"7" * 5_000 + b"]}", "/n/1", "64 bits"), (b"[1180591620717411303424]",
        "/0", "64 bits"),
        (b"1e999", "", "double"), (b"[0,-1e400]", "/1", "double"),
        (b'{"a":{"b":1.7976931348623159e308}}', "/a/b", "double"),
        (b"1" * 400 + b".0", "", "double"),
        (b'{"a":1e999,"b":"\\u0000","c":{"d":1,"d":2}}', "/a", "double"),
        (b'[{"a":"\\u0000"},{"b":1,"b":1}]', "/0/a", "NUL"),
        (b"[" * 65 + b"]" * 65, "/0" * 64, "deeper than 64"), (b'{"a":' * 65 + b"1" + b"}" * 65,
        "/a" * 64, "deeper"),
        (b"[[]," + b"[" * 64 + b"]" * 65, "/1" + "/0" * 63, "deeper"),
    ],
)  # fmt: skip
def test_what_leaves_doubt_is_refused_with_its_place(raw: bytes, pointer: str, why: str) -> None:
    with pytest.raises(RejectedJson, match=why) as refused:
        decode_strict(raw)
    assert refused.value.pointer == pointer
    refused.value.pointer.encode()


@pytest.mark.threat(12)
@pytest.mark.parametrize("size", [1_000, 100_000, 4 * 2**20])
@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("is_closed", [False, True])
def test_nesting_without_end_is_refused_and_exhausts_nothing(size: int, unit: bytes, is_closed: bool) -> None:
    """A hundred thousand brackets cost what a hundred do."""
    count = size // len(unit)
    closing = unit.replace(b'"a":', b"")[::-1].translate(bytes.maketrans(b"[{", b"]}"))
    raw = unit * count + (b"1" + closing * count if is_closed else b"")
    with pytest.raises(RejectedJson if is_closed else (InvalidJson, RejectedJson), match=r"deeper|Expecting"):
        decode_strict(raw)


def test_a_key_without_end_makes_no_pointer_without_end() -> None:
    key = b'"' + b"k" * 100_000 + b'"'
    with pytest.raises(RejectedJson) as refused:
        decode_strict(b"{" + key + b":1," + key + b":2}")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"18446744073709551615", MAX_INT), (b"-9223372036854775808", MIN_INT), (b"-0", 0), (b"1e308", 1e308),
        (b"1e-999", 0.0), (b"0." + b"1" * 5_000, 1 / 9), (b" \t\r\n1\n", 1), (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\/\\u00e9"', "/é"), (b'"\x7f\\b"', "\x7f\b"), (b'{"a":{"a":{}},"b":{"a":1}}',
        {"a": {"a": {}}, "b": {"a": 1}}),
        (b'"\\\\ud800"', "\\ud800"), (b'"\\\\u0000"', "\\u0000"),
        ("\u2028\ufeff".join('""').encode(), "\u2028\ufeff"),
        (b'"' + b"[" * 100 + b'"', "[" * 100), (b"[" + b"[]," * 99 + b"{}]", [[]] * 99 + [{}]),
    ],
)  # fmt: skip
def test_what_stands_at_the_edge_is_taken(raw: bytes, value: object) -> None:
    assert decode_strict(raw) == value


def test_64_levels_are_taken() -> None:
    raw = b'[{"a":' * 32 + b"1" + b"}]" * 32
    assert encode(decode_strict(raw)).encode() == raw


@given(st.binary() | st.text('[]{}",:\\u0d8 1e9-n', max_size=60).map(str.encode))
def test_reading_any_bytes_ends_in_a_value_or_one_of_two_refusals(raw: bytes) -> None:
    try:
        value = decode_strict(raw)
    except (InvalidJson, RejectedJson):
        return
    assert json.loads(encode(value)) == value


def test_members_and_items_keep_the_text_they_were_written_as() -> None:
    metadata = '{"a" : 1.0, "b":1e2,"c":0.10,"d":-0, "e":"\\u00e9\\/"}'
    raw = f'{{"watches": [ {{"metadata":{metadata} ,"x":1}} , {{"y":[ ]}}]}}'
    first, second = split_items(split_members(raw)["watches"])
    assert split_members(first) == {"metadata": metadata, "x": "1"}
    assert split_members(second) == {"y": "[ ]"}
    assert split_members('{"é":"☃"}') == {"é": '"☃"'}


@given(st.dictionaries(clean_text, documents))
def test_members_are_those_of_the_object(document: dict[str, Any]) -> None:
    raw = encode(document).encode()
    assert {key: json.loads(text) for key, text in split_members(raw).items()} == document
    assert [json.loads(text) for text in split_items(encode(list(document.values())))] == list(
        document.values()
    )


@given(documents)
def test_what_is_written_is_compact_utf8_and_reads_back(document: Any) -> None:
    assert decode_strict(encode(document).encode()) == document
    assert encode({"a": [1, "é"]}) == '{"a":[1,"é"]}'


@given(any_text | st.just("a\ud800é"))
def test_even_half_a_surrogate_pair_is_written_as_utf8(text: str) -> None:
    assert json.loads(encode([text]).encode()) == json.loads(json.dumps([text]))
    scrub(text).encode()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"a": number})


def test_scrubbing_touches_lone_halves_only() -> None:
    assert scrub("a\ud800b\udfffc😀") == "a\ufffdb\ufffdc😀"
