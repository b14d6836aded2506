"""Each test of the contract runs on every store there is: now SQLite in its thread and in place."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from notifier.store.protocol import Store
from notifier.store.sqlite.driver import AiosqliteDriver, InlineDriver, OpenDriver
from notifier.store.sqlite.open import open_store
from notifier.store.sqlite.store import SqliteStore
from tests.fakes import NOON

OpenStore = Callable[..., Awaitable[SqliteStore]]


@pytest.fixture(params=[AiosqliteDriver.open, InlineDriver.open], ids=["thread", "inline"])
def open_driver(request: pytest.FixtureRequest) -> OpenDriver:
    driver: OpenDriver = request.param
    return driver


@pytest.fixture
async def store(tmp_path: Path, open_driver: OpenDriver) -> AsyncIterator[Store]:
    """An empty store."""
    opened = await open_store(
        tmp_path / "notifier.db", owner="daemon-1", now=NOON, rng=random.Random(1), open_driver=open_driver
    )
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def opening(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens ``notifier.db`` in ``tmp_path`` with what is given, and closes what the test left open."""
    opened: list[SqliteStore] = []

    async def open_it(name: str = "notifier.db", **over: object) -> SqliteStore:
        given = {"owner": "daemon-1", "now": NOON, "rng": random.Random(1), "busy_ms": 200, **over}
        opened.append(await open_store(tmp_path / name, **given))  # type: ignore[arg-type]
        return opened[-1]

    yield open_it
    for one in opened:
        await one.close()
