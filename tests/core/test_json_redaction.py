"""A key is taken out of JSON from its bytes, however it is escaped, and JSON stays JSON."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.core.formats.json_redaction import redact_json
from notifier.core.formats.json_text import redact_plain
from tests.core.texts import any_text, documents, strings_in

KEY = "sk-live/4+2=é☃"


def redact(text: str, secret: str) -> str:
    """Redact JSON that is written as text."""
    return redact_json(text.encode(), secret).decode()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"a": "x TOKEN y"}', '{"a": "x *** y"}'), ('{"TOKEN":1}', '{"***":1}'), ('"TOKENTOKEN"',
        '"******"'),
        ('{"a":1.0,\n "b" : 1e2, "c":"\\u00e9\\/"}', '{"a":1.0,\n "b" : 1e2, "c":"\\u00e9\\/"}'),
        ('{"a":1.0, "b":"TOKEN", "c":0.10, "d":"\\/"}', '{"a":1.0, "b":"***", "c":0.10, "d":"\\/"}'),
        ('"TOK\\u0045N"', '"***"'), ('{"\\u0054OKEN":"\\u0054OKEN!"}', '{"***":"***!"}'),
        ('"say \\"TOKEN\\" \\\\"', '"say \\"***\\" \\\\"'), ('"\\\\TOKEN"', '"\\\\***"'),
        ('"a\\nTOKEN"', '"a\\n***"'), ('"\\ud800TOKEN"', '"\\ud800***"'), ('["TOK","EN"]', '["TOK","EN"]'),
        ('"TOKE\\\\u004e"', '"TOKE\\\\u004e"'), ('{"a":1,"a":"TOKEN"}', '{"a":1,"a":"***"}'),
        ('"TOTOKENKEN"', '"TO***KEN"'), ('"token"', '"token"'),
    ],
)  # fmt: skip
def test_a_quoted_key_is_replaced_and_all_else_keeps_its_bytes(text: str, redacted: str) -> None:
    assert redact(text, "TOKEN") == redacted


@pytest.mark.parametrize(
    "quoted",
    [
        KEY,
        KEY.replace("/", "\\/"),
        KEY.replace("é", "\\u00e9").replace("☃", "\\u2603"),
        KEY.replace("é", "\\u00E9").replace("/", "\\u002f"),
        "".join(f"\\u{ord(char):04x}" for char in KEY),
    ],
)
@pytest.mark.parametrize("frame", ['{"detail":"bad key @!","n":1.0}', '{"@":[0.10]}', '["@@","\\n@"]'])
def test_a_key_is_found_however_it_is_escaped(frame: str, quoted: str) -> None:
    assert redact(frame.replace("@", quoted), KEY) == frame.replace("@", "***")


@pytest.mark.parametrize(("text", "redacted"), [("[12345678,1.5]", '["***",1.5]'), ('"12345678"', '"***"')])
def test_a_key_of_digits_leaves_valid_json(text: str, redacted: str) -> None:
    assert redact(text, "12345678") == redacted


@given(documents, st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4), st.booleans())
def test_no_string_or_key_of_redacted_json_holds_the_key(document: Any, secret: str, is_ascii: bool) -> None:
    planted = {"a": document, f"x{secret}": [secret + secret, {"b": f"é/{secret}\n"}]}
    text = redact(json.dumps(planted, ensure_ascii=is_ascii), secret)
    held = strings_in(json.loads(text))
    assert not [part for part in held if secret in part and part not in ("true", "false", "null")]


@given(documents, st.text(min_size=4), st.booleans())
def test_json_that_does_not_quote_the_key_keeps_its_bytes(document: Any, secret: str, is_ascii: bool) -> None:
    text = json.dumps(document, ensure_ascii=is_ascii)
    if not [part for part in strings_in(document) if secret in part]:
        assert redact(text, secret) == text


@given(any_text | st.text('"\\u004e1-', max_size=40), any_text)
def test_redacting_what_is_no_json_never_raises(text: str, secret: str) -> None:
    redact(text, secret)


@pytest.mark.parametrize(
    ("secret", "text"),
    [("****", "********"), ("a***", "aaaa***a***"), ("x***y", "xx***yy"), ("abab", "abababab")],
)
def test_plain_text_no_longer_holds_the_key_even_where_stars_would_complete_it(
    secret: str, text: str
) -> None:
    assert secret not in redact_plain(text, secret)
    assert secret not in json.loads(redact(json.dumps(text), secret))


@pytest.mark.parametrize("secret", ["", "1", "abc"])
def test_what_is_too_short_for_a_key_is_left_alone(secret: str) -> None:
    assert redact('{"abc":1}', secret) == '{"abc":1}'
    assert redact_plain("abc 1", secret) == "abc 1"


@pytest.mark.threat(17)
@pytest.mark.parametrize(
    ("text", "secret", "redacted"),
    [
        # What looks like the secret, and is the inside of an escape.
        ('"\\\\u0054OKEN"', "TOKEN", '"\\\\u0054OKEN"'),
        ('"\\\\\\u0054OKEN"', "TOKEN", '"\\\\***"'),
        ('"\\nabc"', "nabc", '"\\nabc"'),
        ('"\\\\nabc"', "nabc", '"\\\\***"'),
        ('"\\nabcnabc"', "nabc", '"\\nabc***"'),
        ('"\\u0054OKEN"', "0054OKEN", '"\\u0054OKEN"'),
        ('"\\u0054OKEN"', "54OKEN", '"\\u0054OKEN"'),
        ('"\\u0054OKEN"', "u0054OKEN", '"\\u0054OKEN"'),
        ('"\\\\u0054OKEN"', "u0054OKEN", '"\\\\***"'),
        ('"\\u0054u0054OKEN"', "u0054OKEN", '"\\u0054***"'),
        # Signs that have an escape of their own.
        ('"a\\"b\\/c"', 'a"b/c', '"***"'),
        ('"a\\u0022b/c"', 'a"b/c', '"***"'),
        ('["a","b/c"]', 'a","b/c', '["a","b/c"]'),
        ('"a\\\\b\\\\c"', "a\\b\\c", '"***"'),
        ('"\\ud83d\\ude00key"', "😀key", '"***"'),
        ('"😀key"', "😀key", '"***"'),
        # Secrets that other parts of JSON look like.
        ("[true,null,123456]", "true", "[true,null,123456]"),
        ('["true",true]', "true", '["***",true]'),
        ('[1,2,"1,2"]', "1,2,", '[1,2,"1,2"]'),
        ('[1,2,"1,2,3"]', "1,2,3", '[1,2,"***"]'),
        ('[12345678.5,{"12345678":-12345678}]', "12345678", '["***",{"***":"***"}]'),
        # A mask and its neighbours do not make a secret anew.
        ('"x***y x***y"', "***y", '"x### x###"'),
        ('"TOKENTOKE TOKENN"', "TOKEN", '"***TOKE ***N"'),
    ],
)
def test_only_the_secret_itself_is_replaced(text: str, secret: str, redacted: str) -> None:
    """Never a part of an escape, a number or a word: JSON stays JSON."""
    assert redact(text, secret) == redacted
    json.loads(redacted)


HARD = st.text(st.sampled_from('0u5T4nrt\\"/ab*1,:[]{}😀é\n'), min_size=4, max_size=8)
HARD_DOCUMENTS = st.recursive(
    HARD | st.booleans() | st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HARD, inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.threat(17)
@given(HARD_DOCUMENTS, HARD, st.booleans(), st.integers(0, 3))
@example(["\\u0054"], "u0054", True, 0)
def test_redacted_json_says_the_same_without_the_secret(
    document: Any, secret: str, is_ascii: bool, copies: int
) -> None:
    """Against a plain replacement in every string, with secrets and documents of the signs that JSON uses."""
    planted = [document, *(secret * number for number in range(copies))]
    text = json.dumps(planted, ensure_ascii=is_ascii)
    found = json.loads(redact(text, secret))
    held = [part for part in strings_in(found) if secret in part]
    assert not [part for part in held if part not in ("true", "false", "null")]
    if not [part for part in strings_in(planted) if secret in part]:
        assert redact(text, secret) == text


@given(st.binary(), any_text)
def test_redacting_any_bytes_never_raises(raw: bytes, secret: str) -> None:
    redact_json(raw, secret)


@pytest.mark.parametrize("at", [0, 262_140, 262_144, 262_150, 524_288 - 3, 600_000])
def test_a_secret_is_found_wherever_it_is(at: int) -> None:
    """Long bodies are searched in pieces."""
    text = '"' + "a" * at + "\\u0054OKEN" + "b" * 10 + '"'
    assert redact(text, "TOKEN") == text.replace("\\u0054OKEN", "***")
