"""The writer: it commits the units of work of many callers together.

A unit is a function over a transaction. All waiting units share one transaction and one change of threads. A
unit that raises undoes itself only. Callers get their results, and listeners their notices, after the COMMIT
has reached the disk. The task of the writer is never cancelled, and a cancelled caller does not stop its
unit.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from notifier.core.causes.cause import Cause
from notifier.core.causes.failures import MAX_DETAIL_CHARS
from notifier.core.causes.table import Code
from notifier.core.formats.text import one_line
from notifier.errors import NotifierError, StoreClosed, StoreUnavailable
from notifier.ports import NO_METER, Meter
from notifier.store.changes import ChangeCollector, ChangeListener
from notifier.store.sqlite.driver import Driver
from notifier.store.sqlite.errors import error_to_unavailable, is_io_error
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.transactions import (
    Transaction,
    TransactionFailed,
    UnitFailed,
    UnitSucceeded,
    Work,
    run_batch,
)

log = structlog.get_logger()

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[object]]

# Measured with one commit for all callers: 128 callers insert 16 000 rows a second, 512 insert 19 300, with a
# 99th percentile of the wait of 39 ms. More were not measured.
MAX_BATCH = 512

MAX_WAITING = 20_000  # CONTRACT P5: every queue is bounded; no record of why this number

# The progress of polls shares a sync: measured CPU of a row, 611 us alone, 77 us in a batch of 100. No record
# of why 50 ms; changing it needs a measurement.
GROUP_COMMIT_WAIT_S = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    work: Callable[[Any], Any]  # its argument is a Transaction or, if it is alone, the connection
    future: asyncio.Future[Any]
    weight: int
    is_alone: bool = False
    is_premise: bool = False

    def resolve(self, outcome: UnitSucceeded | UnitFailed) -> None:
        if self.future.done():
            return
        if isinstance(outcome, UnitSucceeded):
            self.future.set_result(outcome.value)
        else:
            self.future.set_exception(outcome.error)


class Writer:
    """Own the write connection. ``open_driver`` opens it again after the disk has failed.

    ``check`` is called before each batch; if it raises NotifierError, the writer writes nothing more.
    """

    def __init__(
        self,
        file: str,
        driver: Driver,
        open_driver: Callable[[], Awaitable[Driver]],
        *,
        ids: IdSequence,
        check: Callable[[], None] = lambda: None,
        sleep: Sleep = asyncio.sleep,
        max_waiting: int = MAX_WAITING,
        meter: Meter = NO_METER,
    ) -> None:
        self._file = file
        self._driver: Driver | None = driver
        self._open_driver = open_driver
        self._ids = ids
        self._check = check
        self._sleep = sleep
        self._max_waiting = max_waiting
        self._meter = meter
        self._listeners: list[ChangeListener] = []
        self._waiting: deque[_Unit] = deque()
        self._weight = 0
        self._wake = asyncio.Event()  # set when a batch must be written now
        self._waiting_task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._failure: NotifierError | None = None
        self.trouble: Cause | None = None  # why the last transaction failed
        self._task = asyncio.create_task(self._run(), name="store writer")

    def add_listener(self, listener: ChangeListener) -> None:
        """Publish the notices of each committed unit to ``listener`` from now on."""
        self._listeners.append(listener)

    async def submit(
        self, work: Work[T], *, urgent: bool = True, weight: int = 1, is_premise: bool = False
    ) -> T:
        """Run ``work`` in a transaction and return its result after the commit.

        ``work`` may run twice (``run_batch``), so it may change nothing but the database. ``weight`` is the
        number of rows that it is about. If not ``urgent``, it waits for other units, 50 ms at most. Units
        that are submitted after a premise rely on it: if the premise is not committed, all waiting units are
        refused with it.
        """
        return await self._enqueue(work, urgent, weight=weight, is_premise=is_premise)

    async def submit_alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` outside any transaction, as a checkpoint must."""
        return await self._enqueue(work, is_alone=True)

    async def close(self) -> None:
        """Write what waits, refuse new units, close the connection."""
        self._is_closing = True
        self._wake.set()
        await asyncio.wait({self._task})

    async def until_closed(self) -> None:
        """Return when the writer is closed; raise NotifierError if it failed before that."""
        await asyncio.wait({self._task})
        if self._failure is not None:
            raise self._failure

    async def _enqueue(
        self, work: Callable[[Any], T], urgent: bool = True, *, weight: int = 1, **kind: bool
    ) -> T:
        if self._failure is not None:
            raise _store_closed(self._failure)
        if self._is_closing:
            raise StoreClosed
        if self._waiting and self._weight + weight > self._max_waiting:
            raise StoreUnavailable(Cause(Code.STORE_OVERLOADED, {"count": self._weight}))
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Unit(work, future, weight, **kind))
        self._weight += weight
        if urgent or self._weight >= MAX_BATCH:
            self._wake.set()
        elif self._waiting_task is None:
            self._waiting_task = asyncio.create_task(self._wait_for_others())
        return await future  # cancelling the caller cancels this future only: the unit runs

    async def _wait_for_others(self) -> None:
        await self._sleep(GROUP_COMMIT_WAIT_S)
        self._wake.set()

    async def _run(self) -> None:
        try:
            while self._waiting or not self._is_closing:
                await self._wake.wait()
                self._wake.clear()
                self._check()
                batch = self._take_batch()
                if batch:
                    await self._write(batch)
        except NotifierError as error:
            self._fail(error)
        except BaseException as error:  # a bug, or the event loop is closed
            cause = f"the writer of {self._file} has died ({error!r})"
            self._fail(NotifierError(cause, "this is a bug: report it, and start notifier again"))
            if not isinstance(error, Exception):
                raise
            log.exception("store.writer_died")  # here, because nobody reads the exception of this task
        finally:
            self._stop_waiting()
            await self._drop_driver()

    def _fail(self, error: NotifierError) -> None:
        """Write nothing any more, and refuse all waiting units."""
        self._failure = error
        for unit in self._waiting:
            unit.resolve(UnitFailed(_store_closed(error)))

    def _take_batch(self) -> list[_Unit]:
        """Take the oldest units up to a batch, in order; a unit that is alone makes a batch of its own."""
        batch: list[_Unit] = []
        weight = 0
        while self._waiting and not (batch and (self._waiting[0].is_alone or batch[-1].is_alone)):
            if batch and weight + self._waiting[0].weight > MAX_BATCH:
                break
            batch.append(self._waiting.popleft())
            weight += batch[-1].weight
        self._weight -= weight
        if self._waiting or self._is_closing:
            self._wake.set()
        else:
            self._stop_waiting()
        return batch

    def _stop_waiting(self) -> None:
        if self._waiting_task is not None:
            self._waiting_task.cancel()
            self._waiting_task = None

    async def _write(self, batch: list[_Unit]) -> None:
        started_s = self._meter.stopwatch()
        changes = ChangeCollector()
        try:
            outcomes = await self._outcomes(batch, changes)
        except Exception as error:  # of any kind: the callers get it, and the writer goes on
            refused = batch + self._take_dependents(batch)
            for unit in refused:
                unit.resolve(UnitFailed(failure := self._describe_failure(error)))
                self.trouble = failure.reason
            await self._drop_bad_driver(error)
        except BaseException:
            for unit in batch:
                unit.future.cancel()
            raise
        else:
            self.trouble = self.trouble if batch[0].is_alone else None
            self._meter.record_commit(len(batch), self._meter.stopwatch() - started_s)
            for unit, outcome in zip(batch, outcomes, strict=True):
                unit.resolve(outcome)
            for listener in self._listeners:
                changes.publish(listener)

    def _take_dependents(self, batch: list[_Unit]) -> list[_Unit]:
        """Take all waiting units if a premise of this batch has failed, because they rely on it."""
        if not any(unit.is_premise for unit in batch):
            return []
        waiting = list(self._waiting)
        self._waiting.clear()
        self._weight = 0
        return waiting

    async def _outcomes(
        self, batch: list[_Unit], changes: ChangeCollector
    ) -> list[UnitSucceeded | UnitFailed]:
        if self._driver is None:
            self._driver = await self._open_driver()
        if batch[0].is_alone:
            return [UnitSucceeded(await self._driver.run(batch[0].work))]
        works = [unit.work for unit in batch]
        return await self._driver.run(
            lambda connection: run_batch(Transaction(connection, self._ids, changes), works)
        )

    def _describe_failure(self, error: Exception) -> StoreUnavailable:
        cause = error.__cause__ if isinstance(error, TransactionFailed) else error
        at_commit = isinstance(error, TransactionFailed) and error.at_commit
        if isinstance(cause, sqlite3.Error):
            failure = error_to_unavailable(cause, self._file, at_commit=at_commit)
        else:
            detail = one_line(repr(cause), MAX_DETAIL_CHARS)
            failure = StoreUnavailable(Cause(Code.WRITE_FAILED, {"file": self._file, "detail": detail}))
        failure.__cause__ = cause
        return failure

    async def _drop_bad_driver(self, error: Exception) -> None:
        """Close a connection that cannot be trusted; the next batch opens the file again."""
        cause = error.__cause__ if isinstance(error, TransactionFailed) else error
        is_stuck = isinstance(error, TransactionFailed) and not error.is_rolled_back
        if is_stuck or not isinstance(cause, sqlite3.Error) or is_io_error(cause):
            await self._drop_driver()

    async def _drop_driver(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with suppress(Exception):  # it may be broken, and is not used again
                await driver.close()


def _store_closed(failure: NotifierError) -> StoreClosed:
    return StoreClosed(Cause(Code.STORE_FAILED, {"reason": failure.cause, "remedy": failure.fix}))
