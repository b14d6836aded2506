"""A reply of any size is judged without holding up the loop, in bounded memory. Small ones do not wait."""

import asyncio
import gzip
import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from notifier.byte_budget import ByteBudget
from notifier.core.exchange import Exchange, HttpReply
from notifier.core.model import WatchState
from notifier.core.polling import judge_reply, provider_reply
from notifier.core.polling.verdict import Finished
from notifier.engine.judging import LARGE_BYTES, MAX_LOOP_BYTES, MAX_REPLY_BYTES, ReplyJudge
from notifier.engine.poller import Poller
from notifier.ports import MemoryHold
from tests.engine.conftest import MAX_PAYLOAD, PROVIDER, Bench
from tests.fakes import FakeWire

MiB = 1 << 20


def reply(size: int, task_id: str = "task-1", image: str = "u", **headers: str) -> HttpReply:
    """A completed task in a body of about ``size`` bytes."""
    document = {"task_info": {"id": task_id, "status": "completed"}, "images": [image]}
    return HttpReply(200, headers, json.dumps({**document, "x": "\u0001" * (size // 6)}).encode())


class HeldExecutor(Executor):
    """Runs nothing before ``release``."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.is_released = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        if self.is_released:
            self.release()
        return future

    def release(self) -> None:
        self.is_released = True
        for future, work in self.waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(work())
        self.waiting.clear()


@pytest.fixture
def read_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes the thread in which each reply is read."""
    threads: list[str] = []
    original = provider_reply.parse_reply

    def noted(*args: Any) -> Any:
        threads.append(threading.current_thread().name)
        return original(*args)

    monkeypatch.setattr(judge_reply, "parse_reply", noted)
    return threads


@pytest.fixture
def judge() -> Iterator[ReplyJudge]:
    with ThreadPoolExecutor(1, "middling") as middling, ThreadPoolExecutor(1, "large") as large:
        yield ReplyJudge(middling=middling, large=large)


async def verdict_of(judge: ReplyJudge, exchange: Exchange, task_id: str = "task-1") -> object:
    with judge.hold() as memory:
        return await judge.judge(exchange, memory, task_id=task_id, provider=PROVIDER, now=0)


@pytest.mark.fault(110)
@pytest.mark.threat(12)
@pytest.mark.parametrize(
    ("size", "thread"),
    [
        (MAX_LOOP_BYTES // 2, "MainThread"),
        (2 * MAX_LOOP_BYTES, "middling_0"),
        (LARGE_BYTES // 2, "middling_0"),
        (4 * MiB, "large_0"),
    ],
)
async def test_a_long_reply_is_read_in_a_thread(
    judge: ReplyJudge, read_in: list[str], size: int, thread: str
) -> None:
    """On the loop nothing of it is read: the work there is none, whatever is in the reply."""
    verdict = await verdict_of(judge, reply(size))
    assert isinstance(verdict, Finished)
    assert verdict.state is WatchState.COMPLETED
    assert read_in == [thread]


@pytest.mark.fault(110)
async def test_a_short_reply_that_unpacks_to_a_long_one_is_read_in_a_thread(
    judge: ReplyJudge, read_in: list[str]
) -> None:
    """What counts is the most that it can be."""
    body = gzip.compress(reply(4 * MiB).body)
    assert len(body) < MAX_LOOP_BYTES
    verdict = await verdict_of(judge, HttpReply(200, {"content-encoding": "gzip"}, body))
    assert isinstance(verdict, Finished)
    assert read_in != ["MainThread"]


@pytest.mark.fault(110)
async def test_small_and_middling_replies_do_not_wait_for_large_ones() -> None:
    """Five large ones wait for their thread, and the others are judged meanwhile."""
    large = HeldExecutor()
    with ThreadPoolExecutor(1) as middling:
        judge = ReplyJudge(large=large, middling=middling)
        waiting = [asyncio.create_task(verdict_of(judge, reply(4 * MiB))) for _ in range(5)]
        for size in (1, 2 * MAX_LOOP_BYTES):
            assert isinstance(await verdict_of(judge, reply(size)), Finished)
        assert not any(task.done() for task in waiting)
        large.release()
        assert all(isinstance(verdict, Finished) for verdict in await asyncio.gather(*waiting))


async def test_a_cancelled_judgement_that_has_not_begun_never_begins(read_in: list[str]) -> None:
    """So a stop waits for the one that runs, and not for those behind it."""
    large = HeldExecutor()
    judge = ReplyJudge(large=large)
    task = asyncio.create_task(verdict_of(judge, reply(4 * MiB)))
    while not large.waiting:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    large.release()
    assert read_in == []


class GrowingWire(FakeWire):
    """Reserves the memory of a reply in quarters, as a client does, and lets others go on in between."""

    async def get(self, *args: Any, memory: MemoryHold | None = None, **more: Any) -> Exchange:
        exchange = await super().get(*args, memory=memory, **more)
        assert memory is not None
        assert isinstance(exchange, HttpReply)
        for part in range(1, 5):
            await memory.grow(len(exchange.body) * part // 4)
            await asyncio.sleep(0)
        return exchange


@pytest.mark.fault(111)
@pytest.mark.threat(12)
async def test_thirty_large_replies_at_once_are_told_within_the_budget(bench: Bench) -> None:
    """Their bytes are held until the outcome is recorded. All are told, and so is a small one."""
    size, budget = 4 * MiB, ByteBudget(MAX_REPLY_BYTES)
    wire = GrowingWire()
    bench.poller = make_poller(bench, wire, ReplyJudge(budget))
    ids = [await bench.register(f"task-{n}") for n in range(30)]
    for n in range(30):
        wire.add(bench.url_of(f"task-{n}"), reply(size if n else 10, f"task-{n}"))
    bench.clock.advance(2_500)
    await bench.poll()
    states = [(await bench.see(watch_id)).watch.state for watch_id in ids]
    assert states == [WatchState.COMPLETED] * 30
    assert budget.held == 0
    largest = max(len(answer.body) for answer in all_replies(wire))
    assert 2 * largest < budget.peak <= MAX_REPLY_BYTES + largest


def all_replies(wire: FakeWire) -> list[HttpReply]:
    replies = [each for answers in wire._answers.values() for each in answers]
    return [each for each in replies if isinstance(each, HttpReply)]


def make_poller(bench: Bench, wire: FakeWire, judge: ReplyJudge) -> Poller:
    """A poller like the bench's, with another wire and judge."""
    poller = Poller(
        store=bench.store,
        http_client=wire,
        clock=bench.clock,
        rng=random.Random(1),
        owner="test",
        waiters=bench.waiters,
        tasks=bench.tasks,
        run_at=bench.rung.append,
        deliver=lambda: bench.rung.append(bench.clock.now()),
        judge=judge,
    )
    poller.configure({"mulerouter": PROVIDER}, give_up_after_ms=72 * 3_600_000, max_payload=MAX_PAYLOAD)
    return poller
