"""A callback is delivered by a 2xx status line and the end of the head; a poll needs a body as well."""

import asyncio
import time
from collections.abc import Callable

import pytest
import uvloop

from notifier.core.exchange import Exchange, FailureKind, HttpReply
from tests.wire.peers import LONG_MS, answer, fault_of, fetch, for_ever, listening, saying, wired
from tests.wire.raw_receivers import HINT, RECEIVERS, Receiver, answering_early

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda receiver: receiver.name)
async def test_the_head_decides_over_a_callback(receiver: Receiver) -> None:
    """What follows the head is not parsed, whatever it is."""
    exchange, peer = await fetch(receiver.script(), method="POST")
    if isinstance(receiver.callback, FailureKind):
        assert fault_of(exchange) is receiver.callback
    else:
        assert isinstance(exchange, HttpReply), exchange
        assert exchange.status == receiver.callback
    assert peer.connections == 1


@pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda receiver: receiver.name)
async def test_a_poll_needs_a_body_with_a_certain_end(receiver: Receiver) -> None:
    """An odd head is read all the same."""
    exchange, peer = await fetch(receiver.script(), method="GET")
    if isinstance(receiver.poll, FailureKind):
        assert fault_of(exchange) is receiver.poll
    else:
        assert isinstance(exchange, HttpReply), exchange
        assert (exchange.status, exchange.body) == receiver.poll
    assert peer.connections == 1


@pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda receiver: receiver.name)
async def test_what_follows_an_answer_is_never_taken_for_the_next_one(receiver: Receiver) -> None:
    """A connection with anything left on it is not used again."""
    async with listening(receiver.script()) as peer, wired() as wire:
        outcomes = [await wire.post(peer.url(), {}, b"{}", timeout_ms=LONG_MS) for _ in range(2)]
    assert _summary(outcomes[0]) == _summary(outcomes[1])


def _summary(exchange: Exchange) -> object:
    return exchange.status if isinstance(exchange, HttpReply) else exchange.kind


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("reads", [1, 100_000], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("status", "headers"), [("200 OK", ()), ("413 Too Large", ()), ("429 Slow", ("Retry-After: 7",))]
)
def test_an_answer_before_the_body_is_read_counts(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], reads: int, status: str, headers: tuple[str, ...]
) -> None:
    """Writing breaks then, and the answer may lie unread in the kernel."""

    async def post_all() -> list[Exchange]:
        script = answering_early(answer(b"no", status, *headers), reads=reads)
        async with listening(script) as peer, wired() as wire:
            return [await wire.post(peer.url(), {}, b"x" * 1_000_000, timeout_ms=LONG_MS) for _ in range(20)]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        exchanges = runner.run(post_all())
    assert [_summary(exchange) for exchange in exchanges] == [int(status[:3])] * 20
    assert all(len(headers) == ("retry-after" in e.headers) for e in exchanges if isinstance(e, HttpReply))


@pytest.mark.fault(44, 71)
async def test_hints_without_end_cost_a_neighbour_nothing() -> None:
    """The flood is left after a hundred heads, long before the deadline, and never fills the memory."""
    async with (
        listening(for_ever(b"", HINT * 1_000)) as flood,
        listening(saying(answer())) as neighbour,
        wired() as wire,
    ):
        floods = [
            asyncio.create_task(wire.post(flood.url(), {}, b"{}", timeout_ms=LONG_MS)) for _ in range(4)
        ]
        began = time.monotonic()
        for _ in range(20):
            assert isinstance(await wire.get(neighbour.url(), {}, timeout_ms=LONG_MS), HttpReply)
        for task in floods:
            assert fault_of(await task) is FailureKind.PROTOCOL
        assert time.monotonic() - began < LONG_MS / 1_000
