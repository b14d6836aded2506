"""Replies are read for what they say: whatever blemish they have, the outcome is told, and a note says why.

Each row is the bytes of a reply, as providers and what stands before them have sent it.
"""

import gzip
import zlib
from dataclasses import replace
from typing import Any

import pytest

from notifier.core.exchange import HttpReply
from notifier.core.formats.json_reading import Repair
from notifier.core.polling.decision import PollAgain
from notifier.core.polling.judge_poll import judge_poll
from notifier.core.polling.payload_notes import REPAIR_TEXTS
from tests.core.replies import (
    KEY,
    MULEROUTER,
    NOW,
    URL,
    completed,
    poll,
    tell,
    trouble_of,
)

# ---- blemishes that are repaired


REPAIRED = [
    pytest.param(b"\xef\xbb\xbf" + completed(), {"x": 1}, "byte order mark dropped", id="byte order mark"),
    pytest.param(completed('"x": NaN'), {"x": None}, "NaN and Infinity replaced by null", id="NaN"),
    pytest.param(
        completed('"x": [-Infinity, "NaN", Infinity]'), {"x": [None, "NaN", None]}, "NaN", id="Infinity"
    ),
    pytest.param(
        completed('"x": "a@b"').replace(b"@", b"\xff"), {"x": "a\ufffdb"}, "no UTF-8", id="a bad byte"
    ),
    pytest.param(
        completed('"x": "a@b"').replace(b"@", b"\xed\xa0\xbd"),
        {"x": "a\ufffd\ufffd\ufffdb"},
        "no UTF-8",
        id="half an emoji as bytes",
    ),
    pytest.param(
        completed('"x": "sun \\ud83d"'), {"x": "sun \ufffd"}, "surrogate pairs replaced", id="half an emoji"
    ),
    pytest.param(
        completed('"\\ude00x": 1'), {"\ufffdx": 1}, "surrogate pairs replaced", id="half an emoji in a key"
    ),
    pytest.param(completed().decode().encode("utf-16"), {"x": 1}, "converted to UTF-8", id="UTF-16"),
    pytest.param(completed().decode().encode("utf-16-be"), {"x": 1}, "UTF-8", id="UTF-16, unmarked"),
    pytest.param(completed().decode().encode("utf-32"), {"x": 1}, "converted to UTF-8", id="UTF-32"),
]


@pytest.mark.fault(99)
@pytest.mark.parametrize(("body", "beside", "note"), REPAIRED)
def test_a_repaired_blemish_costs_nobody_a_finished_task(
    body: bytes, beside: dict[str, Any], note: str
) -> None:
    """The outcome is told, the payload is valid JSON, and ``payload_note`` says what was done."""
    told = tell(body)
    assert (told.data["status"], told.data["outputs"]) == ("completed", [URL])
    assert told.data["payload"] == {
        "task_info": {"id": "t1", "status": "completed"},
        **beside,
        "images": [URL],
    }
    assert note in told.note


# ---- what is valid, and only unusual


UNUSUAL = [
    pytest.param(completed('"x": "\\u0000"'), id="NUL"),
    pytest.param(completed('"x": 12345678901234567890123'), id="23 digits"),
    pytest.param(completed(f'"x": {"7" * 5_000}'), id="5 000 digits"),
    pytest.param(completed('"x": 1e999'), id="beyond a double"),
    pytest.param(completed(f'"x": {"[" * 70}{"]" * 70}'), id="70 levels"),
    pytest.param(completed(f'"x": {"[" * 400}{"]" * 400}'), id="400 levels"),
    pytest.param(completed('"x": 1, "x": 1.0'), id="a key twice"),
]


@pytest.mark.fault(100)
@pytest.mark.parametrize("body", UNUSUAL)
def test_valid_json_is_passed_on_unchanged(body: bytes) -> None:
    """However unusual: the bytes of the payload are the provider's, and nothing is said of it."""
    told = tell(body)
    assert (told.data["status"], told.data["outputs"]) == ("completed", [URL])
    assert b'"payload":' + body in told.body
    assert told.note == ""


@pytest.mark.fault(100)
def test_the_last_of_two_equal_keys_counts() -> None:
    """As in every common reader."""
    body = completed().replace(b'"status": "completed"', b'"status": "processing", "status": "completed"')
    assert tell(body).data["status"] == "completed"


@pytest.mark.fault(100)
@pytest.mark.parametrize("levels", [501, 990, 1_100, 9_000])
def test_json_too_deep_for_common_readers_is_told_without_its_payload(levels: int) -> None:
    """A receiver could not read it; the outcome and the outputs are there all the same."""
    told = tell(completed(f'"x": {"[" * levels}{"]" * levels}'))
    assert (told.data["outputs"], told.data["payload"]) == ([URL], None)
    assert told.note == "payload left out: nested deeper than 500 levels"


@pytest.mark.parametrize(
    "body",
    [
        completed()[:-1],
        completed() + b"}",
        completed() + b" {}",
        completed('"x": [1,]'),
        completed('"x": Nan'),
        completed('"x": "a\nb"'),
        completed(f'"x": {"[" * 5_000}{"]" * 4_999}'),
        completed('"x": 1').decode().encode("utf-16")[:-2],
    ],
)
def test_what_no_reader_understands_is_no_outcome(body: bytes) -> None:
    """A reply that was cut off might have gone on to say something else."""
    assert "answer is not JSON" in trouble_of(body)


# ---- encodings


def packed(body: bytes) -> bytes:
    """Return the same bytes whenever it is called: test names are made from them."""
    return gzip.compress(body, mtime=0)


RAW_DEFLATE = zlib.compressobj(wbits=-15)
ENCODED = [
    ("gzip", packed(completed())),
    ("x-gzip", packed(completed())),
    ("GZIP ", packed(completed())),
    ("gzip", packed(completed()[:9]) + packed(completed()[9:])),
    ("gzip, gzip", packed(packed(completed()))),
    ("deflate", zlib.compress(completed())),
    ("deflate", RAW_DEFLATE.compress(completed()) + RAW_DEFLATE.flush()),
    ("UTF-8", completed()),
    ("utf8", completed()),
    ("none", completed()),
    ("", completed()),
    ("application/json", completed()),
    ("gzip", completed()),
    ("deflate", completed()),
    ("br", completed()),
]


@pytest.mark.fault(101)
@pytest.mark.parametrize(("encoding", "body"), ENCODED)
def test_an_encoding_that_was_not_asked_for_is_read(encoding: str, body: bytes) -> None:
    """Also a name that is none, and a header that a proxy left when it unpacked the body."""
    told = tell(body, {"content-encoding": encoding})
    assert (told.data["outputs"], told.note) == ([URL], "")
    assert b'"payload":' + completed() in told.body


@pytest.mark.fault(101, 58)
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", packed(completed())[:-9]),
        ("gzip", packed(completed())[:20] + b"\xff" * 40),
        ("br", b"\x1b\x3f\x00\xf8\x8d\xd4"),
        ("zstd", b"\x28\xb5\x2f\xfd\x00"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_named_and_no_outage(encoding: str, body: bytes) -> None:
    """It says something about this reply alone."""
    headers = {"content-encoding": encoding}
    assert trouble_of(body, headers=headers) == f"reply cannot be unpacked (Content-Encoding: {encoding})"
    reply = HttpReply(200, headers, body)
    verdict = judge_poll(reply, task_id="t1", description=MULEROUTER, key=KEY, now=NOW)
    assert not getattr(verdict, "is_outage", True)


@pytest.mark.fault(58)
@pytest.mark.threat(12)
def test_a_bomb_is_unpacked_up_to_the_limit() -> None:
    """A few bytes that would become a gigabyte: the trouble names the limit and its key."""
    description = replace(MULEROUTER, max_body=1 << 20)
    bomb = packed(b"a" * (64 << 20))
    found = poll(bomb, headers={"content-encoding": "gzip"}, description=description)
    assert isinstance(found, PollAgain)
    assert found.trouble is not None
    assert found.trouble.cause.text() == "reply is larger than max_body (1 MiB)"
    assert found.trouble.cause.fix().startswith("raise max_body in ")


def test_every_repair_has_its_words() -> None:
    assert set(REPAIR_TEXTS) == set(Repair)
