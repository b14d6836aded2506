"""Drivers: a function runs whole, wherever it runs."""

import asyncio
import sqlite3
import threading
from functools import partial
from pathlib import Path

import aiosqlite
import pytest

from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.driver import AiosqliteDriver, Driver, OpenDriver


async def driver_of(open_driver: OpenDriver, folder: Path) -> Driver:
    return await open_driver(partial(connect_writer, str(folder / "x.db")))


async def test_the_one_private_call_into_aiosqlite_is_still_there(tmp_path: Path) -> None:
    """``_execute`` runs a function in the connection's thread, and ``_conn`` is that connection."""
    async with aiosqlite.connect(tmp_path / "x.db") as proxy:
        assert isinstance(proxy._conn, sqlite3.Connection)
        thread = await proxy._execute(threading.get_ident)  # type: ignore[no-untyped-call]
        assert thread == proxy._thread.ident != threading.get_ident()


async def test_a_function_gets_the_connection_and_its_result_comes_back(
    tmp_path: Path, open_driver: OpenDriver
) -> None:
    driver = await driver_of(open_driver, tmp_path)
    try:
        assert await driver.run(lambda connection: connection.execute("SELECT 7").fetchone()[0]) == 7
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            await driver.run(lambda connection: connection.execute("SELECT * FROM nowhere"))
    finally:
        await driver.close()
        await driver.close()


async def test_a_cancelled_caller_does_not_stop_the_function_half_way(tmp_path: Path) -> None:
    driver = await driver_of(AiosqliteDriver.open, tmp_path)
    entered, go_on, steps = threading.Event(), threading.Event(), []

    def work(connection: sqlite3.Connection) -> None:
        entered.set()
        go_on.wait(5)
        connection.execute("CREATE TABLE t (x)")
        steps.append("done")

    try:
        task = asyncio.create_task(driver.run(work))
        await asyncio.to_thread(entered.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert steps == []
        go_on.set()
        assert await driver.run(lambda connection: connection.execute("SELECT * FROM t").fetchall()) == []
        assert steps == ["done"]
    finally:
        go_on.set()
        await driver.close()


async def test_no_thread_outlives_its_driver(tmp_path: Path) -> None:
    """aiosqlite's is no daemon: the process would never end."""
    before = set(threading.enumerate())
    driver = await driver_of(AiosqliteDriver.open, tmp_path)
    (thread,) = set(threading.enumerate()) - before
    assert not thread.daemon
    await driver.close()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_a_connection_that_cannot_be_made_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(sqlite3.OperationalError):
        await AiosqliteDriver.open(partial(connect_writer, str(tmp_path / "nowhere" / "x.db")))
    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()
