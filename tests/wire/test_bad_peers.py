"""An exchange ends in time, as a value, whatever the peer does."""

import asyncio
import gzip
from pathlib import Path

import pytest

from notifier.core.exchange import FailureKind, HttpReply, NoReply
from tests.wire.peers import (
    LONG_MS,
    MAX_BODY,
    SOON_MS,
    Line,
    Script,
    answer,
    fault_of,
    fetch,
    for_ever,
    listening,
    resolving,
    saying,
    wired,
)

# -- peers that end too early

WHOLE = answer(
    b'{"task_info": {"id": "abc", "status": "running"}}', "200 OK", "Content-Type: application/json"
)


@pytest.mark.fault(41)
@pytest.mark.parametrize("with_reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("at", [0, 1, 9, 15, 17, 40, len(WHOLE) - 20, len(WHOLE) - 1])
async def test_an_answer_that_breaks_off_at_any_byte_is_no_reply(at: int, with_reset: bool) -> None:
    """Reset or closed, in the head or in the body."""

    async def script(line: Line) -> None:
        await line.request()
        if at:
            await line.say(WHOLE[:at])
            await asyncio.sleep(0.01)
        if with_reset:
            line.reset()

    exchange, _ = await fetch(script, timeout_ms=LONG_MS)
    assert fault_of(exchange) is FailureKind.RESET


@pytest.mark.parametrize("with_reset", [True, False], ids=["reset", "closed"])
async def test_a_chunked_answer_that_breaks_off_is_no_reply(with_reset: bool) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await asyncio.sleep(0.01)
        if with_reset:
            line.reset()

    exchange, _ = await fetch(script, timeout_ms=LONG_MS)
    assert fault_of(exchange) is FailureKind.RESET


async def test_an_answer_without_length_ends_with_the_connection() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.0 200 OK\r\n\r\nold but valid")

    exchange, _ = await fetch(script)
    assert isinstance(exchange, HttpReply)
    assert exchange.body == b"old but valid"


@pytest.mark.fault(43, 58)
async def test_a_length_that_lies_upwards_ends_at_the_deadline() -> None:
    """What is announced and does not come is not waited for longer."""
    exchange, _ = await fetch(
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nshort"), timeout_ms=SOON_MS
    )
    assert fault_of(exchange) is FailureKind.TIMEOUT
    assert isinstance(exchange, NoReply)
    assert exchange.detail == "1 s, the answer began and did not end"


async def test_a_length_that_lies_downwards_poisons_no_later_exchange() -> None:
    """What stands after the end is never taken for the next answer."""
    lie = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with listening(saying(lie)) as peer, wired() as wire:
        for _ in range(5):
            reply = await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
            assert isinstance(reply, HttpReply)
            assert reply.body == b"{}"


# -- peers that never end


@pytest.mark.fault(44)
@pytest.mark.fault(71)
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(for_ever(b"", b"", 0.01), id="silence"),
        pytest.param(for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Drip: drip\r\n", 0.01), id="dripped headers"),
        pytest.param(for_ever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a", 0.01), id="a dripped header"),
        pytest.param(for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), id="dripped continues"),
        pytest.param(
            for_ever(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"a", 0.01), id="a dripped body"
        ),
        pytest.param(
            for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", 0.01),
            id="dripped chunks",
        ),
        pytest.param(for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"a", 0.01), id="a dripped body without length"),
    ],
)
async def test_who_drips_is_left_at_the_deadline(script: Script) -> None:
    """The deadline is that of the whole exchange, however much keeps coming; the next finds room."""
    exchange, _ = await fetch(script, timeout_ms=SOON_MS)
    assert fault_of(exchange) is FailureKind.TIMEOUT


@pytest.mark.fault(58)
@pytest.mark.threat(12)
@pytest.mark.fault(76)
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["long", "endless"],
)
async def test_no_more_is_read_than_allowed(head: bytes) -> None:
    """What lies beyond the limit is not waited for: the connection is closed."""
    exchange, peer = await fetch(for_ever(head, b"a" * 10_000), timeout_ms=LONG_MS)
    assert isinstance(exchange, HttpReply)
    assert exchange.is_cut
    assert exchange.body == b"a" * MAX_BODY
    assert peer.ended == ["lost"]


@pytest.mark.fault(58)
@pytest.mark.threat(12)
async def test_endless_chunks_are_cut() -> None:
    """Where there is no length, what was read is counted."""
    chunk = b"2710\r\n" + b"a" * 10_000 + b"\r\n"
    exchange, _ = await fetch(
        for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk), timeout_ms=LONG_MS
    )
    assert isinstance(exchange, HttpReply)
    assert (exchange.is_cut, len(exchange.body)) == (True, MAX_BODY)


@pytest.mark.parametrize(("size", "is_cut"), [(MAX_BODY, False), (MAX_BODY + 1, True)])
async def test_the_limit_is_the_last_byte_allowed(size: int, is_cut: bool) -> None:
    exchange, _ = await fetch(saying(answer(b"a" * size)), timeout_ms=LONG_MS)
    assert isinstance(exchange, HttpReply)
    assert (exchange.is_cut, exchange.body) == (is_cut, b"a" * MAX_BODY)


async def test_a_header_without_end_is_too_large() -> None:
    exchange, _ = await fetch(for_ever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 10_000), timeout_ms=LONG_MS)
    assert fault_of(exchange) is FailureKind.TOO_LARGE


async def test_headers_without_number_are_no_http() -> None:
    exchange, _ = await fetch(for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Many: a\r\n" * 50), timeout_ms=LONG_MS)
    assert fault_of(exchange) is FailureKind.PROTOCOL


@pytest.mark.fault(71)
async def test_a_request_body_that_nobody_reads_holds_no_socket_after_the_deadline() -> None:
    """A mere close would wait for the peer to read, which it never does: the socket would stay for ever."""

    async def script(line: Line) -> None:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a reading transport too
        await asyncio.Event().wait()

    async with listening(script) as peer, wired() as wire:
        before = open_files()
        exchange = await wire.post(peer.url(), {}, b"x" * 20_000_000, timeout_ms=SOON_MS)
        assert fault_of(exchange) is FailureKind.TIMEOUT
        await asyncio.sleep(0.01)
        assert peer.connections == 1
        assert open_files() == before + 1  # the peer's end of it


async def test_an_answer_before_the_whole_request_is_sent_holds_no_socket_and_spoils_no_other() -> None:
    """The rest of the body can neither be sent nor recalled: on that connection nothing more may go out."""

    async def script(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        line.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a reading transport too
        await line.say(answer(b"no", "413 Too Large"))
        await asyncio.Event().wait()

    async with listening(script) as peer, wired() as wire:
        before = open_files()
        for number in (1, 2, 3):
            exchange = await wire.post(peer.url(), {}, b"x" * 20_000_000, timeout_ms=LONG_MS)
            assert isinstance(exchange, HttpReply)
            assert (exchange.status, exchange.body, exchange.is_cut) == (413, b"no", False)
            await asyncio.sleep(0.01)
            assert peer.connections == number
            assert open_files() == before + number


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


# -- encodings, garbage


def bomb() -> bytes:
    return gzip.compress(b"a" * 10_000_000)


@pytest.mark.fault(58, 101)
@pytest.mark.threat(12)
@pytest.mark.parametrize("status", ["200 OK", "429 Slow"])
async def test_a_compressed_body_is_handed_on_as_it_came(status: str) -> None:
    """Who reads it unpacks it, and knows how much may come of it. The status and the headers count."""
    packed = bomb()
    exchange, _ = await fetch(saying(answer(packed, status, "Content-Encoding: gzip", "Retry-After: 7")))
    assert isinstance(exchange, HttpReply)
    assert (exchange.status, exchange.headers["retry-after"]) == (int(status[:3]), "7")
    assert (exchange.body, exchange.is_cut) == (packed, False)


@pytest.mark.fault(58)
@pytest.mark.parametrize(("size", "is_cut"), [(100, False), (101, True)])
async def test_a_request_may_have_a_limit_of_its_own(size: int, is_cut: bool) -> None:
    """Providers have limits of their own, and share the client."""
    async with listening(saying(answer(b"a" * size))) as peer, wired() as wire:
        exchange = await wire.get(peer.url(), {}, timeout_ms=LONG_MS, max_body=100)
    assert isinstance(exchange, HttpReply)
    assert (exchange.body, exchange.is_cut) == (b"a" * 100, is_cut)


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
async def test_identity_may_be_said_aloud(coding: str) -> None:
    exchange, _ = await fetch(saying(answer(b"{}", "200 OK", f"Content-Encoding: {coding}")))
    assert isinstance(exchange, HttpReply)
    assert exchange.body == b"{}"


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"sk-canary-0123456789\r\n\r\n",
        b"HTTP/1.1 sk-canary OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Bad\x00: sk-canary\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsk-canary\r\n",
    ],
)
async def test_what_is_no_http_is_told_and_never_quoted(garbage: bytes) -> None:
    exchange, _ = await fetch(saying(garbage))
    assert fault_of(exchange) is FailureKind.PROTOCOL


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://", {}),
        ("http://:0/", {}),
        ("ftp://127.0.0.1/", {}),
        ("no url", {}),
        ("http://127.1/", {}),
        ("http://2130706433/", {}),
        ("http://xn--/", {}),
        ("http://[::1/", {}),
        ("http://127.0.0.1:99999/", {}),
        ("http://127.0.0.1/", {"X-Split": "a\r\nb: c"}),
        ("http://127.0.0.1/", {"X-Late": "schön"}),
    ],
)
async def test_what_cannot_be_sent_is_a_value_too(url: str, headers: dict[str, str]) -> None:
    async with wired(resolver=resolving()) as wire:
        exchange = await wire.get(url, headers, timeout_ms=LONG_MS)
    assert isinstance(exchange, NoReply)
    assert exchange.kind in {FailureKind.PROTOCOL, FailureKind.DNS, FailureKind.CONNECT}


# -- what stands although the body does not end


@pytest.mark.fault(76)
@pytest.mark.parametrize(
    "tail",
    [
        pytest.param((b"Content-Length: 1000000000", b"a" * 10_000, 0.0), id="endless"),
        pytest.param((b"Content-Length: 5000", b"a", 0.01), id="dripped"),
        pytest.param((b"Content-Encoding: gzip", b"not gzip", 0.01), id="encoded"),
        pytest.param((b"Transfer-Encoding: chunked", b"nonsense\r\n", 0.01), id="broken"),
    ],
)
async def test_a_2xx_to_a_post_is_the_whole_answer(tail: tuple[bytes, bytes, float]) -> None:
    """What follows in the body is not waited for: the deadline here is far longer than this test may take."""
    field, again, pause_s = tail
    script = for_ever(b"HTTP/1.1 202 Fine\r\n" + field + b"\r\n\r\n", again, pause_s)
    exchange, peer = await fetch(script, method="POST", timeout_ms=200_000)
    assert isinstance(exchange, HttpReply)
    assert (exchange.status, exchange.body, exchange.is_cut) == (202, b"", False)
    assert peer.connections == 1


async def test_an_accepted_post_stands_when_the_deadline_falls_into_its_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifier.outbound.client.REMAINDER_LIMIT_S", LONG_MS)
    script = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    exchange, _ = await fetch(script, method="POST", timeout_ms=SOON_MS)
    assert isinstance(exchange, HttpReply)
    assert exchange.status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_error_status_stands_although_its_body_does_not_end(method: str) -> None:
    script = for_ever(b"HTTP/1.1 410 Gone\r\nContent-Length: 5000\r\nX-Why: moved\r\n\r\n", b"a", 0.01)
    exchange, _ = await fetch(script, method=method, timeout_ms=SOON_MS)
    assert isinstance(exchange, HttpReply)
    assert (exchange.status, exchange.headers["x-why"], exchange.is_cut) == (410, "moved", True)


async def test_the_body_of_a_refusal_is_read() -> None:
    exchange, _ = await fetch(saying(answer(b'{"why": "no"}', "422 No")), method="POST")
    assert isinstance(exchange, HttpReply)
    assert (exchange.body, exchange.is_cut) == (b'{"why": "no"}', False)
