"""notifier reads a response as h11 and curl do, or refuses it."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.differential import (
    curls_verdicts,
    disagreement,
    h11s_verdict,
    has_curl,
    notifiers_verdict,
    odd_response,
)

RESPONSES = st.integers(min_value=0, max_value=2**32).map(lambda seed: odd_response(random.Random(seed)))


@given(response=RESPONSES)
@settings(max_examples=300, deadline=None)
async def test_where_a_poll_reads_a_body_h11_reads_the_same_or_none(response: bytes) -> None:
    assert disagreement(response, await notifiers_verdict([response]), h11s_verdict(response), None) is None


@given(response=RESPONSES, data=st.data())
@settings(max_examples=200, deadline=None)
async def test_a_response_is_read_alike_however_it_is_split(response: bytes, data: st.DataObject) -> None:
    """A segment of TCP may end at any byte."""
    cuts = data.draw(st.lists(st.integers(0, len(response)), max_size=4).map(sorted))
    pieces = [response[a:b] for a, b in zip([0, *cuts], [*cuts, len(response)], strict=True)]
    assert await notifiers_verdict(pieces) == await notifiers_verdict([response])


@given(response=st.binary(max_size=200).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail))
@settings(max_examples=200, deadline=None)
async def test_any_bytes_end_as_a_verdict(response: bytes) -> None:
    assert disagreement(response, await notifiers_verdict([response]), h11s_verdict(response), None) is None


async def test_where_curl_sees_a_2xx_a_callback_is_delivered(tmp_path: Path) -> None:
    """And a poll reads no body that neither curl nor h11 reads."""
    if not has_curl():
        pytest.skip("NO CURL: install the Debian package curl")
    rng = random.Random(20_261_201)
    responses = [odd_response(rng) for _ in range(1_500)]
    for response, by_curl in zip(responses, await curls_verdicts(responses, tmp_path), strict=True):
        ours = await notifiers_verdict([response])
        assert disagreement(response, ours, h11s_verdict(response), by_curl) is None, response
