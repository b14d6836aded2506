"""A server that stops hears those whom it has let in, and keeps nobody who does not speak."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from notifier.server.graceful_stop import StoppingProtocol
from notifier.server.server import EmbeddedServer
from tests.api.conftest import Bench

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Brief(StoppingProtocol):
    """For a client that never asks, a test waits no longer than this."""

    idle_grace_s = 0.05


@asynccontextmanager
async def serving(
    bench: Bench, protocol: type[StoppingProtocol]
) -> AsyncIterator[tuple[EmbeddedServer, int]]:
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    host = EmbeddedServer(bench.app, bound, http=protocol, timeout_graceful_shutdown=20)
    running = asyncio.create_task(host.run_until_stopped())
    await host.is_up.wait()
    yield host, port
    host.stop()
    await running


async def connected(host: EmbeddedServer, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that the server has let in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not host.server_state.connections:
        await asyncio.sleep(0)
    return reader, writer


@pytest.mark.parametrize("said", [b"", GET[:20]])
async def test_who_was_let_in_before_the_stop_is_answered_after_it(bench: Bench, said: bytes) -> None:
    """The request, or the rest of it, comes when the server has begun to stop."""
    async with serving(bench, StoppingProtocol) as (host, port):
        reader, writer = await connected(host, port)
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(0)
        host.stop()
        while host.servers[0].is_serving():
            await asyncio.sleep(0)
        writer.write(GET[len(said) :])
        answer = await reader.read()  # to the end: the connection is closed after it
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer  # it was the last one


async def test_who_says_nothing_holds_up_no_stop(bench: Bench) -> None:
    """It is given a moment, and then closed."""
    async with serving(bench, Brief) as (host, port):
        reader, writer = await connected(host, port)
        host.stop()
        assert await reader.read() == b""
        writer.close()


async def test_an_idle_connection_is_closed_at_once(bench: Bench) -> None:
    """Its client has had an answer; it knows that kept connections end."""
    async with serving(bench, StoppingProtocol) as (host, port):
        reader, writer = await connected(host, port)
        writer.write(GET)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        for connection in host.server_state.connections:
            assert isinstance(connection, StoppingProtocol)
            connection.shutdown()
            assert connection.transport.is_closing()
        writer.close()
