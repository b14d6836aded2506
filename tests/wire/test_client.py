"""An exchange ends in time, as a value, whatever the peer does; and the pool is whole afterwards."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifier import __version__
from notifier.core.replies import Exchange, Fault, Reply, Unreachable
from tests.wire.peers import (
    MAX_BODY,
    Line,
    Peer,
    Script,
    answer,
    for_ever,
    listening,
    resolving,
    saying,
    wired,
)

SOON_MS = 200
LONG_MS = 20_000
KEY = "Bearer sk-canary-0123456789"


async def fetch(script: Script, *, timeout_ms: int = SOON_MS, method: str = "GET") -> tuple[Exchange, Peer]:
    """One exchange with a peer of its own, and a healthy one after it through the same wire."""
    async with listening(script) as peer, listening(saying(answer())) as healthy, wired() as wire:
        if method == "GET":
            exchange = await wire.get(peer.url(), {"Authorization": KEY}, timeout_ms=timeout_ms)
        else:
            exchange = await wire.post(peer.url(), {"Authorization": KEY}, b"{}", timeout_ms=timeout_ms)
        assert isinstance(await wire.get(healthy.url(), {}, timeout_ms=LONG_MS), Reply)
        return exchange, peer


def fault_of(exchange: Exchange) -> Fault:
    assert isinstance(exchange, Unreachable), exchange
    assert "\n" not in exchange.detail
    assert exchange.detail
    assert "canary" not in exchange.detail
    return exchange.fault


# -- what goes right


async def test_a_reply_has_status_lower_case_headers_body_peer_and_times() -> None:
    async with listening(saying(answer(b"[1]", "207 Odd", "X-Two: a", "X-TWO: b"))) as peer, wired() as wire:
        reply = await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
        assert isinstance(reply, Reply)
        assert (reply.status, reply.body, reply.is_cut) == (207, b"[1]", False)
        assert reply.headers["x-two"] == "a, b"
        assert reply.peer == f"127.0.0.1:{peer.port}"
        assert reply.connect_ms is not None
        assert reply.first_byte_ms is not None
        assert 0 <= reply.connect_ms <= reply.first_byte_ms <= reply.elapsed_ms


async def test_the_request_is_sent_as_written_and_nothing_is_added_but_the_needed() -> None:
    """No cookies, no referrer, no encodings offered; the path and the query to the letter."""
    path = "/a%2Fb/%7Ex%3A/c?sig=%2B%2F%3d%20&list[]=1&q='a'&empty="
    async with listening(saying(answer())) as peer, wired() as wire:
        await wire.post(peer.url(path), {"Content-Type": "application/json"}, b'{"a":1}', timeout_ms=LONG_MS)
    first, *fields = peer.heads[0].decode().split("\r\n")
    assert first == f"POST {path} HTTP/1.1"
    names = {field.split(":")[0].lower() for field in fields if field}
    assert names == {
        "host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length",
    }  # fmt: skip
    assert "accept-encoding: identity" in peer.heads[0].decode().lower()
    assert f"user-agent: notifier/{__version__}" in peer.heads[0].decode().lower()
    assert peer.bodies == [b'{"a":1}']


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
async def test_a_body_of_any_size_arrives_whole_with_its_length(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with listening(saying(answer())) as peer, wired() as wire:
        reply = await wire.post(peer.url(), {}, body, timeout_ms=LONG_MS)
    assert isinstance(reply, Reply)
    assert peer.bodies == [body]
    assert b"chunked" not in peer.heads[0].lower()


async def test_a_connection_is_kept_and_used_again() -> None:
    async with listening(saying(answer())) as peer, wired() as wire:
        replies = [await wire.get(peer.url(), {}, timeout_ms=LONG_MS) for _ in range(5)]
    assert peer.connections == 1
    assert [reply.connect_ms is None for reply in replies] == [False, True, True, True, True]
    assert {reply.peer for reply in replies} == {f"127.0.0.1:{peer.port}"}


async def test_a_connection_is_kept_after_an_accepted_post_with_a_short_answer() -> None:
    """The rest of the answer is not waited for, but the connection is not thrown away either."""
    async with listening(saying(answer(b'{"ok": true}'))) as peer, wired() as wire:
        for _ in range(5):
            await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS)
    assert peer.connections == 1


async def test_a_connection_is_kept_when_the_short_answer_comes_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As most servers send it: first the head, then the body."""
    monkeypatch.setattr("notifier.wire.client.REST_S", LONG_MS)
    script = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"o", b"k", b"!!", pause_s=0.005)
    async with listening(script) as peer, wired() as wire:
        for _ in range(3):
            reply = await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS)
            assert isinstance(reply, Reply)
            assert reply.body == b""
    assert peer.connections == 1


async def test_an_idle_connection_is_not_used_after_its_time() -> None:
    async with listening(saying(answer())) as peer, wired(keepalive_s=0.05) as wire:
        await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
        await asyncio.sleep(0.2)
        await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
    assert peer.connections == 2


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 Not Found", "500 Oops"])
async def test_any_status_is_a_reply(status: str) -> None:
    exchange, _ = await fetch(saying(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()))
    assert isinstance(exchange, Reply)
    assert exchange.status == int(status[:3])


# -- the network


async def test_a_closed_port_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    async with wired() as wire:
        exchange = await wire.get(f"http://127.0.0.1:{port}/", {}, timeout_ms=LONG_MS)
    assert fault_of(exchange) is Fault.CONNECT
    assert exchange.peer == f"127.0.0.1:{port}"
    assert isinstance(exchange, Unreachable)
    assert "refused" in exchange.detail


async def test_a_name_that_does_not_resolve() -> None:
    async with wired(resolver=resolving()) as wire:
        exchange = await wire.get("http://nowhere.example/x?secret=canary", {}, timeout_ms=LONG_MS)
    assert fault_of(exchange) is Fault.DNS
    assert isinstance(exchange, Unreachable)
    assert exchange.detail == "nowhere.example: Name or service not known"
    assert exchange.peer is None


async def test_the_next_address_of_a_name_is_tried() -> None:
    """A dead address in front of a living one costs nothing but a moment."""
    async with listening(saying(answer())) as peer:
        async with wired(resolver=resolving(two_example=["127.0.0.2", "127.0.0.1"])) as wire:
            reply = await wire.get(peer.url(host="two.example"), {}, timeout_ms=LONG_MS)
        assert isinstance(reply, Reply)
        assert reply.peer == f"127.0.0.1:{peer.port}"
        assert f"host: two.example:{peer.port}".encode() in peer.heads[0].lower()


@contextlib.asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port whose backlog is full, so that a connect to it gets no answer at all."""
    with socket.socket() as bound, contextlib.ExitStack() as stuffing:
        bound.bind(("127.0.0.1", 0))
        bound.listen(0)
        for _ in range(4):
            filler = stuffing.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(bound.getsockname())
        await asyncio.sleep(0.01)
        yield bound.getsockname()[1]


async def test_a_black_hole_ends_at_the_deadline() -> None:
    async with black_hole() as port, wired() as wire:
        exchange = await wire.get(f"http://127.0.0.1:{port}/", {}, timeout_ms=SOON_MS)
    assert fault_of(exchange) is Fault.TIMEOUT
    assert isinstance(exchange, Unreachable)
    assert exchange.detail == "0.2 s, not even connected"
    assert exchange.peer == f"127.0.0.1:{port}"


# -- peers that end too early

WHOLE = answer(
    b'{"task_info": {"id": "abc", "status": "running"}}', "200 OK", "Content-Type: application/json"
)


@pytest.mark.parametrize("with_reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("at", [0, 1, 9, 15, 17, 40, len(WHOLE) - 20, len(WHOLE) - 1])
async def test_an_answer_that_breaks_off_at_any_byte_is_no_reply(at: int, with_reset: bool) -> None:
    async def script(line: Line) -> None:
        await line.request()
        if at:
            await line.say(WHOLE[:at])
            await asyncio.sleep(0.01)
        if with_reset:
            line.reset()

    exchange, _ = await fetch(script, timeout_ms=LONG_MS)
    assert fault_of(exchange) is Fault.RESET


@pytest.mark.parametrize("with_reset", [True, False], ids=["reset", "closed"])
async def test_a_chunked_answer_that_breaks_off_is_no_reply(with_reset: bool) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await asyncio.sleep(0.01)
        if with_reset:
            line.reset()

    exchange, _ = await fetch(script, timeout_ms=LONG_MS)
    assert fault_of(exchange) is Fault.RESET


async def test_an_answer_without_length_ends_with_the_connection() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.0 200 OK\r\n\r\nold but valid")

    exchange, _ = await fetch(script)
    assert isinstance(exchange, Reply)
    assert exchange.body == b"old but valid"


async def test_a_length_that_lies_upwards_ends_at_the_deadline() -> None:
    exchange, _ = await fetch(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nshort"))
    assert fault_of(exchange) is Fault.TIMEOUT
    assert isinstance(exchange, Unreachable)
    assert exchange.detail == "0.2 s, the answer began and did not end"


async def test_a_length_that_lies_downwards_poisons_no_later_exchange() -> None:
    """What stands after the end is never taken for the next answer."""
    lie = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with listening(saying(lie)) as peer, wired() as wire:
        for _ in range(5):
            reply = await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
            assert isinstance(reply, Reply)
            assert reply.body == b"{}"


# -- peers that never end


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(for_ever(b"", b"", 0.01), id="silence"),
        pytest.param(for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Drip: drip\r\n", 0.01), id="dripped headers"),
        pytest.param(for_ever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a", 0.01), id="a dripped header"),
        pytest.param(
            for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), id="a flood of early hints"
        ),
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
    exchange, _ = await fetch(script)
    assert fault_of(exchange) is Fault.TIMEOUT


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["long", "endless"],
)
async def test_no_more_is_read_than_allowed(head: bytes) -> None:
    exchange, peer = await fetch(for_ever(head, b"a" * 10_000), timeout_ms=LONG_MS)
    assert isinstance(exchange, Reply)
    assert exchange.is_cut
    assert exchange.body == b"a" * MAX_BODY
    assert peer.ended == ["lost"]


async def test_endless_chunks_are_cut() -> None:
    chunk = b"2710\r\n" + b"a" * 10_000 + b"\r\n"
    exchange, _ = await fetch(
        for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk), timeout_ms=LONG_MS
    )
    assert isinstance(exchange, Reply)
    assert (exchange.is_cut, len(exchange.body)) == (True, MAX_BODY)


@pytest.mark.parametrize(("size", "is_cut"), [(MAX_BODY, False), (MAX_BODY + 1, True)])
async def test_the_limit_is_the_last_byte_allowed(size: int, is_cut: bool) -> None:
    exchange, _ = await fetch(saying(answer(b"a" * size)), timeout_ms=LONG_MS)
    assert isinstance(exchange, Reply)
    assert (exchange.is_cut, exchange.body) == (is_cut, b"a" * MAX_BODY)


async def test_a_header_without_end_is_too_large() -> None:
    exchange, _ = await fetch(for_ever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 10_000), timeout_ms=LONG_MS)
    assert fault_of(exchange) is Fault.TOO_LARGE


async def test_headers_without_number_are_no_http() -> None:
    exchange, _ = await fetch(for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Many: a\r\n" * 50), timeout_ms=LONG_MS)
    assert fault_of(exchange) is Fault.PROTOCOL


async def test_a_request_body_that_nobody_reads_holds_no_socket_after_the_deadline() -> None:
    """A mere close would wait for the peer to read, which it never does: the socket would stay for ever."""

    async def script(line: Line) -> None:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a reading transport too
        await asyncio.Event().wait()

    async with listening(script) as peer, wired() as wire:
        before = open_files()
        exchange = await wire.post(peer.url(), {}, b"x" * 20_000_000, timeout_ms=SOON_MS)
        assert fault_of(exchange) is Fault.TIMEOUT
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
            assert isinstance(exchange, Reply)
            assert (exchange.status, exchange.body, exchange.is_cut) == (413, b"no", False)
            await asyncio.sleep(0.01)
            assert peer.connections == number
            assert open_files() == before + number


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


# -- encodings, garbage


def bomb() -> bytes:
    return gzip.compress(b"a" * 10_000_000)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    exchange, _ = await fetch(saying(answer(bomb(), "200 OK", "Content-Encoding: gzip")))
    assert fault_of(exchange) is Fault.PROTOCOL
    assert isinstance(exchange, Unreachable)
    assert exchange.detail == "encoded although asked not to"


async def test_a_compressed_error_keeps_its_status_and_headers() -> None:
    """A proxy that compresses its 429 page still says 429, and when to come back."""
    exchange, _ = await fetch(saying(answer(bomb(), "429 Slow", "Content-Encoding: gzip", "Retry-After: 7")))
    assert isinstance(exchange, Reply)
    assert (exchange.status, exchange.headers["retry-after"]) == (429, "7")
    assert (exchange.body, exchange.is_cut) == (b"", True)


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
async def test_identity_may_be_said_aloud(coding: str) -> None:
    exchange, _ = await fetch(saying(answer(b"{}", "200 OK", f"Content-Encoding: {coding}")))
    assert isinstance(exchange, Reply)
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
    assert fault_of(exchange) is Fault.PROTOCOL


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
    assert isinstance(exchange, Unreachable)
    assert exchange.fault in {Fault.PROTOCOL, Fault.DNS, Fault.CONNECT}


# -- redirects, cookies, proxies


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_a_reply_and_its_target_is_never_visited(status: str, method: str) -> None:
    async with listening(saying(answer())) as target:
        exchange, peer = await fetch(
            saying(answer(b"", status, f"Location: {target.url('/stolen')}")), method=method
        )
        assert isinstance(exchange, Reply)
        assert exchange.status == int(status[:3])
        assert KEY.encode() in peer.heads[0]
        assert target.connections == 0


async def test_a_cookie_is_not_sent_back() -> None:
    script = saying(answer(b"{}", "200 OK", "Set-Cookie: a=canary; Path=/", "Set-Cookie: b=2"))
    async with listening(script) as peer, wired(resolver=resolving(hook_example=["127.0.0.1"])) as wire:
        for url in (peer.url(), peer.url(host="hook.example")):  # jars treat names and addresses differently
            for _ in range(3):
                await wire.get(url, {}, timeout_ms=LONG_MS)
                await wire.post(url, {}, b"{}", timeout_ms=LONG_MS)
    assert len(peer.heads) == 12
    assert not any(b"cookie" in head.lower() for head in peer.heads)


async def test_proxies_and_netrc_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with listening(saying(answer(b"proxy"))) as proxy, listening(saying(answer(b"peer"))) as peer:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        async with wired() as wire:
            reply = await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
        assert isinstance(reply, Reply)
        assert reply.body == b"peer"
        assert proxy.connections == 0
        assert b"authorization" not in peer.heads[0].lower()


# -- what stands although the body does not end


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
    assert isinstance(exchange, Reply)
    assert (exchange.status, exchange.body, exchange.is_cut) == (202, b"", False)
    assert peer.connections == 1


async def test_an_accepted_post_stands_when_the_deadline_falls_into_its_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifier.wire.client.REST_S", LONG_MS)
    exchange, _ = await fetch(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), method="POST")
    assert isinstance(exchange, Reply)
    assert exchange.status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_error_status_stands_although_its_body_does_not_end(method: str) -> None:
    script = for_ever(b"HTTP/1.1 410 Gone\r\nContent-Length: 5000\r\nX-Why: moved\r\n\r\n", b"a", 0.01)
    exchange, _ = await fetch(script, method=method)
    assert isinstance(exchange, Reply)
    assert (exchange.status, exchange.headers["x-why"], exchange.is_cut) == (410, "moved", True)


async def test_the_body_of_a_refusal_is_read() -> None:
    exchange, _ = await fetch(saying(answer(b'{"why": "no"}', "422 No")), method="POST")
    assert isinstance(exchange, Reply)
    assert (exchange.body, exchange.is_cut) == (b'{"why": "no"}', False)


# -- connections that are there already


async def test_a_get_on_a_connection_that_dies_with_the_request_is_repeated_once() -> None:
    """The peer's own idle limit strikes just when we ask again."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer(b"first"))
        await line.request()
        line.reset()

    async with listening(script) as peer, wired() as wire:
        replies = [await wire.get(peer.url(), {}, timeout_ms=LONG_MS) for _ in range(3)]
    assert all(isinstance(reply, Reply) and reply.body == b"first" for reply in replies)
    assert peer.connections == 3


async def test_a_post_on_a_connection_that_dies_with_the_request_is_not_repeated() -> None:
    """It may have arrived: to send it again is the deliverer's decision."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer())
        await line.request()
        line.reset()

    async with listening(script) as peer, wired() as wire:
        first = await wire.post(peer.url(), {}, b"1", timeout_ms=LONG_MS)
        second = await wire.post(peer.url(), {}, b"2", timeout_ms=LONG_MS)
    assert isinstance(first, Reply)
    assert fault_of(second) is Fault.RESET
    assert second.connect_ms is None
    assert peer.bodies == [b"1", b"2"]


async def test_a_post_never_goes_out_on_a_connection_that_was_closed_before() -> None:
    """Many small servers close after each answer and do not say so."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer())

    async with listening(script) as peer, wired() as wire:
        replies = [await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS) for _ in range(50)]
    assert all(isinstance(reply, Reply) for reply in replies)
    assert peer.connections == 50


async def test_a_peer_that_was_restarted_is_asked_again_without_an_error() -> None:
    async def once(line: Line) -> None:
        await line.request()
        await line.say(answer())
        await line.hang()

    async with wired() as wire:
        async with listening(once) as peer:
            replies = await asyncio.gather(*(wire.get(peer.url(), {}, timeout_ms=LONG_MS) for _ in range(8)))
        assert all(isinstance(reply, Reply) for reply in replies)
        server = await asyncio.start_server(_answering_once, "127.0.0.1", peer.port)
        async with server:
            for _ in range(8):
                assert isinstance(await wire.post(peer.url(), {}, b"", timeout_ms=LONG_MS), Reply)


async def _answering_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer(b"", "200 OK", "Connection: close"))
    writer.close()
    await writer.wait_closed()


# -- the pool


async def test_the_pool_is_whole_after_hundreds_of_cut_off_exchanges() -> None:
    """Timed out, cancelled from outside, cut and reset, more at a time than there are connections."""

    async def moody(line: Line) -> None:
        await line.request()
        match line.peer.connections % 4:
            case 0:
                await line.hang()
            case 1:
                await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                await line.hang()
            case 2:
                line.reset()
            case _:
                await line.say(answer(b"a" * (MAX_BODY + 10)))

    async with listening(moody) as bad, listening(saying(answer())) as good, wired(connections=4) as wire:
        for _ in range(10):
            tasks = [
                asyncio.create_task(wire.get(bad.url(), {}, timeout_ms=1 + number * 3))
                for number in range(40)
            ]
            for task in tasks[::3]:
                asyncio.get_running_loop().call_later(0.02, task.cancel)
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(
                isinstance(outcome, Reply | Unreachable | asyncio.CancelledError) for outcome in outcomes
            )
        for _ in range(3):
            replies = await asyncio.gather(*(wire.get(good.url(), {}, timeout_ms=LONG_MS) for _ in range(4)))
            assert all(isinstance(reply, Reply) for reply in replies)
        assert good.connections <= 4


async def test_cancelling_an_exchange_raises_and_drops_its_connection() -> None:
    async with listening(lambda line: line.hang()) as peer, wired() as wire:
        task = asyncio.create_task(wire.get(peer.url(), {}, timeout_ms=LONG_MS))
        while not peer.connections:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not peer.ended:
            await asyncio.sleep(0.001)
        assert peer.ended == ["done"]


async def test_closing_ends_what_is_under_way_as_a_value() -> None:
    async with listening(lambda line: line.hang()) as peer, wired() as wire:
        task = asyncio.create_task(wire.get(peer.url(), {}, timeout_ms=LONG_MS))
        while not peer.connections:
            await asyncio.sleep(0.001)
        await wire.close()
        assert fault_of(await task) in {Fault.RESET, Fault.CONNECT}


async def test_a_wire_that_was_never_used_can_be_made_without_a_loop_and_closed() -> None:
    async with wired():
        pass
