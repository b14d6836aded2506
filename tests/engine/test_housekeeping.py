"""The tick a minute: a store that fails is asked again soon."""

from typing import cast

import pytest
from structlog.testing import capture_logs

from notifier.config.model import RetentionSettings
from notifier.engine.housekeeping import INTERVAL_MS, NEXT_BATCH_MS, PRUNE_BATCH, Housekeeping
from notifier.errors import StoreUnavailable
from notifier.store.protocol import Store
from notifier.store.values import PruneStep
from tests.builders import DISK_FULL
from tests.fakes import FakeClock


class Disk:
    """A store of which only upkeep is asked; it fails while it is told to."""

    def __init__(self) -> None:
        self.is_failing = False
        self.prunable = 0
        self.heartbeats = 0
        self.places: list[tuple[int, int] | None] = []

    async def heartbeat(self, *, now: int) -> None:
        if self.is_failing:
            raise StoreUnavailable(DISK_FULL)
        self.heartbeats += 1

    async def give_up_overdue(self, **_asked: object) -> int:
        return 0

    async def prune(self, *, place: tuple[int, int] | None, **_asked: object) -> PruneStep:
        self.places.append(place)
        return PruneStep(self.prunable, (len(self.places), 0) if self.prunable else None)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def keeping(disk: Disk) -> Housekeeping:
    return Housekeeping(store=cast("Store", disk), clock=FakeClock(), settings=RetentionSettings())


async def test_a_heartbeat_that_failed_is_repeated_soon(disk: Disk, keeping: Housekeeping) -> None:
    """Else the daemon would be unready for a minute after the disk has come back."""
    now = FakeClock().now()
    disk.is_failing = True
    assert await keeping.tick() == now + 5_000
    assert keeping.trouble == DISK_FULL
    disk.is_failing = False
    assert await keeping.tick() == now + INTERVAL_MS
    assert keeping.trouble is None


async def test_a_long_clean_up_keeps_no_trouble_alive(disk: Disk, keeping: Housekeeping) -> None:
    """The store works again as soon as it works: that much is left to forget is no trouble."""
    disk.is_failing = True
    await keeping.tick()
    disk.is_failing, disk.prunable = False, PRUNE_BATCH
    await keeping.tick()
    assert keeping.trouble is None


async def test_a_lasting_trouble_is_logged_once_and_its_end_too(disk: Disk, keeping: Housekeeping) -> None:
    """A full disk may hold the log as well."""
    with capture_logs() as lines:
        for is_failing in (True, True, True, False, False):
            disk.is_failing = is_failing
            await keeping.tick()
    assert [line["event"] for line in lines] == ["store.unavailable", "store.recovered"]


async def test_a_long_walk_is_made_of_ticks(disk: Disk, keeping: Housekeeping) -> None:
    """So that a stop waits for one step only; each begins where the last one ended."""
    now = FakeClock().now()
    disk.prunable = 1
    assert [await keeping.tick() for _ in range(3)] == [now + NEXT_BATCH_MS] * 3
    disk.prunable = 0
    assert await keeping.tick() == now + INTERVAL_MS
    assert disk.places == [None, (1, 0), (2, 0), (3, 0)]
    assert disk.heartbeats == 1
