"""The stream on a socket: through the guard, and never cut while it is only idle."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from notifier.api.event_feed import EventFeed
from tests.api.conftest import EPOCH, Bench
from tests.api.test_guard import TOKENS
from tests.api.test_protocol import Hasty, say, serving, statuses

EVENTS = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
BIG = {"x": "y" * 16_000}


@asynccontextmanager
async def stream(port: int, head: bytes = EVENTS) -> AsyncIterator[tuple[asyncio.StreamReader, bytes]]:
    """Ask for the stream; yields what comes, and the head of the answer in lower case."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    try:
        writer.write(head + b"\r\n")
        yield reader, (await reader.readuntil(b"\r\n\r\n")).lower()
    finally:
        writer.close()


async def told(bench: Bench, task_id: str, **more: object) -> None:
    await bench.register(task_id, **more)
    await bench.feed.tick()


def listeners(feed: EventFeed) -> int:
    return len(feed._subscribers)


async def test_a_stream_says_what_it_is_and_brings_events(bench: Bench) -> None:
    async with serving(bench.app) as port, stream(port) as (reader, head):
        assert head.startswith(b"http/1.1 200 ")
        for line in (b"text/event-stream", b"no-store", b"nosniff", b"transfer-encoding: chunked"):
            assert line in head
        assert (await reader.readuntil(b"\n\n")).endswith(b"retry: 2000\nid: %s-0\n\n" % EPOCH.encode())
        await told(bench, "task-1")
        assert b"event: watch\n" in await reader.readuntil(b"\n\n")


async def test_a_stream_is_guarded_like_every_call(bench: Bench) -> None:
    """By Host, by Origin, by token; and a HEAD of it ends at once."""
    async with serving(bench.app) as port:
        foreign = b"GET /v1/events HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert statuses(await say(port, foreign)) == [421]
        page = EVENTS + b"Origin: http://evil.example\r\nConnection: close\r\n\r\n"
        assert statuses(await say(port, page)) == [403]
        head = EVENTS.replace(b"GET", b"HEAD") + b"Connection: close\r\n\r\n"
        assert statuses(await say(port, head)) == [200]
        bench.configure(tokens=TOKENS)
        assert statuses(await say(port, EVENTS + b"Connection: close\r\n\r\n")) == [401]
        shown = b"Authorization: Bearer " + TOKENS[0].reveal().encode() + b"\r\n"
        async with stream(port, EVENTS + shown) as (reader, _):
            assert b"id: " in await reader.readuntil(b"\n\n")


async def test_a_stream_goes_on_after_the_last_id(bench: Bench) -> None:
    async with serving(bench.app) as port:
        async with stream(port) as (reader, _):
            await reader.readuntil(b"\n\n")
            await told(bench, "task-1")
            last = re.findall(rb"id: (\S+)", await reader.readuntil(b"\n\n"))[-1]
        await told(bench, "task-2")
        async with stream(port, EVENTS + b"Last-Event-ID: " + last + b"\r\n") as (reader, _):
            await reader.readuntil(b"\n\n")
            assert b"task-2" in await reader.readuntil(b"\n\n")
        async with stream(port, EVENTS + b"Last-Event-ID: 0-1\r\n") as (reader, _):
            await reader.readuntil(b"\n\n")
            assert b"event: reset\n" in await reader.readuntil(b"\n\n")


async def test_a_stream_on_which_nothing_happens_is_not_cut(bench: Bench) -> None:
    """The time for a request, and for a client that does not read, has passed meanwhile."""
    async with serving(bench.app, Hasty) as port, stream(port) as (reader, _):
        await reader.readuntil(b"\n\n")
        for _ in range(3):
            assert statuses(await say(port, EVENTS)) == [408]  # waits for as long
        await told(bench, "task-1")
        assert b"event: watch\n" in await reader.readuntil(b"\n\n")


async def test_a_client_that_goes_away_leaves_nothing(bench: Bench) -> None:
    async with serving(bench.app) as port:
        async with stream(port) as (reader, _):
            await reader.readuntil(b"\n\n")
            assert listeners(bench.feed) == 1
        while listeners(bench.feed):
            await asyncio.sleep(0)


async def test_a_client_that_does_not_read_is_cut_and_others_hear_all(bench: Bench) -> None:
    """What waits for it is bounded by the connection's buffers; the others are never held up."""
    heard = 0

    async def listen(reader: asyncio.StreamReader) -> None:
        nonlocal heard
        async for line in reader:
            heard += line == b"event: watch\n"

    async with serving(bench.app, Hasty) as port, stream(port) as (quick, _), stream(port):
        listening = asyncio.create_task(listen(quick))
        watch_id, sent = (await bench.register(metadata=BIG))["id"], 0
        while listeners(bench.feed) == 2:
            bench.feed.watch(watch_id)
            await bench.feed.tick()
            sent += 1
            while heard < sent:
                await asyncio.sleep(0)
        assert listeners(bench.feed) == 1
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.parametrize("how", ["close", "end_all"])
async def test_a_stream_that_we_end_is_whole(bench: Bench, how: str) -> None:
    """At the stop of the daemon, and when the settings of the server change."""
    async with serving(bench.app) as port, stream(port, EVENTS + b"Connection: close\r\n") as (reader, _):
        await reader.readuntil(b"\n\n")
        getattr(bench.feed, how)()
        assert (await reader.read()).endswith(b"0\r\n\r\n")
