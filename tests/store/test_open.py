"""Opening a file: what is not ours is not touched, what is ours has one holder, and its work goes on."""

import asyncio
import errno
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from notifier.core.model import WatchState
from notifier.errors import DatabaseBusy, DatabaseUnusable, StoreFull, StoreUnavailable
from notifier.store.sqlite.connection import connect_writer
from notifier.store.sqlite.integrity import APPLICATION_ID
from notifier.store.sqlite.open import migrate, migrations
from notifier.store.values import WatchQuery
from tests.builders import DAY, HOUR, PROVIDER, lease, new_watch
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import add, claim, finished, take


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def make(path: Path, *statements: str, log: bool = False) -> None:
    """A SQLite file made by the statements; with ``log``, as kill -9 leaves it: all of them in its log."""
    script = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
if {log}:
    connection.execute("PRAGMA journal_mode = WAL")
for statement in {statements!r}:
    connection.execute(statement)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def ours(path: Path) -> None:
    with closing(connect_writer(str(path))) as connection:
        migrate(connection)


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    """Whatever the umask lets through, the files are private."""
    before = os.umask(0)
    yield
    os.umask(before)


# ---- what a new one looks like


@pytest.mark.fault(26)
async def test_no_file_and_an_empty_file_are_a_new_database(tmp_path: Path, opening: OpenStore) -> None:
    """There is nothing in either that could be lost."""
    (tmp_path / "empty.db").touch(mode=0o644)
    for name in ("missing.db", "empty.db"):
        store = await opening(name)
        assert store.anchor == NOON
        await add(store)
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            for pragma, expected in {
                "application_id": APPLICATION_ID,
                "user_version": len(migrations()),
                "journal_mode": "wal",
            }.items():
                assert connection.execute(f"PRAGMA {pragma}").fetchone()[0] == expected


@pytest.mark.threat(13)
@pytest.mark.parametrize("mode_before", [None, 0o666])
async def test_nobody_else_can_read_it(tmp_path: Path, opening: OpenStore, mode_before: int | None) -> None:
    """Neither the database nor its log, index or lock; one that was open to others is closed to them."""
    if mode_before is not None:
        (tmp_path / "notifier.db").touch(mode=mode_before)
    await add(await opening())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {f"notifier.db{suffix}": 0o600 for suffix in ("", "-wal", "-shm", ".lock")}


@pytest.mark.fault(18)
async def test_what_is_answered_is_written_through(opening: OpenStore) -> None:
    """FULL (2): the log is synced at every commit, so that a power cut takes back nothing."""
    store = await opening()
    asked = await store._writer.submit(
        lambda transaction: {
            name: transaction.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "foreign_keys", "journal_mode")
        }
    )
    assert asked == {"synchronous": 2, "foreign_keys": 1, "journal_mode": "wal"}


async def test_readers_cannot_write(opening: OpenStore) -> None:
    store = await opening()
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        await store._read(lambda connection: connection.execute("DELETE FROM watches"))


async def test_a_read_of_several_statements_sees_one_state(tmp_path: Path, opening: OpenStore) -> None:
    """A watch, its event and its deliveries belong together, whatever is committed meanwhile."""
    store = await opening()

    def look_twice(connection: sqlite3.Connection) -> list[int]:
        seen = [connection.execute("SELECT count(*) FROM providers").fetchone()[0]]
        with closing(sqlite3.connect(tmp_path / "notifier.db", isolation_level=None)) as other:
            other.execute("INSERT INTO providers (name) VALUES ('meanwhile')")
        return [*seen, connection.execute("SELECT count(*) FROM providers").fetchone()[0]]

    assert await store._read(look_twice) == [0, 0]


async def test_closing_leaves_one_tidy_file(tmp_path: Path, opening: OpenStore) -> None:
    store = await opening()
    await add(store)
    await store.close()
    assert list(contents(tmp_path)) == ["notifier.db"]


# ---- what is not ours to open

FOREIGN = ["CREATE TABLE theirs (x)", "INSERT INTO theirs VALUES (1)"]
SIGNED = [f"PRAGMA application_id = {APPLICATION_ID}"]
NEWER = [*SIGNED, "CREATE TABLE watches (x)", "PRAGMA user_version = 999"]


@pytest.mark.fault(26, 27)
@pytest.mark.parametrize("log", [False, True], ids=["plain", "with-log"])
@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (FOREIGN, "another program"),
        ([*FOREIGN, "PRAGMA application_id = 7"], "another program"),
        (["PRAGMA application_id = 7"], "another program"),
        (["PRAGMA user_version = 3"], "another program"),
        (NEWER, "newer notifier"),
    ],
)
async def test_a_foreign_or_newer_database_is_refused_untouched(
    tmp_path: Path, opening: OpenStore, statements: list[str], words: str, log: bool
) -> None:
    """Not a byte of it, no file beside it, even where all of it stands in a log that nobody checkpointed."""
    path = tmp_path / "notifier.db"
    make(path, *statements, log=log)
    path.with_name("notifier.db-shm").unlink(missing_ok=True)
    before = contents(tmp_path)
    assert ("notifier.db-wal" in before) == log
    with pytest.raises(DatabaseUnusable, match=words) as refusal:
        await opening()
    assert contents(tmp_path) == before
    assert str(path) in refusal.value.cause
    assert refusal.value.fix


@pytest.mark.fault(25)
@pytest.mark.parametrize("size", [1, 15, 100, 5_000, 100_000])
async def test_what_is_no_database_is_refused_untouched(
    tmp_path: Path, opening: OpenStore, size: int
) -> None:
    """Whatever it begins with."""
    (tmp_path / "notifier.db").write_bytes(b"something else\n" * (size // 15) + b"x")
    before = contents(tmp_path)
    with pytest.raises(DatabaseUnusable, match="no database"):
        await opening()
    assert contents(tmp_path) == before


@pytest.mark.fault(25)
async def test_damage_is_found_and_left_as_it_is(tmp_path: Path, opening: OpenStore) -> None:
    """Each page overwritten in turn: refused, or (a page that holds nothing) opened; never repaired."""
    store = await opening()
    await add(store, *(new_watch(f"task-{n}") for n in range(60)))
    await store.close()
    path = tmp_path / "notifier.db"
    sound = path.read_bytes()
    causes: list[str] = []
    for start in range(0, len(sound), 4_096):
        path.write_bytes(sound[:start] + b"\xa5" * 4_096 + sound[start + 4_096 :])
        before = contents(tmp_path)
        try:
            store = await opening()
        except DatabaseUnusable as fault:
            causes.append(fault.cause)
            assert contents(tmp_path) == before
        else:
            await store.close()
    assert len(causes) == len(sound) // 4_096
    assert not any("\n" in cause for cause in causes)


async def test_a_file_cut_short_is_refused(tmp_path: Path, opening: OpenStore) -> None:
    path = tmp_path / "notifier.db"
    ours(path)
    os.truncate(path, path.stat().st_size // 2)
    before = contents(tmp_path)
    with pytest.raises(DatabaseUnusable):
        await opening()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("left", [None, b""])
async def test_a_log_without_its_database_is_not_thrown_away(
    tmp_path: Path, opening: OpenStore, left: bytes | None
) -> None:
    """SQLite would delete it: the last commits of a database that somebody may still have elsewhere."""
    if left is not None:
        (tmp_path / "notifier.db").write_bytes(left)
    (tmp_path / "notifier.db-wal").write_bytes(b"commits")
    before = contents(tmp_path)
    with pytest.raises(DatabaseUnusable, match="log"):
        await opening()
    assert contents(tmp_path) == before


@pytest.mark.fault(24)
async def test_a_place_that_cannot_hold_a_database_is_refused_in_words(
    tmp_path: Path, opening: OpenStore
) -> None:
    """A folder, a missing one, a link in a circle: each is named with the fix."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    for name in ("folder", "nowhere/notifier.db", "file/notifier.db", "pipe", "circle"):
        with pytest.raises(DatabaseUnusable) as refusal:
            await opening(name)
        assert str(tmp_path) in refusal.value.cause
        assert refusal.value.fix
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "file", "folder", "pipe"]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("mode", [0o755, 0o700], ids=["not-writable", "not-even-entered"])
def test_a_folder_that_is_not_ours_is_named(mode: int) -> None:
    """Asked as nobody, since root may write anywhere, and below no folder that others would change."""
    script = """
import asyncio, os, random, sys
from notifier.errors import DatabaseUnusable
from notifier.store.sqlite.open import open_store
os.setuid(65534)
try:
    asyncio.run(open_store(sys.argv[1], owner="x", now=0, rng=random.Random()))
except DatabaseUnusable as fault:
    print(fault)
"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder / "notifier.db")],
            check=False,
            capture_output=True,
            text=True,
        )
        assert str(folder) in done.stdout, done.stderr
        assert "Permission denied" in done.stdout
        assert contents(folder) == {}


# ---- one holder

HOLD = """
import asyncio, random, sys
from notifier.store.sqlite.open import open_store
async def hold():
    store = await open_store(sys.argv[1], owner="x", now=0, rng=random.Random())
    print("held", flush=True)
    await asyncio.sleep(60)
asyncio.run(hold())
"""


@pytest.mark.fault(16)
async def test_a_second_daemon_is_told_who_has_it(tmp_path: Path, opening: OpenStore) -> None:
    """By any name of the file; after kill -9 of the first the way is free."""
    path = tmp_path / "notifier.db"
    (tmp_path / "other-name.db").symlink_to(path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            for name in ("notifier.db", "other-name.db"):
                with pytest.raises(DatabaseBusy, match=f"process {holder.pid}"):
                    await opening(name)
        finally:
            holder.kill()
    await add(await opening())


@pytest.mark.fault(130)
async def test_a_file_with_a_second_hard_link_is_refused(tmp_path: Path, opening: OpenStore) -> None:
    """Each name has a lock of its own, so two daemons would write to one file."""
    path = tmp_path / "notifier.db"
    await (await opening()).close()
    os.link(path, tmp_path / "other.db")
    before = contents(tmp_path)
    for name in ("notifier.db", "other.db"):
        with pytest.raises(DatabaseUnusable, match="another hard link") as refusal:
            await opening(name)
        assert "-samefile" in refusal.value.fix
    assert contents(tmp_path) == before
    (tmp_path / "other.db").unlink()
    await add(await opening())


@pytest.mark.fault(130)
async def test_a_file_that_is_a_mount_point_is_refused(tmp_path: Path, opening: OpenStore) -> None:
    """The lock and the log beside it would not be those of the mounted file; its folder is no such point."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    await (await opening()).close()
    path, other = tmp_path / "notifier.db", tmp_path / "an other.db"
    other.touch()
    script = f"""
import asyncio, random
from notifier.errors import NotifierError
from notifier.store.sqlite.open import open_store
async def look(file):
    try:
        await (await open_store(file, owner="x", now=0, rng=random.Random())).close()
    except NotifierError as error:
        print(error.exit_status, error.cause)
asyncio.run(look({str(other)!r}))
asyncio.run(look({str(path)!r}))
"""
    mount = f"mount --bind '{tmp_path}' '{tmp_path}' && mount --bind '{path}' '{other}'"
    command = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip("this machine allows no new mounts")
    assert done.stdout == f"78 {other} is a mount of a single file\n", done.stderr


async def test_a_second_store_in_one_process_is_refused_too(opening: OpenStore) -> None:
    first = await opening()
    with pytest.raises(DatabaseBusy, match=f"process {os.getpid()}"):
        await opening()
    await first.close()
    await opening()


async def test_a_lock_file_left_behind_does_not_matter(tmp_path: Path, opening: OpenStore) -> None:
    (tmp_path / "notifier.db.lock").write_text("1\n")
    store = await opening()
    assert (tmp_path / "notifier.db.lock").read_text() == f"{os.getpid()}\n"
    await store.close()


async def test_a_failed_opening_lets_go_of_everything(tmp_path: Path, opening: OpenStore) -> None:
    path = tmp_path / "notifier.db"
    make(path, *FOREIGN)
    with pytest.raises(DatabaseUnusable):
        await opening()
    path.unlink()
    await add(await opening())


@pytest.mark.fault(21)
@pytest.mark.parametrize("call", ["pwrite", "open"])
async def test_a_disk_too_full_for_the_lock_is_told_in_words(
    tmp_path: Path, opening: OpenStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Not even the process id can be written: nothing is left behind, and a start with space is as any."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(f"notifier.store.sqlite.lock.os.{call}", full)
        with pytest.raises(StoreFull, match="is full") as refusal:
            await opening()
    assert refusal.value.fix == "free some space, and start it again"
    assert contents(tmp_path) == {}
    await add(await opening())


async def test_a_database_locked_by_another_program_is_busy(tmp_path: Path, opening: OpenStore) -> None:
    path = tmp_path / "notifier.db"
    ours(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises((DatabaseBusy, StoreUnavailable), match="locked"):
            await opening()
    await add(await opening())


@pytest.mark.fault(31)
@pytest.mark.parametrize("victim", ["notifier.db", "notifier.db.lock"])
@pytest.mark.parametrize("is_replaced", [False, True])
async def test_a_file_that_is_taken_away_while_in_use_is_noticed(
    tmp_path: Path, opening: OpenStore, victim: str, is_replaced: bool
) -> None:
    """Nothing goes into a file that nobody can ever open again: no registration is answered from then on."""
    store = await opening()
    await add(store)
    (tmp_path / victim).rename(tmp_path / "gone")
    if is_replaced:
        (tmp_path / victim).touch()
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        await add(store, new_watch("later"))
    with pytest.raises(DatabaseUnusable, match="removed or replaced"):
        await store.until_closed()


# ---- what was under way


async def test_what_a_dead_daemon_had_claimed_is_due_at_once(opening: OpenStore) -> None:
    """Watches as if nothing were; deliveries marked, for the receiver may have had them."""
    first = await opening()
    await finished(first)
    await add(first, new_watch("task-2"))
    assert len(await claim(first, until=NOON + DAY)) == len(await take(first, until=NOON + DAY)) == 1
    await first.close()
    second = await opening(owner="daemon-2", now=NOON + 5)
    (watch,) = await claim(second, NOON + 5)
    assert watch.due_at == NOON + 5
    (dispatch,) = await take(second, NOON + 5)
    assert dispatch.is_maybe_duplicate


async def test_what_nobody_had_claimed_is_not_marked(opening: OpenStore) -> None:
    first = await opening()
    await finished(first)
    await first.close()
    (dispatch,) = await take(await opening())
    assert not dispatch.is_maybe_duplicate


@pytest.mark.fault(39)
async def test_the_last_sign_of_life_is_remembered(opening: OpenStore) -> None:
    """A machine that has lost its time (1970) can start where it stood, and what was due stays due then."""
    first = await opening()
    await first.heartbeat(now=NOON + 7)
    await add(first, new_watch(first_poll_at=NOON + HOUR))
    await first.close()
    second = await opening(now=0)
    assert second.anchor == NOON + 7
    claimed = await second.claim_watches(PROVIDER, now=NOON + 7, limit=1, lease=lease())
    assert (claimed.watches, claimed.next_due_at) == ((), NOON + HOUR)


async def test_a_shift_moves_the_last_sign_of_life(opening: OpenStore) -> None:
    first = await opening()
    await first.heartbeat(now=NOON)
    await first.shift_times(-DAY)
    await first.close()
    assert (await opening(now=NOON - 2 * DAY)).anchor == NOON - DAY


@pytest.mark.fault(34, 35)
@pytest.mark.parametrize("set_by", [-DAY, DAY])
async def test_a_clock_that_was_set_while_nobody_ran_is_not_believed_in_the_same_boot(
    opening: OpenStore, set_by: int
) -> None:
    """Time went on by what has elapsed; the daemon's clock starts there, sees the step, and follows it."""
    first = await opening(elapsed=lambda: 50_000, boot=7)
    await first.heartbeat(now=NOON)
    await first.shift_times(HOUR)  # a step while it ran, which moves where it stood
    await first.close()
    second = await opening(now=NOON + set_by, elapsed=lambda: 80_000, boot=7)
    assert second.anchor + 80_000 == NOON + HOUR + 30_000


@pytest.mark.fault(34, 35)
async def test_a_step_moves_what_an_earlier_start_in_the_same_boot_has_told(opening: OpenStore) -> None:
    """It was told by the very clock that is set: as old as before, and kept for its time."""
    for boot, moved_by in ((7, 30 * DAY), (8, 0)):
        first = await opening(f"{boot}.db", boot=7)
        ended, live = await add(first, new_watch("ended"), new_watch("live", registered_at=NOON + 1))
        await first.stop_watch(ended.id, now=NOON + 2)
        await first.heartbeat(now=NOON + 3)
        await first.close()
        second = await opening(f"{boot}.db", now=NOON + 4, boot=boot)
        for _ in range(2):
            await second.shift_times(15 * DAY)
        found = {watch.task_id: watch for watch in await second.watches(WatchQuery())}
        assert found["live"].registered_at == live.registered_at + moved_by
        assert found["ended"].ended_at == NOON + 2 + moved_by


@pytest.mark.fault(29, 34)
async def test_what_was_told_by_a_clock_that_is_stepped_back_again_is_not_taken(
    tmp_path: Path, opening: OpenStore
) -> None:
    """Rows that cannot be moved will be later, and what was registered meanwhile would be with them."""
    store = await opening(busy_ms=1_000)
    with closing(sqlite3.connect(tmp_path / "notifier.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        moving = asyncio.ensure_future(store.shift_times(DAY))
        for _ in range(20):  # the writer takes it, and waits for the lock
            await asyncio.sleep(0)
        registering = asyncio.ensure_future(add(store, new_watch(registered_at=NOON + DAY)))
        with pytest.raises(StoreUnavailable, match="locked"):
            await moving
        other.execute("ROLLBACK")
    with pytest.raises(StoreUnavailable, match="locked"):
        await registering
    assert await store.watches(WatchQuery()) == []


@pytest.mark.parametrize("boots", [(7, 8), (7, None), (None, 7), (None, None)])
async def test_after_another_boot_the_machine_is_believed(
    opening: OpenStore, boots: tuple[int | None, int | None]
) -> None:
    """What has elapsed since then nobody knows; but no earlier than the last sign of life."""
    first = await opening(elapsed=lambda: 50_000, boot=boots[0])
    await first.heartbeat(now=NOON)
    await first.close()
    for now, start in ((NOON + DAY, NOON + DAY), (NOON - DAY, NOON)):
        again = await opening(now=now, elapsed=lambda: 1_000, boot=boots[1])
        assert again.anchor + 1_000 == start
        await again.close()


async def test_no_watch_waits_for_a_date_out_of_a_wrong_clock(opening: OpenStore) -> None:
    first = await opening()
    dates = {"absurd": NOON + 9_000 * DAY, "far": NOON + 2 * HOUR, "near": NOON + 5}
    await add(first, *(new_watch(name, first_poll_at=at) for name, at in dates.items()))
    await first.close()
    second = await opening(max_interval_ms=HOUR)
    due = {watch.task_id: watch.due_at for watch in await second.watches(WatchQuery())}
    assert due == {"absurd": NOON + HOUR, "far": NOON + 2 * HOUR, "near": NOON + 5}


async def test_an_opening_that_is_cancelled_leaves_no_thread_and_no_lock(
    tmp_path: Path, opening: OpenStore
) -> None:
    for patience_s in (0.0, 0.001, 0.005, 0.02):
        task = asyncio.ensure_future(opening())
        await asyncio.sleep(patience_s)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(result, BaseException):
            await result.close()
    store = await opening()
    await add(store)
    assert [watch.state for watch in await store.watches(WatchQuery())] == [WatchState.WATCHING]
