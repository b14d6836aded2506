"""A budget of bytes bounds the sum, and everybody who waits goes on in the end."""

import asyncio
import random

import pytest

from notifier.byte_budget import UNCOUNTED_BYTES, ByteBudget, ByteHold

KiB = 1 << 10
LIMIT = 1_000 * KiB


async def start(hold: ByteHold, size: int) -> "asyncio.Task[None]":
    """Let the hold grow until it is done or waits."""
    task = asyncio.create_task(hold.grow(size))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_what_fits_does_not_wait_and_is_free_again_at_the_end() -> None:
    budget = ByteBudget(LIMIT)
    with budget.hold() as first, budget.hold() as second:
        assert first.try_grow(600 * KiB)
        assert first.try_grow(500 * KiB)
        assert second.try_grow(400 * KiB)
        assert budget.held == LIMIT
    assert (budget.held, budget.peak) == (0, LIMIT)


async def test_a_small_one_is_not_counted_and_never_waits() -> None:
    """Not even while others exceed the limit."""
    budget = ByteBudget(LIMIT)
    with budget.hold() as large, budget.hold() as small:
        await large.grow(2 * LIMIT)
        assert small.try_grow(UNCOUNTED_BYTES)
        assert not small.try_grow(UNCOUNTED_BYTES + 1)
        assert budget.held == 2 * LIMIT


async def test_one_that_is_larger_than_the_limit_goes_alone() -> None:
    """It starts at once, and others wait until it has ended."""
    budget = ByteBudget(LIMIT)
    with budget.hold() as other:
        with budget.hold() as large:
            await asyncio.wait_for(large.grow(5 * LIMIT), 10)
            waiting = await start(other, 100 * KiB)
            second = await start(budget.hold(), 5 * LIMIT)
            assert not waiting.done()
            assert not second.done()
        await waiting
        await second


async def test_holders_that_wait_for_each_other_go_on_one_after_the_other() -> None:
    """Two have half the budget each, and both need more: no deadlock, and one exceeds the limit at a time."""
    budget = ByteBudget(LIMIT)
    order: list[str] = []

    async def read(name: str) -> None:
        with budget.hold() as memory:
            await memory.grow(LIMIT // 2)
            await asyncio.sleep(0)
            await memory.grow(LIMIT)
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(read("first"), read("second")), 10)
    assert order == ["first", "second"]
    assert budget.peak == LIMIT + LIMIT // 2


async def test_one_that_fits_passes_one_that_does_not() -> None:
    """So a large one that waits for its place holds up nobody."""
    budget = ByteBudget(LIMIT)
    with budget.hold() as exceeding, budget.hold() as holder, budget.hold() as fitting:
        await exceeding.grow(100 * KiB)
        assert holder.try_grow(800 * KiB)
        await exceeding.grow(300 * KiB)  # the only one that may exceed the limit
        large = await start(budget.hold(), LIMIT)
        assert not large.done()
        holder.__exit__(None, None, None)
        assert fitting.try_grow(600 * KiB)
        large.cancel()


async def test_a_cancelled_wait_takes_nothing() -> None:
    budget = ByteBudget(LIMIT)
    with budget.hold() as exceeding:
        await exceeding.grow(2 * LIMIT)
        with budget.hold() as memory:
            waiting = await start(memory, LIMIT)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert budget.held == 0
    with budget.hold() as later:
        assert later.try_grow(LIMIT)


@pytest.mark.parametrize("seed", range(20))
async def test_the_sum_is_bounded_and_all_end_whatever_comes(seed: int) -> None:
    """The bound is the limit and the largest single one: one may exceed the limit at a time."""
    budget, rng = ByteBudget(LIMIT), random.Random(seed)
    sizes = [rng.choice([10, 90, 300, 900, 2_500]) * KiB for _ in range(60)]

    async def read(size: int) -> None:
        with budget.hold() as memory:
            for part in range(1, 5):
                await memory.grow(size * part // 4)
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*map(read, sizes)), 30)
    assert budget.held == 0
    assert budget.peak <= LIMIT + max(sizes)
