"""Connections are kept, given up and dropped at the right time, and the pool stays whole."""

import asyncio
import contextlib

import pytest

from notifier.core.exchange import FailureKind, HttpReply, NoReply
from tests.wire.peers import (
    LONG_MS,
    MAX_BODY,
    Line,
    answer,
    fault_of,
    fetch,
    listening,
    saying,
    wired,
)

# -- connections that are there already


@pytest.mark.fault(42)
async def test_a_get_on_a_connection_that_dies_with_the_request_is_repeated_once() -> None:
    """The peer's own idle limit strikes just when we ask again."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer(b"first"))
        await line.request()
        line.reset()

    async with listening(script) as peer, wired() as wire:
        replies = [await wire.get(peer.url(), {}, timeout_ms=LONG_MS) for _ in range(3)]
    assert all(isinstance(reply, HttpReply) and reply.body == b"first" for reply in replies)
    assert peer.connections == 3


@pytest.mark.fault(42)
@pytest.mark.parametrize("with_reset", [True, False], ids=["reset", "closed"])
async def test_a_post_on_a_connection_that_dies_with_the_request_is_repeated_once(with_reset: bool) -> None:
    """The receiver knows the id of a callback, so that it may get it twice."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer())
        await line.request()
        if with_reset:
            line.reset()

    async with listening(script) as peer, wired() as wire:
        first = await wire.post(peer.url(), {}, b"1", timeout_ms=LONG_MS)
        second = await wire.post(peer.url(), {}, b"2", timeout_ms=LONG_MS)
    assert isinstance(first, HttpReply)
    assert isinstance(second, HttpReply)
    assert second.connect_ms is not None
    assert peer.bodies == [b"1", b"2", b"2"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_exchange_on_a_new_connection_is_never_repeated(method: str) -> None:
    """The peer has read the request and closed without an answer: that is a failure of the peer."""

    async def script(line: Line) -> None:
        await line.request()

    exchange, peer = await fetch(script, method=method)
    assert fault_of(exchange) is FailureKind.RESET
    assert len(peer.heads) == peer.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_is_repeated_once_at_most(method: str) -> None:
    """The first request is answered; from then on the peer reads and closes."""

    async def script(line: Line) -> None:
        await line.request()
        if line.peer.connections == 1:
            await line.say(answer())
            await line.request()

    async with listening(script) as peer, wired() as wire:
        exchanges = [
            await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
            if method == "GET"
            else await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS)
            for _ in range(2)
        ]
    assert isinstance(exchanges[0], HttpReply)
    assert fault_of(exchanges[1]) is FailureKind.RESET
    assert (peer.connections, len(peer.heads)) == (2, 3)


async def test_an_answer_that_broke_off_on_a_kept_connection_is_not_repeated() -> None:
    """A byte of an answer has come: the request has arrived."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer())
        await line.request()
        await line.say(b"HTTP/1.1 2")

    async with listening(script) as peer, wired() as wire:
        assert isinstance(await wire.post(peer.url(), {}, b"1", timeout_ms=LONG_MS), HttpReply)
        assert fault_of(await wire.post(peer.url(), {}, b"2", timeout_ms=LONG_MS)) is FailureKind.RESET
    assert peer.connections == 1


async def test_a_peer_that_closes_soon_after_each_answer_fails_no_attempt() -> None:
    """As small servers do, without ``Connection: close``: half of all attempts fell into it."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer())
        await asyncio.sleep(0.02)

    async with listening(script) as peer, wired() as wire:
        for _ in range(30):
            reply = await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS)
            assert isinstance(reply, HttpReply)
            await asyncio.sleep(0.0195)


async def test_a_connection_is_used_for_five_minutes_at_most() -> None:
    """Under steady traffic no connection would ever be idle for long, and a change of DNS never followed."""
    now = 0.0
    async with listening(saying(answer())) as peer, wired(monotonic=lambda: now) as wire:
        for now in range(0, 601, 10):  # noqa: B007 - the client reads it
            assert isinstance(await wire.get(peer.url(), {}, timeout_ms=LONG_MS), HttpReply)
    assert peer.connections == 3


async def test_no_more_connections_are_idle_than_may_be_in_use() -> None:
    """Of many receivers the longest idle connection goes first."""
    async with contextlib.AsyncExitStack() as stack:
        wire = await stack.enter_async_context(wired(connections=2))
        peers = [await stack.enter_async_context(listening(saying(answer()))) for _ in range(3)]
        for peer in [*peers, *reversed(peers)]:
            assert isinstance(await wire.get(peer.url(), {}, timeout_ms=LONG_MS), HttpReply)
        assert [peer.connections for peer in peers] == [2, 1, 1]


async def test_an_idle_connection_is_closed_after_its_time_without_another_exchange() -> None:
    async with listening(saying(answer())) as peer, wired(keepalive_s=0.02) as wire:
        for _ in range(3):
            await wire.get(peer.url(), {}, timeout_ms=LONG_MS)
        while not peer.ended:
            await asyncio.sleep(0.001)


async def test_a_post_never_goes_out_on_a_connection_that_was_closed_before() -> None:
    """Many small servers close after each answer and do not say so."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(answer())

    async with listening(script) as peer, wired() as wire:
        replies = [await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS) for _ in range(50)]
    assert all(isinstance(reply, HttpReply) for reply in replies)
    assert peer.connections == 50


async def test_a_peer_that_was_restarted_is_asked_again_without_an_error() -> None:
    async def once(line: Line) -> None:
        await line.request()
        await line.say(answer())
        await line.hang()

    async with wired() as wire:
        async with listening(once) as peer:
            replies = await asyncio.gather(*(wire.get(peer.url(), {}, timeout_ms=LONG_MS) for _ in range(8)))
        assert all(isinstance(reply, HttpReply) for reply in replies)
        server = await asyncio.start_server(_answering_once, "127.0.0.1", peer.port)
        async with server:
            for _ in range(8):
                assert isinstance(await wire.post(peer.url(), {}, b"", timeout_ms=LONG_MS), HttpReply)


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
                isinstance(outcome, HttpReply | NoReply | asyncio.CancelledError) for outcome in outcomes
            )
        for _ in range(3):
            replies = await asyncio.gather(*(wire.get(good.url(), {}, timeout_ms=LONG_MS) for _ in range(4)))
            assert all(isinstance(reply, HttpReply) for reply in replies)
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


@pytest.mark.parametrize("connections", [1, 8])
async def test_closing_ends_as_values_what_is_under_way_and_what_waits_for_a_connection(
    connections: int,
) -> None:
    async with listening(lambda line: line.hang()) as peer, wired(connections=connections) as wire:
        tasks = [asyncio.create_task(wire.get(peer.url(), {}, timeout_ms=LONG_MS)) for _ in range(3)]
        while peer.connections < min(connections, 3):
            await asyncio.sleep(0.001)
        await wire.close()
        for task in tasks:
            assert fault_of(await task) in {FailureKind.RESET, FailureKind.CONNECT}


async def test_a_wire_that_was_never_used_can_be_made_without_a_loop_and_closed() -> None:
    async with wired():
        pass
