"""Waiting for the end of a watch, and tasks that hurt no other."""

import asyncio

import pytest

from notifier.engine.background_tasks import BackgroundTasks
from notifier.engine.waiters import WatchWaiters


async def test_a_notice_wakes_everyone_who_waits_for_that_watch() -> None:
    """All waiters of the watch return; those of another one stay."""
    waiters = WatchWaiters()
    first, second, other = (asyncio.create_task(waiters.wait(name, 60)) for name in ("a", "a", "b"))
    await asyncio.sleep(0)
    waiters.wake("a")
    await asyncio.gather(first, second)
    assert not other.done()
    waiters.close()
    await other


async def test_waiting_ends_by_itself_and_leaves_nothing_behind() -> None:
    """A wait that runs out returns without a fault, and the hub forgets it."""
    waiters = WatchWaiters()
    await waiters.wait("a", 0)
    assert waiters._waiting == {}


async def test_a_wait_that_begins_after_the_close_is_none() -> None:
    """Who comes while the daemon stops would hold up its end."""
    waiters = WatchWaiters()
    waiters.close()
    async with asyncio.timeout(20):
        await waiters.wait("a", 3_600)
    assert waiters._waiting == {}


async def test_a_task_that_throws_hurts_no_other() -> None:
    """The crew goes on; draining waits for the rest."""
    tasks, done = BackgroundTasks(), asyncio.Event()

    async def throw() -> None:
        raise RuntimeError("planted")

    async def work() -> None:
        await asyncio.sleep(0)
        done.set()

    tasks.start(throw(), name="throw")
    tasks.start(work(), name="work")
    assert await tasks.drain(60) == 0
    assert done.is_set()


@pytest.mark.fault(8)
async def test_draining_is_bounded() -> None:
    """What does not end in time is cancelled and counted."""
    tasks = BackgroundTasks()
    tasks.start(asyncio.Event().wait(), name="for ever")  # type: ignore[arg-type]
    assert await tasks.drain(0.001) == 1
    assert len(tasks) == 0
