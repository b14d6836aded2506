"""Open a database: check, lock, migrate, release old claims. A refusal comes before any byte changes."""

import asyncio
import errno
import os
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from importlib import resources
from pathlib import Path

from notifier.core.formats.retry_after import MAX_POLL_RETRY_AFTER_MS
from notifier.errors import DatabaseBusy, DatabaseUnusable, NotifierError
from notifier.ports import NO_METER, Meter
from notifier.store.sqlite.access import check_access, make_private
from notifier.store.sqlite.backup import keep_copy
from notifier.store.sqlite.connection import BUSY_MS, connect_reader, connect_writer
from notifier.store.sqlite.driver import AiosqliteDriver, Driver, OpenDriver
from notifier.store.sqlite.errors import (
    cannot_create,
    error_to_unavailable,
    is_damaged,
    is_locked,
    is_permanent,
)
from notifier.store.sqlite.file_names import refuse_second_name
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.integrity import APPLICATION_ID, check, refuse_old_sqlite
from notifier.store.sqlite.lock import DatabaseLocation, InstanceLock
from notifier.store.sqlite.maintenance import ClockReading, take_over
from notifier.store.sqlite.store import SqliteStore
from notifier.store.sqlite.writer import Sleep, Writer

BeforeMigration = Callable[[sqlite3.Connection, int], object]


async def open_store(
    path: str | Path,
    *,
    owner: str,
    now: int,
    elapsed: Callable[[], int] = lambda: 0,
    boot: int | None = None,
    rng: random.Random,
    open_driver: OpenDriver = AiosqliteDriver.open,
    sleep: Sleep = asyncio.sleep,
    busy_ms: int = BUSY_MS,
    max_interval_ms: int = MAX_POLL_RETRY_AFTER_MS,
    before_migration: BeforeMigration = keep_copy,
    meter: Meter = NO_METER,
) -> SqliteStore:
    """Open the database, and create it if there is none; raise DatabaseUnusable, DatabaseBusy or StoreFull.

    ``now`` is the wall clock of the machine; ``elapsed`` counts milliseconds within this ``boot``
    (``clock.py``). ``before_migration`` gets the connection and the version of an existing file that is to be
    migrated. It saves a copy; an exception from it stops the opening.
    """
    refuse_old_sqlite()
    file = _resolved(path)
    async with AsyncExitStack() as stack:
        lock = _lock(stack, file)
        open_writer = partial(open_driver, partial(connect_writer, str(file), busy_ms))
        open_reader = partial(open_driver, partial(connect_reader, str(file), busy_ms))
        driver, reader = await _connect(stack, file, open_writer, open_reader, before_migration)
        writer = Writer(
            str(file),
            driver,
            open_writer,
            ids=IdSequence(rng),
            check=DatabaseLocation(file, lock).check,
            sleep=sleep,
            meter=meter,
        )
        stack.push_async_callback(writer.close)
        clocks = ClockReading(now, elapsed(), boot)
        start = await writer.submit(partial(take_over, clocks=clocks, max_interval_ms=max_interval_ms))
        stack.pop_all()
    return SqliteStore(
        file,
        owner=owner,
        writer=writer,
        reader=reader,
        lock=lock,
        anchor=start - clocks.elapsed,
        elapsed=elapsed,
        boot=boot,
    )


def _lock(stack: AsyncExitStack, file: Path) -> InstanceLock:
    """Lock the database and check its file; create a private one if there is none."""
    refuse_second_name(file)
    check_access(file)
    lock = InstanceLock.take(file)
    stack.callback(lock.release)
    check(file, len(migrations()))
    _make_private(file)
    return lock


async def _connect(
    stack: AsyncExitStack,
    file: Path,
    open_writer: Callable[[], Awaitable[Driver]],
    open_reader: Callable[[], Awaitable[Driver]],
    before_migration: BeforeMigration,
) -> tuple[Driver, Driver]:
    """Open the connections of the writer and the readers; bring the schema up to date between the two."""
    try:
        driver = await open_writer()
        stack.push_async_callback(driver.close)
        await driver.run(lambda connection: migrate(connection, before_migration))
        reader = await open_reader()
        stack.push_async_callback(reader.close)
    except sqlite3.Error as error:
        raise _opening_failed(error, file) from error
    return driver, reader


def _resolved(path: str | Path) -> Path:
    """Resolve the path, so that all links to one file share a lock."""
    try:
        file = Path(path).resolve()
        file.exists()  # raises for a folder that this user may not enter
        is_folder = file.is_dir()
        if file.is_symlink():  # a loop of links, from Python 3.13 on
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        reason = getattr(error, "strerror", None) or error
        raise DatabaseUnusable(
            f"{path} cannot be reached ({reason})",
            "the user that runs notifier must be let into its directory",
        ) from error
    if is_folder:
        raise DatabaseUnusable(f"{file} is a directory", "store.url names a file")
    return file


def migrations() -> list[str]:
    """Read the scripts in ``migrations/``, in order; the n-th leads to version n."""
    folder = resources.files(__package__).joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [folder.joinpath(name).read_text("utf-8") for name in names]


def migrate(connection: sqlite3.Connection, before: BeforeMigration | None = None) -> None:
    """Bring the schema up to date. Each step is one transaction with its version number."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    scripts = migrations()
    if before is not None and 0 < version < len(scripts):
        before(connection, version)
    for number, script in enumerate(scripts[version:], version + 1):
        step = [
            "BEGIN IMMEDIATE;",
            script,
            f"PRAGMA application_id = {APPLICATION_ID};",
            f"PRAGMA user_version = {number};",
            "COMMIT;",
        ]
        try:
            connection.executescript("\n".join(step))
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _make_private(file: Path) -> None:
    """Create a file that only its owner may read, because SQLite gives its log the same mode."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        make_private(file)
    except OSError as error:
        raise cannot_create(file, error, f"let the user that runs notifier own {file.parent}") from error
    else:
        os.close(handle)  # before any connection is open: closing a handle drops the locks of SQLite


def _opening_failed(error: sqlite3.Error, file: Path) -> NotifierError:
    failure = error_to_unavailable(error, str(file))
    if is_locked(error):
        return DatabaseBusy(failure.cause, failure.fix)
    if is_damaged(error):
        return DatabaseUnusable(failure.cause, failure.fix)
    if is_permanent(error):
        fix = "keep the database on a local disk, where its user may write; a share may have no locks or mmap"
        return DatabaseUnusable(failure.cause, fix)
    return failure
