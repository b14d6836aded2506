"""The whole daemon, seen from outside while it works: its stream and its metrics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from notifier.core.secret import Secret
from notifier.daemon.daemon import Daemon
from tests.daemon.test_app import Bench, bench
from tests.daemon.test_metrics import samples_of

__all__ = ["bench"]  # the fixture

Look = Callable[[], Awaitable[None]]
TASK = (
    b'{"task_id":"task-1","api_path":"/vendors/a/v1/b/generation","callback_url":"http://127.0.0.1:9/hook"}'
)


@asynccontextmanager
async def asked(bench: Bench, request: bytes, body: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    """Send a request; yields the connection once the head of the answer has come."""
    host, port = bench.bound.getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.readuntil(b"\r\n\r\n")
        yield reader
    finally:
        writer.close()


async def run_with(bench: Bench, daemon: Daemon, look: Look) -> None:
    """Run the daemon; ``look`` at it once it is ready, then stop it if it still runs."""
    looking: list[asyncio.Task[None]] = []

    async def look_and_stop() -> None:
        try:
            await look()
        finally:
            daemon.stop()

    await bench.run(daemon, lambda: looking.append(asyncio.create_task(look_and_stop())))
    await looking[0]


async def test_a_stop_ends_the_streams_and_does_not_wait_for_them(bench: Bench) -> None:
    """Each gets its proper end, not a connection that breaks off."""
    daemon = bench.daemon()

    async def look() -> None:
        async with asked(bench, b"GET /v1/events") as stream:
            await stream.readuntil(b"\n\n")
            daemon.stop()
            assert (await stream.read()).endswith(b"0\r\n\r\n")

    await run_with(bench, daemon, look)


async def test_other_settings_of_the_server_have_streams_judged_anew(bench: Bench) -> None:
    """Who listens without a token is cut off when one is asked for."""
    daemon = bench.daemon()

    async def look() -> None:
        async with asked(bench, b"GET /v1/events") as stream:
            await stream.readuntil(b"\n\n")
            assert await daemon.reload() == ()
            tokens = (Secret("a-token-0123456789"),)
            bench.config = replace(bench.config, server=replace(bench.config.server, tokens=tokens))
            assert await daemon.reload() == ()
            assert (await stream.read()).endswith(b"0\r\n\r\n")

    await run_with(bench, daemon, look)


async def test_a_registration_is_heard_on_the_stream_and_seen_in_the_metrics(bench: Bench) -> None:
    daemon = bench.daemon()

    async def look() -> None:
        async with asked(bench, b"GET /v1/events") as stream:
            await stream.readuntil(b"\n\n")
            async with asked(bench, b"POST /v1/watches", TASK):
                pass
            assert b"event: watch\n" in await stream.readuntil(b"\n\n")
        async with asked(bench, b"GET /metrics") as answer:
            text = (await answer.read()).decode()
        values = {(each.name, *sorted(each.labels.items())): each.value for each in samples_of(text)}
        assert values["notifier_watches", ("state", "watching")] == 1
        assert values["notifier_provider_paused", ("provider", "mulerouter")] == 0
        assert values["notifier_ready",] == 1

    await run_with(bench, daemon, look)
