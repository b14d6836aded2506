"""The poller learns from each outcome how long such tasks take, and polls by it."""

import json
from dataclasses import replace

import pytest

from notifier.core.exchange import HttpReply
from notifier.core.polling.first_poll import SURE_SAMPLES
from notifier.core.polling.learned_schedule import TaskDurations
from tests.engine.conftest import HOUR_MS, PROVIDER, Bench, task

MINUTE_MS = 60_000


def stamped(bench: Bench, status: str, age_ms: int, task_id: str) -> HttpReply:
    """The provider's answer about a task that was made ``age_ms`` ago."""
    document = json.loads(task(status, task_id).body)
    document["task_info"] |= {"created_at": bench.stamp(-age_ms), "updated_at": bench.stamp(0)}
    return HttpReply(200, body=json.dumps(document).encode())


async def run_one(bench: Bench, task_id: str, takes_ms: int) -> None:
    """A task that the first poll finds ended just then."""
    await bench.register(task_id)
    bench.clock.advance(takes_ms)
    bench.polls.add(bench.url_of(task_id), stamped(bench, "completed", takes_ms, task_id))
    await bench.poll()


async def teach(bench: Bench) -> TaskDurations:
    """Tasks enough between one and two minutes."""
    for number in range(SURE_SAMPLES):
        await run_one(bench, f"past-{number}", MINUTE_MS + number * MINUTE_MS // (SURE_SAMPLES - 1))
    (found,) = await bench.store.learned(limit=10)
    assert found.durations.finished_count == SURE_SAMPLES
    return found.durations


@pytest.mark.fault(34, 35)
@pytest.mark.parametrize("step_ms", [2 * HOUR_MS, -2 * HOUR_MS])
@pytest.mark.parametrize("is_in_hand", [False, True])
async def test_a_stepped_clock_makes_no_task_older(bench: Bench, step_ms: int, is_in_hand: bool) -> None:
    """Without stamps of the provider a task's age counts from its registration, in time that has passed."""
    await bench.register("new")
    bench.polls.add(bench.url_of("new"), task("processing", "new"), task("completed", "new"))
    bench.clock.advance(10_000)
    await bench.poll()
    bench.clock.advance(4_000)
    if is_in_hand:
        await bench.poller.tick()
    bench.clock.step(step_ms)
    bench.poller.shift(step_ms)
    await bench.store.shift_times(step_ms)
    await (bench.tasks.drain(60) if is_in_hand else bench.poll())
    (found,) = await bench.store.learned(limit=10)
    assert found.durations.p50_ms == pytest.approx(12_000, rel=0.15)


async def waits(bench: Bench, count: int) -> list[int]:
    """The waits of a new task that goes on running: from its registration, then from poll to poll."""
    watch_id = await bench.register("new", is_learned=True)
    found: list[int] = []
    for _ in range(count):
        due_at = (await bench.see(watch_id)).watch.due_at
        assert due_at is not None
        found.append(due_at - bench.clock.now())
        bench.clock.advance(found[-1])
        bench.polls.add(bench.url_of("new"), stamped(bench, "processing", sum(found), "new"))
        await bench.poll()
    return found


async def test_a_known_kind_is_polled_when_it_ends_then_evenly_then_rarer(bench: Bench) -> None:
    durations = await teach(bench)
    first, *steps = await waits(bench, 60)
    assert first == durations.p5_ms
    age, even, tail = first, set[int](), [0]
    for step in steps:
        if age <= durations.p90_ms:
            even.add(step)
        else:
            assert step >= tail[-1]
            tail.append(step)
        age += step
    assert len(even) == 1
    assert 2_500 <= even.pop() <= 2_750
    assert tail[-1] >= MINUTE_MS


async def test_an_unknown_kind_is_polled_by_age(bench: Bench) -> None:
    first, second, *_ = await waits(bench, 2)
    assert first == 2_500
    assert 2_500 <= second <= 2_750


async def test_who_does_not_want_it_is_polled_by_age(bench: Bench) -> None:
    """A known kind, a task as old as those that end: the step is growth times age."""
    await teach(bench)
    unlearned = replace(PROVIDER, polling=replace(PROVIDER.polling, learn=False))
    bench.poller.configure({"mulerouter": unlearned}, give_up_after_ms=72 * HOUR_MS)
    first, second = await waits(bench, 2)
    assert second == pytest.approx(first * 0.105, rel=0.05)


async def test_an_outage_teaches_nothing(bench: Bench) -> None:
    """Without stamps of the provider's, the end may be anywhere in the time that nobody could ask."""
    await bench.register("past")
    bench.clock.advance(2_500)
    bench.polls.add(bench.url_of("past"), HttpReply(503), task("completed", "past"))
    await bench.poll()
    bench.clock.advance(MINUTE_MS)
    await bench.poll()
    assert len(bench.polls.requests) == 2
    assert await bench.store.learned(limit=10) == []
