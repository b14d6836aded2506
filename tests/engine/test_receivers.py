"""Receivers that misbehave, over the real network code: each attempt ends as it must, and nothing is lost."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import pairwise

import pytest

from notifier.config.model import CallbackSettings
from notifier.core.model import Attempt, DeliveryState
from notifier.outbound.resolver import CachingResolver
from notifier.store.values import WatchQuery
from tests.engine.conftest import Bench, task
from tests.engine.test_deliverer import delivery_of, finished
from tests.wire.peers import SOON_MS, Line, Peer, Script, answer, for_ever, listening, saying, wired

HOOK_PATH = "/hook?key=1"


async def attempted(bench: Bench, watch_id: str) -> Attempt:
    """Let the watch's delivery come due and be tried once; returns what was kept of it."""
    due_at = (await delivery_of(bench, watch_id)).delivery.due_at
    assert due_at is not None
    bench.clock.advance(max(0, due_at - bench.clock.now()))
    await bench.deliver()
    return (await delivery_of(bench, watch_id)).attempts[-1]


async def state_of(bench: Bench, watch_id: str) -> DeliveryState:
    return (await delivery_of(bench, watch_id)).delivery.state


def in_a_hurry(bench: Bench) -> CallbackSettings:
    """Settings under which an attempt may take no longer than a test can wait."""
    return replace(bench.deliverer.settings, timeout_ms=SOON_MS)


def first(script: Script, then: Script) -> Script:
    """One script for the first connection, another for those after it."""

    async def chosen(line: Line) -> None:
        await (script if line.peer.connections == 1 else then)(line)

    return chosen


def ids(peer: Peer) -> list[str]:
    """The ``webhook-id`` of each request."""
    lines = [line for head in peer.heads for line in head.decode().lower().split("\r\n")]
    return [line.split(": ")[1] for line in lines if line.startswith("webhook-id: ")]


# ---- how long an attempt may take


@pytest.fixture
async def skip(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Put the loop's time forward; of itself it goes so slowly that only this counts."""
    loop = asyncio.get_running_loop()
    time, began = loop.time, loop.time()
    ahead_s = 0.0

    def skip(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    monkeypatch.setattr(loop, "time", lambda: began + (time() - began) / 100 + ahead_s)
    return skip


@pytest.mark.fault(65)
async def test_a_2xx_after_14_seconds_is_a_success(bench: Bench, skip: Callable[[float], None]) -> None:
    """A receiver has 15 seconds unless it is given other ones, and is told once."""

    async def slow(line: Line) -> None:
        await line.request()
        skip(14)
        await asyncio.sleep(0.000_1)
        await line.say(answer())

    async with listening(slow) as peer, wired() as bench.deliverer.http_client:
        watch_id = await finished(bench, url=peer.url(HOOK_PATH))
        assert (await attempted(bench, watch_id)).status == 200
    assert await state_of(bench, watch_id) is DeliveryState.DELIVERED
    assert peer.connections == 1


@pytest.mark.fault(65)
async def test_a_2xx_after_16_seconds_is_a_failure_and_then_a_repeat(
    bench: Bench, skip: Callable[[float], None]
) -> None:
    """The receiver took it and we do not know: the same message comes once more."""

    async def too_slow(line: Line) -> None:
        await line.request()
        skip(16)
        await line.hang()
        await line.say(answer())

    async with listening(first(too_slow, saying(answer()))) as peer, wired() as bench.deliverer.http_client:
        watch_id = await finished(bench, url=peer.url(HOOK_PATH))
        assert (await attempted(bench, watch_id)).failure == "timeout"
        assert (await attempted(bench, watch_id)).status == 200
    assert await state_of(bench, watch_id) is DeliveryState.DELIVERED
    assert peer.bodies[0] == peer.bodies[1]
    assert len(set(ids(peer))) == 1


@pytest.mark.fault(71)
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(for_ever(b"", b"", 0.01), id="silence"),
        pytest.param(for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), id="a flood of hints"),
        pytest.param(for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Drip: drip\r\n", 0.01), id="dripped headers"),
        pytest.param(
            for_ever(b"HTTP/1.1 500 No\r\nContent-Length: 5000\r\n\r\n", b"a", 0.01), id="a dripped refusal"
        ),
    ],
)
async def test_who_does_not_end_is_left_at_the_deadline_and_holds_no_connection(
    bench: Bench, script: Script
) -> None:
    """There is one connection for all: whoever comes next has it."""
    bench.deliverer.settings = replace(in_a_hurry(bench), max_in_flight=1)
    async with (
        listening(script) as bad,
        listening(saying(answer())) as good,
        wired(connections=1) as bench.deliverer.http_client,
    ):
        bad_id = await finished(bench, url=bad.url(HOOK_PATH))
        assert (await attempted(bench, bad_id)).error
        assert bench.deliverer._busy.total() == 0
        good_id = await bench.register("good", url=good.url(HOOK_PATH))
        bench.polls.add(bench.url_of("good"), task("completed", "good"))
        await bench.store.pause_endpoint((await bench.store.endpoints(before=None, limit=1))[0].id)
        bench.clock.advance(2_500)
        await bench.poll()
        assert (await attempted(bench, good_id)).status == 200
    assert await state_of(bench, bad_id) is DeliveryState.PENDING


# ---- answers that are none


@pytest.mark.fault(66)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
async def test_a_redirect_is_a_failure_and_its_target_hears_nothing(bench: Bench, status: str) -> None:
    """Followed, a POST would turn into a GET, and what is signed go to another host."""
    async with listening(saying(answer())) as target, wired() as bench.deliverer.http_client:
        script = saying(answer(b"", status, f"Location: {target.url('/elsewhere')}"))
        async with listening(script) as peer:
            watch_id = await finished(bench, url=peer.url(HOOK_PATH))
            attempt = await attempted(bench, watch_id)
    assert attempt.error == "redirect to 127.0.0.1 not followed"
    assert await state_of(bench, watch_id) is DeliveryState.PENDING
    assert (peer.connections, target.connections) == (1, 0)


@pytest.mark.fault(72)
@pytest.mark.parametrize("with_reset", [True, False], ids=["reset", "closed"])
async def test_a_receiver_that_takes_it_and_hangs_up_gets_the_same_again(
    bench: Bench, with_reset: bool
) -> None:
    """Only in an attempt of its own, a retry as any other, never silently below it."""

    async def take_and_go(line: Line) -> None:
        await line.request()
        if with_reset:
            line.reset()

    async with (
        listening(first(take_and_go, saying(answer()))) as peer,
        wired() as bench.deliverer.http_client,
    ):
        watch_id = await finished(bench, url=peer.url(HOOK_PATH))
        assert (await attempted(bench, watch_id)).failure == "reset"
        assert len(peer.heads) == 1
        assert (await attempted(bench, watch_id)).number == 2
    assert await state_of(bench, watch_id) is DeliveryState.DELIVERED
    assert len(peer.bodies) == 2
    assert len(set(peer.bodies)) == 1
    assert len(set(ids(peer))) == 1


@pytest.mark.fault(73)
async def test_a_reset_in_the_middle_of_what_we_send_is_tried_again_whole(bench: Bench) -> None:
    """Three megabytes, of which the receiver reads a thousand bytes the first time."""

    async def read_a_little(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.reader.readexactly(1_000)
        line.reset()

    async with (
        listening(first(read_a_little, saying(answer()))) as peer,
        wired() as bench.deliverer.http_client,
    ):
        watch_id = await finished(bench, url=peer.url(HOOK_PATH), blob="x" * 3_000_000)
        assert (await attempted(bench, watch_id)).failure == "reset"
        assert await state_of(bench, watch_id) is DeliveryState.PENDING
        assert (await attempted(bench, watch_id)).status == 200
    (body,) = peer.bodies
    assert len(body) > 3_000_000
    assert await state_of(bench, watch_id) is DeliveryState.DELIVERED


@pytest.mark.fault(76)
@pytest.mark.parametrize(
    ("status", "state"), [("200 OK", DeliveryState.DELIVERED), ("500 No", DeliveryState.PENDING)]
)
async def test_of_an_answer_without_end_the_status_counts(
    bench: Bench, status: str, state: DeliveryState
) -> None:
    """The connection is dropped with hardly more read than a socket holds; of a refusal 4 KiB are kept."""
    said = 0

    async def endless(line: Line) -> None:
        nonlocal said
        await line.request()
        await line.say(f"HTTP/1.1 {status}\r\nContent-Length: 1000000000\r\n\r\n".encode())
        while True:
            await line.say(b"a" * 10_000)
            said += 10_000

    async with listening(endless) as peer, wired() as bench.deliverer.http_client:
        watch_id = await finished(bench, url=peer.url(HOOK_PATH))
        attempt = await attempted(bench, watch_id)
        while not peer.ended:
            await asyncio.sleep(0.001)
    assert peer.ended == ["lost"]
    assert said < 100_000_000
    assert await state_of(bench, watch_id) is state
    assert attempt.status == int(status[:3])
    assert attempt.answer == (None if attempt.status == 200 else "a" * 4_096)


@pytest.mark.fault(76)
@pytest.mark.parametrize(
    ("status", "state"), [("200 OK", DeliveryState.DELIVERED), ("500 No", DeliveryState.PENDING)]
)
async def test_a_bomb_is_unpacked_as_far_as_it_is_kept_and_its_status_counts(
    bench: Bench, status: str, state: DeliveryState
) -> None:
    """Ten megabytes in ten kilobytes: the first four kilobytes of a refusal are kept."""
    bomb = answer(gzip.compress(b"a" * 10_000_000), status, "Content-Encoding: gzip")
    async with listening(saying(bomb)) as peer, wired() as bench.deliverer.http_client:
        watch_id = await finished(bench, url=peer.url(HOOK_PATH))
        attempt = await attempted(bench, watch_id)
    assert attempt.status == int(status[:3])
    assert attempt.answer == (None if attempt.status == 200 else "a" * 4_096)
    assert await state_of(bench, watch_id) is state


# ---- names


@pytest.mark.fault(75)
async def test_a_name_that_is_unknown_or_cannot_be_asked_fails_and_delays_no_other(bench: Bench) -> None:
    """One does not exist, for one the server takes its time and then fails: the third is told at once."""
    over = threading.Event()

    def lookup(name: str) -> list[str]:
        if name == "missing.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name == "slow.example":
            over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["127.0.0.1"]

    async with AsyncExitStack() as stack:
        stack.callback(over.set)
        peer = await stack.enter_async_context(listening(saying(answer())))
        bench.deliverer.http_client = await stack.enter_async_context(wired(resolver=CachingResolver(lookup)))
        for name in ("missing", "slow", "well"):
            await bench.register(name, url=peer.url(HOOK_PATH, host=f"{name}.example"))
            bench.polls.add(bench.url_of(name), task("completed", name))
        bench.clock.advance(2_500)
        await bench.poll()
        await bench.deliverer.tick()
        while len(bench.tasks) > 1:
            await asyncio.sleep(0.001)
        assert len(peer.heads) == 1
        assert list(bench.deliverer._busy) == [f"http://slow.example:{peer.port}"]
        over.set()
        await bench.tasks.drain(60)
    faults = await by_task(bench)
    assert faults == {"missing": "dns", "slow": "dns", "well": None}


async def by_task(bench: Bench) -> dict[str, str | None]:
    """The class of each task's last failure."""
    found: dict[str, str | None] = {}
    for watch in await bench.store.watches(WatchQuery()):
        found[watch.task_id] = (await delivery_of(bench, watch.id)).attempts[-1].failure
    return found


# ---- how soon one that is back gets what waits


@pytest.mark.fault(64)
async def test_one_on_this_machine_is_tried_once_a_minute_however_long_it_was_away(bench: Bench) -> None:
    """By the address that was really connected to: nobody listens there for an hour."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/hook"
    async with wired() as bench.deliverer.http_client:
        watch_id = await finished(bench, url=url)
        for _ in range(12):
            await attempted(bench, watch_id)
            await past_the_gate(bench)
        tries = (await delivery_of(bench, watch_id)).attempts
    waits_s = [round((later.at - earlier.at) / 1_000) for earlier, later in pairwise(tries)]
    assert waits_s[-5:] == [60] * 5


async def past_the_gate(bench: Bench) -> None:
    """Let the time pass until the next probe may go out."""
    (endpoint,) = await bench.store.endpoints(before=None, limit=2)
    bench.clock.advance(max(0, endpoint.health.gate.probe_at - bench.clock.now()))
