"""A callback goes to a Unix socket as it goes to a port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifier.core.exchange import Exchange, FailureKind, FailureSubkind, HttpReply, NoReply
from notifier.core.formats.addresses import AddressPolicy
from tests.wire.peers import LONG_MS, Line, Peer, Script, answer, saying, wired


@contextlib.asynccontextmanager
async def listening_at(path: Path, script: Script) -> AsyncIterator[Peer]:
    """Run a peer on a Unix socket."""
    peer = Peer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await script(Line(reader, writer, peer))
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield peer
    finally:
        server.close()


async def post(
    url: str, *allow: str, own: tuple[tuple[str, int], ...] = (), times: int = 1
) -> list[Exchange]:
    async with wired(policy=AddressPolicy.of(allow, own)) as client:
        return [await client.post(url, {}, b"{}", timeout_ms=LONG_MS) for _ in range(times)]


@pytest.mark.fault(162)
async def test_a_callback_to_a_unix_socket_is_delivered(tmp_path: Path) -> None:
    """Target, body and a Host arrive as over TCP, and the connection is kept."""
    path = tmp_path / "app.sock"
    async with listening_at(path, saying(answer())) as peer:
        exchanges = await post(f"unix:{path}:/hook?a=[1]", f"unix:{tmp_path}/*.sock", times=3)
    for exchange in exchanges:
        assert isinstance(exchange, HttpReply), exchange
        assert (exchange.status, exchange.peer) == (200, str(path))
    assert exchanges[0].connect_ms is not None
    assert peer.connections == 1
    assert peer.bodies == [b"{}"] * 3
    head = peer.heads[0].lower()
    assert head.startswith(b"post /hook?a=[1] http/1.1\r\n")
    assert head.count(b"\r\nhost: localhost\r\n") == 1


@pytest.mark.fault(163)
async def test_a_socket_that_is_not_allowed_is_never_connected_to(tmp_path: Path) -> None:
    """Nor is our own listener, nor a link to it, nor anything without a policy: polls have none."""
    path, link = tmp_path / "app.sock", tmp_path / "link.sock"
    link.symlink_to(path)
    async with listening_at(path, saying(answer())) as peer:
        url, pattern, own = f"unix:{path}:/", f"unix:{tmp_path}/*", ((str(path), 0),)
        refused = [
            *await post(url, "loopback", "private", "public"),
            *await post(url, pattern, own=own),
            *await post(f"unix:{link}:/", pattern, own=own),
        ]
        async with wired() as client:
            refused.append(await client.get(url, {}, timeout_ms=LONG_MS))
        [reply] = await post(f"unix:{link}:/", pattern)
    for exchange in refused:
        assert isinstance(exchange, NoReply), exchange
        assert exchange.kind is FailureKind.BLOCKED
    finals = [isinstance(exchange, NoReply) and exchange.subkind for exchange in refused]
    assert finals == [None, FailureSubkind.NEVER_ALLOWED, FailureSubkind.NEVER_ALLOWED, None]
    assert isinstance(reply, HttpReply)
    assert peer.connections == 1


@pytest.mark.fault(163)
async def test_a_link_to_the_socket_of_a_container_engine_is_refused(tmp_path: Path) -> None:
    """It stands in a folder that is allowed; what it leads to decides."""
    engine, link = tmp_path / "docker.sock", tmp_path / "app.sock"
    link.symlink_to(engine)
    async with listening_at(engine, saying(answer())) as peer:
        [exchange] = await post(f"unix:{link}:/", f"unix:{tmp_path}/*.sock")
    assert isinstance(exchange, NoReply)
    assert exchange.subkind is FailureSubkind.NEVER_ALLOWED
    assert peer.connections == 0


@pytest.mark.fault(162)
@pytest.mark.parametrize("is_file", [False, True])
async def test_a_socket_without_a_listener_is_no_connection(tmp_path: Path, is_file: bool) -> None:
    """The text names the socket and what the system says."""
    path = tmp_path / "app.sock"
    if is_file:
        path.touch()
    [exchange] = await post(f"unix:{path}:/", f"unix:{path}")
    assert isinstance(exchange, NoReply)
    assert exchange.kind is FailureKind.CONNECT
    assert exchange.detail == f"{path}: {'connection refused' if is_file else 'no such file or directory'}"


@pytest.mark.fault(162)
async def test_a_full_backlog_is_waited_for(tmp_path: Path) -> None:
    """The kernel refuses such a connection at once, and asyncio would take that for a connection."""
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as fillers:
        listener.bind(str(path))
        listener.listen(0)
        for _ in range(10):
            filler = fillers.enter_context(socket.socket(socket.AF_UNIX))
            filler.setblocking(False)
            try:
                filler.connect(str(path))
            except BlockingIOError:
                break
        sending = asyncio.create_task(post(f"unix:{path}:/", f"unix:{path}"))
        await asyncio.to_thread(answer_last, listener)
        [exchange] = await sending
    assert isinstance(exchange, HttpReply), exchange


def answer_last(listener: socket.socket) -> None:
    """Accept what comes until a connection has a request, and answer it."""
    while True:
        accepted, _ = listener.accept()
        accepted.settimeout(0.2)  # a filler sends nothing
        with accepted, contextlib.suppress(TimeoutError):
            accepted.recv(65_536)
            accepted.sendall(answer())
            return
