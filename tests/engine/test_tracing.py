"""A trace that a registration belongs to goes on with its polls and callbacks."""

from notifier.core.exchange import HttpReply
from tests.engine.conftest import HOOK, Bench, task

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def ran(bench: Bench, traceparent: str | None) -> list[str | None]:
    """What the header held in two polls and two attempts of a task."""
    await bench.register(traceparent=traceparent)
    bench.polls.add(bench.url_of(), task("processing"), task("completed"))
    bench.posts.add(HOOK, HttpReply(503), HttpReply(204))
    for _ in range(2):
        bench.clock.advance(5_000)
        await bench.poll()
    for _ in range(2):
        await bench.deliver()
        bench.clock.advance(60_000)
    requests = [*bench.polls.requests, *bench.posts.requests]
    assert len(requests) == 4
    return [request.headers.get("traceparent") for request in requests]


async def test_each_request_is_in_the_trace_with_a_parent_id_of_its_own(bench: Bench) -> None:
    seen = await ran(bench, TRACE)
    parts = [(text or "").split("-") for text in seen]
    assert {(version, trace, flags) for version, trace, _, flags in parts} == {("00", TRACE[3:35], "01")}
    assert len({parent for _, _, parent, _ in parts} - {TRACE[36:52]}) == 4


async def test_without_one_none_is_sent(bench: Bench) -> None:
    """No trace is begun here: it would belong to nobody."""
    assert await ran(bench, None) == [None] * 4
