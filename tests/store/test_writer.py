"""The writer: many callers, one transaction; what is answered is kept, what is refused is not."""

import asyncio
import random
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from notifier.core.causes.table import Code
from notifier.errors import NotifierError, StoreClosed, StoreFull, StoreUnavailable
from notifier.store.sqlite import writer as writer_module
from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.driver import AiosqliteDriver, Driver, InlineDriver, OpenDriver, T
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.transactions import Transaction
from notifier.store.sqlite.writer import Writer

BUSY_MS = 100


class Recorder:
    """A driver that notes each visit to the connection and what was said to SQLite, and can be held up."""

    def __init__(self, driver: Driver, log: list[str]) -> None:
        self._driver = driver
        self._log = log
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        await self.gate.wait()
        self._log.append("visit")

        def traced(connection: sqlite3.Connection) -> T:
            connection.set_trace_callback(lambda sql: self._log.append(sql.partition(" ")[0]))
            return fn(connection)

        return await self._driver.run(traced)

    async def close(self) -> None:
        self._log.append("close")
        await self._driver.close()


class Bench:
    """A writer on a table of one column, and what it did."""

    def __init__(self, path: Path, open_driver: OpenDriver) -> None:
        self.path = path
        self.log: list[str] = []
        self.naps: list[asyncio.Future[None]] = []
        self.opened: list[Recorder] = []
        self.connect: Callable[[], sqlite3.Connection] = partial(connect_writer, str(path), BUSY_MS)
        self._open_driver = open_driver
        self.writer: Writer

    async def start(self, **over: Any) -> None:
        with closing(connect_writer(str(self.path))) as connection:
            connection.execute("CREATE TABLE t (x UNIQUE)")
        self.writer = Writer(
            str(self.path),
            await self.open(),
            self.open,
            ids=IdSequence(random.Random(1)),
            sleep=self.nap,
            **over,
        )

    async def open(self) -> Recorder:
        self.opened.append(Recorder(await self._open_driver(self.connect), self.log))
        return self.opened[-1]

    async def nap(self, seconds: float) -> None:
        assert seconds == 0.05
        self.naps.append(asyncio.get_running_loop().create_future())
        await self.naps[-1]

    def insert(self, value: object, **over: Any) -> Awaitable[object]:
        return self.writer.submit(partial(insert, value=value), **over)

    def kept(self) -> list[Any]:
        """What another program would find."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [row[0] for row in connection.execute("SELECT x FROM t ORDER BY rowid")]


def insert(transaction: Transaction, value: object) -> object:
    transaction.connection.execute("INSERT INTO t VALUES (?)", (value,))
    return value


@pytest.fixture
async def bench(tmp_path: Path, open_driver: OpenDriver) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "x.db", open_driver)
    await bench.start()
    yield bench
    await bench.writer.close()


async def turn(times: int = 20) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def failing(path: Path, sql: str, code: int) -> Callable[[], sqlite3.Connection]:
    """Connect to what fails with SQLite's ``code`` whenever ``sql`` is executed, as over a broken disk."""

    class Failing(sqlite3.Connection):
        def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
            if statement.startswith(sql):
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = code
                raise error
            return super().execute(statement, *args)

    return lambda: sqlite3.connect(path, isolation_level=None, factory=Failing)


# ---- together


@pytest.mark.fault(30)
async def test_who_waits_together_is_committed_together(bench: Bench) -> None:
    """One visit to the thread, one fsync, in the order in which they came."""
    assert await asyncio.gather(*map(bench.insert, range(40))) == list(range(40))
    assert bench.log.count("visit") == bench.log.count("COMMIT") == 1
    assert bench.kept() == list(range(40))


async def test_no_batch_is_without_bound(bench: Bench) -> None:
    await asyncio.gather(*map(bench.insert, range(1_100)))
    assert bench.log.count("COMMIT") == 3
    bench.log.clear()
    await asyncio.gather(*(bench.insert(f"heavy-{n}", weight=400) for n in range(4)))
    assert bench.log.count("COMMIT") == 4


async def test_one_that_is_heavier_than_a_batch_is_still_taken(bench: Bench) -> None:
    assert await bench.insert("x", weight=100_000) == "x"


async def test_an_answer_is_given_only_when_it_is_kept(bench: Bench) -> None:
    """Whoever is told may look with any program."""

    async def one(value: int) -> None:
        await bench.insert(value)
        assert value in bench.kept()

    await asyncio.gather(*map(one, range(20)))


async def test_one_that_throws_undoes_itself_alone(bench: Bench) -> None:
    def half_done(transaction: Transaction) -> None:
        insert(transaction, "half")
        raise LookupError("a bug")

    results = await asyncio.gather(
        bench.insert(1),
        bench.writer.submit(half_done),
        bench.insert(1),
        bench.insert(2),
        bench.writer.submit(lambda transaction: transaction.connection.execute("SELECT nonsense")),
        bench.insert(2**70),
        return_exceptions=True,
    )
    kinds = [result if isinstance(result, int) else type(result) for result in results]
    assert kinds == [1, LookupError, sqlite3.IntegrityError, 2, sqlite3.OperationalError, OverflowError]
    assert bench.kept() == [1, 2]
    assert bench.log.count("COMMIT") == 1


async def test_one_that_throws_all_alone_keeps_nothing(bench: Bench) -> None:
    def half_done(transaction: Transaction) -> None:
        insert(transaction, "half")
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        await bench.writer.submit(half_done)
    assert bench.kept() == []
    assert await bench.insert("next") == "next"


async def test_no_unit_sees_half_of_another(bench: Bench) -> None:
    seen: list[int] = []

    def two(transaction: Transaction) -> None:
        seen.append(transaction.connection.execute("SELECT count(*) FROM t").fetchone()[0])
        insert(transaction, f"a{len(seen)}")
        insert(transaction, f"b{len(seen)}")

    await asyncio.gather(*(bench.writer.submit(two) for _ in range(5)))
    assert seen == [0, 2, 4, 6, 8]


# ---- patience


async def test_what_is_not_urgent_waits_for_company(bench: Bench) -> None:
    """At most as long as it is told to; then it goes alone."""
    lazy = asyncio.ensure_future(bench.insert("lazy", urgent=False))
    await turn()
    assert not lazy.done()
    assert bench.log == []
    bench.naps[0].set_result(None)
    assert await lazy == "lazy"


async def test_what_is_urgent_goes_at_once_and_takes_all_along(bench: Bench) -> None:
    lazy = [asyncio.ensure_future(bench.insert(n, urgent=False)) for n in range(3)]
    await turn()
    assert await bench.insert("urgent") == "urgent"
    assert [await one for one in lazy] == [0, 1, 2]
    assert bench.log.count("COMMIT") == 1
    assert bench.kept() == [0, 1, 2, "urgent"]
    await turn()
    assert bench.naps[0].cancelled()


async def test_one_nap_serves_all_who_wait_and_each_company_has_its_own(bench: Bench) -> None:
    for round_number in (1, 2):
        values = range(10 * round_number, 10 * round_number + 3)
        lazy = [asyncio.ensure_future(bench.insert(value, urgent=False)) for value in values]
        await turn()
        assert len(bench.naps) == round_number
        bench.naps[-1].set_result(None)
        await asyncio.gather(*lazy)
    assert bench.log.count("COMMIT") == 2


async def test_a_full_batch_waits_for_nobody(bench: Bench) -> None:
    await asyncio.gather(*(bench.insert(n, urgent=False) for n in range(600)))


async def test_what_comes_late_in_a_batch_is_not_forgotten(bench: Bench) -> None:
    """While the disk is busy others come, urgent or not: each has its turn."""
    bench.opened[0].gate.clear()
    first = asyncio.ensure_future(bench.insert("first"))
    await turn()
    second = asyncio.ensure_future(bench.insert("second"))
    third = asyncio.ensure_future(bench.insert("third", urgent=False))
    await turn()
    bench.opened[0].gate.set()
    await asyncio.gather(first, second, third)
    assert bench.kept() == ["first", "second", "third"]


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only while everybody waits, and then in no time."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def select_at_once(timeout: float | None) -> Any:
            self.passed += timeout or 0.0
            assert timeout is not None, "everybody waits for ever"
            return select(0)

        self._selector.select = select_at_once  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.passed


def test_patience_is_the_loops_own_time(tmp_path: Path) -> None:
    """So that a simulation passes months in a minute."""

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        connect = partial(connect_writer, str(tmp_path / "x.db"))
        driver = await InlineDriver.open(connect)
        await driver.run(lambda connection: connection.execute("CREATE TABLE t (x)").fetchall())
        writer = Writer("x.db", driver, partial(InlineDriver.open, connect), ids=IdSequence(random.Random(1)))
        await writer.submit(partial(insert, value=1))
        urgent = loop.time()
        await writer.submit(partial(insert, value=2), urgent=False)
        lazy = loop.time() - urgent
        await writer.close()
        return urgent, lazy

    with closing(VirtualLoop()) as loop:
        urgent, lazy = loop.run_until_complete(main())
    assert urgent == 0
    assert lazy == pytest.approx(0.05, abs=0.001)


# ---- callers that go away


async def test_a_cancelled_caller_changes_nothing(bench: Bench) -> None:
    """What it asked for is done, and nothing stays open for the next one to stumble over."""
    tasks = [asyncio.ensure_future(bench.insert(n)) for n in range(9)]
    await turn(2)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results[::2]] == [asyncio.CancelledError] * 5
    assert results[1::2] == [1, 3, 5, 7]
    await bench.insert("next")
    assert bench.kept() == [*range(9), "next"]


async def test_a_cancelled_caller_whose_unit_throws_disturbs_nobody(bench: Bench) -> None:
    await bench.insert(1)
    task = asyncio.ensure_future(bench.insert(1))
    await turn(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await bench.insert(2) == 2


@pytest.mark.fault(95)
async def test_callers_cancelled_at_every_moment(bench: Bench) -> None:
    """However far each had come: all is kept, once."""
    for patience in range(60):
        task = asyncio.ensure_future(bench.insert(patience))
        await turn(patience % 12 + 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await bench.insert("last")
    assert bench.kept() == [*range(60), "last"]


# ---- trouble below


@pytest.mark.fault(19, 20)
async def test_a_full_disk_refuses_the_whole_batch_and_comes_back_by_itself(bench: Bench) -> None:
    """Nothing of it is kept; once there is room the next is taken."""
    pages = await bench.writer.submit(
        lambda transaction: transaction.connection.execute("PRAGMA max_page_count = 6").fetchone()[0]
    )
    assert pages == 6
    small = [bench.insert(n) for n in range(3)]
    results = await asyncio.gather(*small, bench.insert("x" * 100_000), return_exceptions=True)
    assert [type(result) for result in results] == [StoreFull] * 4
    assert len({id(result) for result in results}) == 4
    assert bench.kept() == []
    assert getattr(bench.writer.trouble, "code", None) is Code.DISK_FULL
    assert await bench.insert("small") == "small"
    assert bench.writer.trouble is None
    await bench.writer.submit(
        lambda transaction: transaction.connection.execute("PRAGMA max_page_count = 9999").fetchone()
    )
    await bench.insert("x" * 100_000)
    assert len(bench.kept()) == 2
    assert len(bench.opened) == 1


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


@pytest.mark.fault(29)
async def test_another_programs_lock_is_waited_for_then_refused(bench: Bench) -> None:
    """As long as it may be waited for, and in words."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(bench.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        results = await asyncio.gather(*map(bench.insert, range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnavailable] * 3
        assert "locked" in str(results[0])
        other.communicate(b"\n")
    assert await bench.insert("after") == "after"
    assert bench.kept() == ["after"]


@pytest.mark.fault(29, 34)
@pytest.mark.parametrize("is_premise", [True, False])
async def test_what_counts_on_a_premise_falls_with_it(bench: Bench, is_premise: bool) -> None:
    """What waits when it fails was decided as if it held; what comes after hears that it does not."""
    await bench.insert("first")
    bench.opened[-1].gate.clear()
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        premise = asyncio.ensure_future(bench.insert("premise", is_premise=is_premise))
        await turn()
        behind = asyncio.ensure_future(bench.insert("behind"))
        await turn()
        bench.opened[-1].gate.set()
        bench.opened[-1].gate.clear()  # one visit
        with pytest.raises(StoreUnavailable, match="locked"):
            await premise
    bench.opened[-1].gate.set()
    (outcome,) = await asyncio.gather(behind, return_exceptions=True)
    assert isinstance(outcome, StoreUnavailable) is is_premise
    await asyncio.gather(bench.insert("kept", is_premise=True), bench.insert("with it"))
    assert bench.kept() == ["first", *([] if is_premise else ["behind"]), "kept", "with it"]


@pytest.mark.fault(22)
@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
async def test_a_failing_disk_refuses_the_batch_and_the_file_is_read_anew(
    tmp_path: Path, open_driver: OpenDriver, statement: str
) -> None:
    """At the COMMIT nobody can know whether it was kept, and the callers are told just that."""
    bench = Bench(tmp_path / "x.db", open_driver)
    sound, bench.connect = bench.connect, failing(bench.path, statement, 10)
    await bench.start()
    for failures in (1, 2):
        results = await asyncio.gather(*map(bench.insert, range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnavailable] * 3
        assert ("not known" in str(results[0])) == (statement == "COMMIT")
        assert bench.log.count("close") == failures
    bench.connect = sound
    await asyncio.gather(bench.insert("still on the old one"), return_exceptions=True)
    assert await bench.insert("after") == "after"
    assert bench.kept()[-1] == "after"
    assert 0 not in bench.kept()
    await bench.writer.close()


async def test_a_connection_that_cannot_even_roll_back_is_given_up(
    tmp_path: Path, open_driver: OpenDriver
) -> None:
    bench = Bench(tmp_path / "x.db", open_driver)
    sound, bench.connect = bench.connect, failing(bench.path, "ROLLBACK", 1)
    await bench.start()
    bench.connect = sound

    def half_done(transaction: Transaction) -> None:
        insert(transaction, "half")
        raise LookupError("a bug")

    with pytest.raises(StoreUnavailable):
        await bench.writer.submit(half_done)
    assert await bench.insert("after") == "after"
    assert bench.kept() == ["after"]
    assert len(bench.opened) == 2
    await bench.writer.close()


async def test_a_connection_that_cannot_be_made_anew_is_tried_again_each_time(
    tmp_path: Path, open_driver: OpenDriver
) -> None:
    bench = Bench(tmp_path / "x.db", open_driver)
    sound, bench.connect = bench.connect, failing(bench.path, "BEGIN", 10)
    await bench.start()
    bench.connect = partial(sqlite3.connect, tmp_path / "nowhere" / "x.db")
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await bench.insert("x")
    bench.connect = sound
    assert await bench.insert("after") == "after"
    await bench.writer.close()


# ---- bounds and the end


@pytest.mark.fault(13, 98)
async def test_too_many_who_wait_are_refused_at_once(tmp_path: Path, open_driver: OpenDriver) -> None:
    """Memory does not grow while the disk hangs."""
    bench = Bench(tmp_path / "x.db", open_driver)
    await bench.start(max_waiting=10)
    bench.opened[0].gate.clear()
    under_way = asyncio.ensure_future(bench.insert("under way"))
    await turn()
    waiting = [asyncio.ensure_future(bench.insert(n)) for n in range(10)]
    await turn()
    with pytest.raises(StoreUnavailable, match="wait for the disk"):
        await bench.insert("too many")
    bench.opened[0].gate.set()
    await asyncio.gather(under_way, *waiting)
    assert await bench.insert("again") == "again"
    await bench.writer.close()


async def test_closing_writes_out_what_waits(bench: Bench) -> None:
    waiting = [asyncio.ensure_future(bench.insert(n, urgent=n % 2 == 0)) for n in range(600)]
    lazy = asyncio.ensure_future(bench.insert("lazy", urgent=False))
    await turn(1)
    await bench.writer.close()
    assert await asyncio.gather(*waiting, lazy) == [*range(600), "lazy"]
    assert len(bench.kept()) == 601
    assert bench.log[-1] == "close"
    with pytest.raises(StoreUnavailable, match="closed"):
        await bench.insert("late")
    await bench.writer.close()


async def test_a_cancelled_close_still_closes(bench: Bench) -> None:
    waiting = asyncio.ensure_future(bench.insert(1))
    closing_it = asyncio.ensure_future(bench.writer.close())
    await turn(1)
    closing_it.cancel()
    await asyncio.gather(closing_it, return_exceptions=True)
    assert await waiting == 1
    await bench.writer.close()
    assert bench.log[-1] == "close"


async def test_what_must_stand_outside_a_transaction_does(bench: Bench) -> None:
    """A checkpoint inside one is an error; those before and after it keep their order."""
    await asyncio.gather(
        bench.insert("before"),
        bench.writer.submit_alone(lambda connection: connection.execute("PRAGMA wal_checkpoint").fetchone()),
        bench.insert("after"),
    )
    assert bench.kept() == ["before", "after"]
    assert bench.log.count("COMMIT") == 2


@pytest.mark.fault(1)
def test_a_crash_between_two_units_keeps_neither(tmp_path: Path) -> None:
    """The process is gone in the middle of a batch: nothing of it was answered, nothing of it is kept."""
    script = f"""
import asyncio, os, random, sqlite3
from functools import partial
from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.driver import AiosqliteDriver
from notifier.store.sqlite.ids import IdSequence
from notifier.store.sqlite.writer import Writer
def insert(transaction, n):
    transaction.connection.execute("INSERT INTO t VALUES (?)", (n,))
    return n
async def main():
    open_driver = partial(AiosqliteDriver.open, partial(connect_writer, {str(tmp_path / "x.db")!r}))
    driver = await open_driver()
    await driver.run(lambda connection: connection.execute("CREATE TABLE t (x)").fetchall())
    writer = Writer("x", driver, open_driver, ids=IdSequence(random.Random(1)))
    for n in range(3):
        print(await writer.submit(partial(insert, n=n)))
    await asyncio.gather(
        *(writer.submit(partial(insert, n=n)) for n in (3, 4)),
        writer.submit(lambda transaction: os._exit(9)),
    )
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-u", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    assert done.stdout.split() == ["0", "1", "2"]
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        assert [row[0] for row in connection.execute("SELECT x FROM t")] == [0, 1, 2]
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_the_limits_are_what_the_interface_says() -> None:
    assert (writer_module.MAX_BATCH, writer_module.GROUP_COMMIT_WAIT_S) == (512, 0.05)


async def test_the_writer_outlives_every_bug(bench: Bench) -> None:
    """A unit that commits by itself, which no unit may, costs its batch and nothing else."""

    def unruly(transaction: Transaction) -> None:
        transaction.connection.execute("COMMIT")
        raise LookupError("a bug")

    results = await asyncio.gather(bench.insert(1), bench.writer.submit(unruly), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 2
    assert await bench.insert(2) == 2


async def test_a_driver_that_cannot_even_be_closed_is_given_up(
    tmp_path: Path, open_driver: OpenDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it throws: it is broken already, and the next batch gets a new one."""
    bench = Bench(tmp_path / "x.db", open_driver)
    sound, bench.connect = bench.connect, failing(bench.path, "BEGIN", 10)
    await bench.start()
    bench.connect = sound
    broken = bench.opened[0]

    async def refuse() -> None:
        await Recorder.close(broken)
        raise ValueError("no active connection")

    monkeypatch.setattr(broken, "close", refuse)
    with pytest.raises(StoreUnavailable):
        await bench.insert("x")
    async with asyncio.timeout(20):
        assert await bench.insert("after") == "after"
    await bench.writer.close()


async def test_a_writer_that_died_says_so_and_leaves_nobody_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits and whoever comes is refused; whoever watches is told what it died of."""

    def die(_writer: Writer) -> None:
        raise RuntimeError("planted")

    watching = asyncio.ensure_future(bench.writer.until_closed())
    monkeypatch.setattr(Writer, "_take_batch", die)
    async with asyncio.timeout(20):
        with structlog.testing.capture_logs() as told:
            results = await asyncio.gather(*map(bench.insert, range(3)), return_exceptions=True)
        assert [(line["event"], line["exc_info"]) for line in told] == [("store.writer_died", True)]
        assert [type(result) for result in results] == [StoreClosed] * 3
        with pytest.raises(StoreUnavailable, match="planted"):
            await bench.insert("late")
        with pytest.raises(NotifierError, match="planted"):
            await watching
        await bench.writer.close()
    assert bench.log[-1] == "close"
    assert bench.writer._task.exception() is None  # told when it happened, and not when it is collected


async def test_a_writer_that_is_closed_has_not_died(bench: Bench) -> None:
    watching = asyncio.ensure_future(bench.writer.until_closed())
    await turn()
    assert not watching.done()
    await bench.writer.close()
    await watching


async def test_a_thread_driver_never_holds_up_the_loop(tmp_path: Path) -> None:
    """While SQLite waits for a lock the loop goes on."""
    bench = Bench(tmp_path / "x.db", AiosqliteDriver.open)
    await bench.start()
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = asyncio.ensure_future(bench.insert(1))
        ticks = 0
        while not refused.done():
            await asyncio.sleep(0.005)
            ticks += 1
        assert ticks > BUSY_MS / 5 / 3
        with pytest.raises(StoreUnavailable):
            await refused
    await bench.writer.close()
