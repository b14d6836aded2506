"""What goes out is what was asked for, and nothing but that; what comes back is a value."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from notifier import __version__
from notifier.core.exchange import FailureKind, HttpReply, NoReply
from notifier.core.formats.urls import check_callback_url
from notifier.outbound.resolver import CachingResolver
from tests.wire.peers import (
    KEY,
    LONG_MS,
    SOON_MS,
    answer,
    fault_of,
    fetch,
    listening,
    resolving,
    saying,
    wired,
)

# -- what goes right


async def test_a_reply_has_status_lower_case_headers_body_peer_and_times() -> None:
    async with listening(saying(answer(b"[1]", "207 Odd", "X-Two: a", "X-TWO: b"))) as peer, wired() as wire:
        reply = await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
        assert isinstance(reply, HttpReply)
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
        "host", "accept", "accept-encoding", "user-agent", "content-type", "content-length",
    }  # fmt: skip
    assert "accept-encoding: identity" in peer.heads[0].decode().lower()
    assert f"user-agent: notifier/{__version__}" in peer.heads[0].decode().lower()
    assert peer.bodies == [b'{"a":1}']


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "404 Not Found"])
async def test_the_reply_to_a_query_is_read_whole(status: str) -> None:
    """A poll by POST needs the body of a success; a callback does not."""
    async with listening(saying(answer(b'{"done": true}', status))) as peer, wired() as wire:
        reply = await wire.query(peer.url("/op"), {}, b'{"name": "a/b"}', timeout_ms=LONG_MS)
        cut = await wire.query(peer.url("/op"), {}, b"{}", timeout_ms=LONG_MS, max_body=5)
    assert isinstance(reply, HttpReply)
    assert (reply.body, reply.is_cut) == (b'{"done": true}', False)
    assert isinstance(cut, HttpReply)
    assert (cut.body, cut.is_cut) == (b'{"don', True)
    assert peer.bodies[0] == b'{"name": "a/b"}'
    assert peer.heads[0].startswith(b"POST /op HTTP/1.1")


@pytest.mark.parametrize("name", ["User-Agent", "user-agent", "Accept", "ACCEPT-ENCODING"])
async def test_a_header_of_the_caller_replaces_ours_and_is_sent_once(name: str) -> None:
    """As written. ``User-Agent: notifier/0.1.0, notifier/0.1.0`` stood on every callback."""
    async with listening(saying(answer())) as peer, wired() as wire:
        await wire.post(peer.url(), {name: "mine"}, b"{}", timeout_ms=LONG_MS)
    lines = peer.heads[0].decode().split("\r\n")
    assert [line for line in lines if line.lower().startswith(f"{name.lower()}:")] == [f"{name}: mine"]


@pytest.mark.parametrize(
    "query", ["a[]={b}|^`", "url=http%3A%2F%2Fh%2F", "a=%2f&b=%2F&c=/?:@", "'", "%C3%BC"]
)
async def test_a_query_travels_as_it_is_registered(query: str) -> None:
    """Signatures in queries and frameworks' lists depend on each byte."""
    async with listening(saying(answer())) as peer, wired() as wire:
        url = check_callback_url(peer.url(f"/hook?{query}"))
        await wire.post(url, {}, b"{}", timeout_ms=LONG_MS)
    assert peer.heads[0].startswith(f"POST /hook?{query} HTTP/1.1\r\n".encode())


async def test_a_dot_at_the_end_of_a_host_is_resolved_and_not_sent() -> None:
    """Without it the resolver may find another host in a search domain, and send it the signed body."""
    asked: list[str] = []

    def lookup(name: str) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    async with listening(saying(answer())) as peer, wired(resolver=CachingResolver(lookup)) as wire:
        url = check_callback_url(peer.url(host="hook.svc.intern."))
        assert isinstance(await wire.post(url, {}, b"{}", timeout_ms=LONG_MS), HttpReply)
    assert asked == ["hook.svc.intern."]
    assert f"\r\nhost: hook.svc.intern:{peer.port}\r\n".encode() in peer.heads[0].lower()


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
async def test_a_body_of_any_size_arrives_whole_with_its_length(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with listening(saying(answer())) as peer, wired() as wire:
        reply = await wire.post(peer.url(), {}, body, timeout_ms=LONG_MS)
    assert isinstance(reply, HttpReply)
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
    monkeypatch.setattr("notifier.outbound.client.REMAINDER_LIMIT_S", LONG_MS)
    script = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"o", b"k", b"!!", pause_s=0.005)
    async with listening(script) as peer, wired() as wire:
        for _ in range(3):
            reply = await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS)
            assert isinstance(reply, HttpReply)
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
    assert isinstance(exchange, HttpReply)
    assert exchange.status == int(status[:3])


# -- the network


@pytest.mark.fault(40)
async def test_a_closed_port_is_no_connection() -> None:
    """It comes back as a value, in words."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    async with wired() as wire:
        exchange = await wire.get(f"http://127.0.0.1:{port}/", {}, timeout_ms=LONG_MS)
    assert fault_of(exchange) is FailureKind.CONNECT
    assert exchange.peer == f"127.0.0.1:{port}"
    assert isinstance(exchange, NoReply)
    assert "refused" in exchange.detail


@pytest.mark.fault(40)
async def test_a_name_that_does_not_resolve() -> None:
    """It comes back as a value, in words."""
    async with wired(resolver=resolving()) as wire:
        exchange = await wire.get("http://nowhere.example/x?secret=canary", {}, timeout_ms=LONG_MS)
    assert fault_of(exchange) is FailureKind.DNS
    assert isinstance(exchange, NoReply)
    assert exchange.detail == "nowhere.example: Name or service not known"
    assert exchange.peer is None


async def test_the_next_address_of_a_name_is_tried() -> None:
    """A dead address in front of a living one costs nothing but a moment."""
    async with listening(saying(answer())) as peer:
        async with wired(resolver=resolving(two_example=["127.0.0.2", "127.0.0.1"])) as wire:
            reply = await wire.get(peer.url(host="two.example"), {}, timeout_ms=LONG_MS)
        assert isinstance(reply, HttpReply)
        assert reply.peer == f"127.0.0.1:{peer.port}"
        assert f"host: two.example:{peer.port}".encode() in peer.heads[0].lower()


@contextlib.asynccontextmanager
async def black_hole(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A port whose backlog is full, so that a connect to it gets no answer at all."""
    with socket.socket() as bound, contextlib.ExitStack() as stuffing:
        bound.bind((host, 0))
        bound.listen(0)
        for _ in range(4):
            filler = stuffing.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(bound.getsockname())
        await asyncio.sleep(0.01)
        yield bound.getsockname()[1]


@pytest.mark.fault(40, 43)
async def test_a_black_hole_ends_at_the_deadline() -> None:
    """Nothing answers the connect; it is left when its time is over."""
    async with black_hole() as port, wired() as wire:
        exchange = await wire.get(f"http://127.0.0.1:{port}/", {}, timeout_ms=SOON_MS)
    assert fault_of(exchange) is FailureKind.TIMEOUT
    assert isinstance(exchange, NoReply)
    assert exchange.detail == "1 s, not even connected"
    assert exchange.peer == f"127.0.0.1:{port}"


async def test_a_black_hole_in_front_of_a_living_address_takes_only_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name with a dead IPv6 route is common; the deadline is not spent on it alone."""
    monkeypatch.setattr("notifier.outbound.connector.NEXT_ADDRESS_S", 0.05)
    names = resolving(two_example=["127.0.0.2", "127.0.0.1"])
    async with black_hole("127.0.0.2") as port, wired(resolver=names) as wire:
        server = await asyncio.start_server(_answering, "127.0.0.1", port)
        async with server:
            reply = await wire.get(f"http://two.example:{port}/", {}, timeout_ms=LONG_MS)
    assert isinstance(reply, HttpReply)
    assert reply.peer == f"127.0.0.1:{port}"


async def _answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer(b"", "200 OK", "Connection: close"))
    writer.close()
    await writer.wait_closed()


# -- redirects, cookies, proxies


@pytest.mark.fault(59)
@pytest.mark.threat(8)
@pytest.mark.fault(66)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_a_reply_and_its_target_is_never_visited(status: str, method: str) -> None:
    """By either method and any of the five: what was signed or carries a key goes to no other host."""
    async with listening(saying(answer())) as target:
        exchange, peer = await fetch(
            saying(answer(b"", status, f"Location: {target.url('/stolen')}")), method=method
        )
        assert isinstance(exchange, HttpReply)
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
        assert isinstance(reply, HttpReply)
        assert reply.body == b"peer"
        assert proxy.connections == 0
        assert b"authorization" not in peer.heads[0].lower()
