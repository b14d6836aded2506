"""The body of a reply is reserved as it grows, and a wait for memory is not the peer's fault."""

import asyncio

import pytest

from notifier.byte_budget import UNCOUNTED_BYTES, ByteBudget
from notifier.core.exchange import HttpReply
from notifier.outbound.reply_room import ReplyRoom
from tests.wire.peers import answer, listening, saying, wired

KiB = 1 << 10


@pytest.mark.fault(111)
async def test_a_wait_for_memory_moves_the_deadline() -> None:
    """While it lasts there is no deadline; then as much is left as before."""
    budget = ByteBudget(100 * KiB)
    with budget.hold() as other, budget.hold() as memory:
        await other.grow(200 * KiB)
        async with asyncio.timeout(60) as deadline:
            before = deadline.when()
            waiting = asyncio.create_task(ReplyRoom(memory, deadline).reserve(90 * KiB))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert deadline.when() is None
            other.__exit__(None, None, None)
            await waiting
            after = deadline.when()
        assert before is not None
        assert after is not None
        assert after >= before


async def test_what_fits_leaves_the_deadline_as_it_is() -> None:
    budget = ByteBudget(100 * KiB)
    with budget.hold() as memory:
        async with asyncio.timeout(60) as deadline:
            before = deadline.when()
            await ReplyRoom(memory, deadline).reserve(90 * KiB)
            assert deadline.when() == before


@pytest.mark.fault(111)
@pytest.mark.parametrize("size", [UNCOUNTED_BYTES, UNCOUNTED_BYTES + 1, 1_000 * KiB])
async def test_a_body_is_counted_as_it_was_read(size: int) -> None:
    """Neither what a head declares nor a short body counts."""
    budget = ByteBudget(8_000 * KiB)
    async with listening(saying(answer(b"x" * size))) as peer, wired(max_body=2_000 * KiB) as client:
        with budget.hold() as memory:
            exchange = await client.get(peer.url("/"), {}, timeout_ms=10_000, memory=memory)
            assert isinstance(exchange, HttpReply)
            assert len(exchange.body) == size
            assert budget.held == (size if size > UNCOUNTED_BYTES else 0)
