"""Backups: whole, of one moment, private, and never half under their name."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from notifier.atomic_file import publish
from notifier.core.model import DeliveryState, WatchState
from notifier.errors import DatabaseUnusable, NotifierError
from notifier.store.sqlite import backup
from notifier.store.sqlite import open as opening_module
from notifier.store.sqlite.backup import BackupFailed, TargetExists, back_up, copy_to, keep_copy
from notifier.store.sqlite.connection import connect_source, connect_writer
from notifier.store.sqlite.open import migrate, migrations
from notifier.store.values import DeliveryQuery, WatchQuery
from tests.builders import new_watch
from tests.fakes import NOON
from tests.store.conftest import OpenStore
from tests.store.steps import add, claim, finished, take
from tests.store.test_open import contents

SECRET = "whsec_" + "A" * 44


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one row, closed."""
    return made(tmp_path / "notifier.db")


def made(path: Path) -> Path:
    with closing(connect_writer(str(path))) as connection:
        migrate(connection)
        connection.execute("INSERT INTO providers (name) VALUES ('mulerouter')")
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_backup_of_a_database_in_use_has_what_stands_in_its_log(
    tmp_path: Path, opening: OpenStore
) -> None:
    """A copy of the file alone would have no table; and the daemon writes on afterwards."""
    store = await opening()
    await add(store, *(new_watch(f"task-{n}") for n in range(20)))
    made = back_up(tmp_path / "notifier.db", tmp_path / "copy.db")
    assert (made.watches, made.version, made.secret) == (20, len(migrations()), None)
    assert made.size_bytes == (tmp_path / "copy.db").stat().st_size
    await add(store, new_watch("later"))
    restored = await opening("copy.db")
    assert len(await restored.watches(WatchQuery())) == 20


async def test_a_backup_is_one_private_file(tmp_path: Path, database: Path) -> None:
    """Neither a log beside it nor anything left of the draft; and nothing beside the database."""
    (tmp_path / "backups").mkdir()
    before = os.umask(0)
    back_up(database, tmp_path / "backups" / "copy.db")
    os.umask(before)
    assert names(tmp_path / "backups") == {"copy.db"}
    assert mode(tmp_path / "backups" / "copy.db") == 0o600
    assert names(tmp_path) == {"notifier.db", "backups"}


def test_the_signing_secrets_come_along(tmp_path: Path, database: Path) -> None:
    """Without them, every receiver would refuse what the restored daemon sends. Each backup has its own."""
    secret = tmp_path / "notifier.secret"
    secret.write_text(SECRET)
    made = back_up(database, tmp_path / "copy.2026-11-23", secret=secret)
    assert made.secret == tmp_path / "copy.2026-11-23.secret"
    assert made.secret.read_text() == SECRET
    assert mode(made.secret) == 0o600


@pytest.mark.parametrize("taken", ["copy.db", "copy.db.secret"])
def test_nothing_is_replaced_unless_that_is_said(tmp_path: Path, database: Path, taken: str) -> None:
    secret = tmp_path / "notifier.secret"
    secret.write_text(SECRET)
    (tmp_path / taken).write_text("precious")
    before = contents(tmp_path)
    with pytest.raises(TargetExists, match=taken):
        back_up(database, tmp_path / "copy.db", secret=secret)
    assert contents(tmp_path) == before
    back_up(database, tmp_path / "copy.db", secret=secret, may_replace=True)
    assert (tmp_path / taken).read_bytes() != b"precious"


def test_secrets_that_were_there_outlive_a_backup_that_fails(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be the daemon's own: those of a copy named ``notifier`` stand in ``notifier.secret``."""
    secret = tmp_path / "notifier.secret"
    secret.write_text(SECRET)

    def full(draft: Path, final: Path, *, may_replace: bool) -> None:
        if final.name == "notifier":
            raise BackupFailed("no room", "")
        publish(draft, final, may_replace=may_replace)

    monkeypatch.setattr(backup, "publish", full)
    with pytest.raises(BackupFailed):
        back_up(database, tmp_path / "notifier", secret=secret, may_replace=True)
    assert secret.read_text() == SECRET


@pytest.mark.parametrize("can_link", [True, False])
def test_a_name_that_is_taken_meanwhile_is_left_alone(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch, can_link: bool
) -> None:
    """Somebody else's backup, made while ours was; also where the disk knows no links."""
    final, link = tmp_path / "copy.db", os.link

    def late(source: Path, target: Path) -> None:
        final.write_text("theirs")
        if not can_link:
            raise OSError(errno.EPERM, "Operation not permitted")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(TargetExists):
        back_up(database, final)
    assert final.read_text() == "theirs"
    assert names(tmp_path) == {"notifier.db", "copy.db"}


def test_a_disk_without_links_takes_a_backup(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert back_up(database, tmp_path / "copy.db").path.exists()


def test_a_process_that_dies_leaves_nothing_under_the_name(tmp_path: Path, database: Path) -> None:
    """Killed when all is copied and before it is checked: a draft may stay, no backup."""
    code = f"""
import os
from pathlib import Path
from notifier.store.sqlite import backup
backup.publish = lambda *args, **more: os.kill(os.getpid(), 9)
backup.back_up(Path({str(database)!r}), Path({str(tmp_path / "copy.db")!r}))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (leftover,) = names(tmp_path) - {"notifier.db"}
    assert leftover.startswith(".copy.db.")
    assert leftover.endswith(".partial")
    assert mode(tmp_path / leftover) == 0o600


def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, name, directory: in this order a power cut leaves a whole backup or none."""
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def synced(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def linked(source: Path, target: Path) -> None:
        steps.append("name")
        link(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    back_up(database, tmp_path / "copy.db")
    assert steps == ["file", "name", "directory"]


def test_a_damaged_database_makes_no_backup(tmp_path: Path, database: Path) -> None:
    """A backup that cannot be restored would be found out too late."""
    with closing(sqlite3.connect(database)) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_providers_1'"
        ).fetchone()[0]
    raw = bytearray(database.read_bytes())
    raw[(page - 1) * 4_096 + 8 : page * 4_096] = b"\xa5" * (4_096 - 8)
    database.write_bytes(raw)
    with pytest.raises(BackupFailed, match="damaged"):
        back_up(database, tmp_path / "copy.db")
    assert names(tmp_path) == {"notifier.db"}


@pytest.mark.parametrize("content", [None, b"", b"just text, no database", "foreign"])
def test_what_is_no_database_of_ours_is_not_copied(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "notifier.db"
    if content == "foreign":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE theirs (x)")
    elif isinstance(content, bytes):
        path.write_bytes(content)
    before = contents(tmp_path)
    with pytest.raises(NotifierError) as refusal:
        back_up(path, tmp_path / "copy.db")
    assert refusal.value.fix
    assert contents(tmp_path) == before


def test_a_backup_that_finds_no_room_says_so(tmp_path: Path, database: Path) -> None:
    """A file size limit stands for the full disk; nothing of the draft is left."""
    code = f"""
import resource, signal
from pathlib import Path
from notifier.store.sqlite.backup import back_up
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    back_up(Path({str(database)!r}), Path({str(tmp_path / "copy.db")!r}))
except Exception as fault:
    print(type(fault).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "BackupFailed"
    assert not [name for name in names(tmp_path) if "copy" in name]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_fault_of_the_disk_is_told_with_its_place(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def failing(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(BackupFailed, match=r"copy\.db cannot be written") as fault:
        back_up(database, tmp_path / "copy.db")
    assert fault.value.fix
    assert names(tmp_path) == {"notifier.db"}


def test_a_missing_directory_is_told(tmp_path: Path, database: Path) -> None:
    with pytest.raises(BackupFailed, match="must exist"):
        back_up(database, tmp_path / "nowhere" / "copy.db")


@pytest.mark.timeout(20)
def test_a_database_that_is_locked_is_told_after_the_busy_time(tmp_path: Path, database: Path) -> None:
    """Whenever it is locked: Python's backup alone would try for ever."""
    (tmp_path / "draft.db").touch()
    with (
        closing(sqlite3.connect(database, isolation_level=None)) as other,
        closing(connect_source(database, busy_ms=20)) as source,
    ):
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BackupFailed, match="locked"):
            back_up(database, tmp_path / "copy.db", busy_ms=20)
        with pytest.raises(BackupFailed, match="locked"):
            copy_to(source, tmp_path / "draft.db")


@pytest.mark.fault(33)
def test_backups_made_while_rows_come_in_are_of_one_moment(tmp_path: Path, database: Path) -> None:
    """Every transaction adds a provider and a path: in no backup are there more of one than of the other."""
    stop = threading.Event()

    def write() -> None:
        with closing(connect_writer(str(database))) as connection:
            n = 0
            while not stop.is_set():
                n += 1
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO providers (name) VALUES (?)", (f"p{n}",))
                connection.execute("INSERT INTO api_paths (path) VALUES (?)", (f"/{n}",))
                connection.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [_counts(database, tmp_path / f"copy-{n}.db") for n in range(10)]
    finally:
        stop.set()
        writer.join()
    assert all(providers == paths + 1 for providers, paths in counts)
    assert counts == sorted(counts)


def _counts(database: Path, final: Path) -> tuple[int, int]:
    back_up(database, final)
    with closing(sqlite3.connect(final)) as copy:
        return (
            copy.execute("SELECT count(*) FROM providers").fetchone()[0],
            copy.execute("SELECT count(*) FROM api_paths").fetchone()[0],
        )


# ---- before a migration

LATER = "CREATE TABLE later (x INTEGER) STRICT;"


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> int:
    """A program whose schema is one version on; returns the version before."""
    steps = [*migrations(), LATER]
    monkeypatch.setattr(opening_module, "migrations", lambda: steps)
    return len(steps) - 1


async def test_a_migration_keeps_a_copy_of_what_was(
    tmp_path: Path, opening: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the database, named by its version, private; the older program can go on with it."""
    old = migrations()
    first = await opening()
    await add(first, new_watch("before"))
    await first.close()
    monkeypatch.setattr(opening_module, "migrations", lambda: [*old, LATER])
    second = await opening()
    await add(second, new_watch("after"))
    await second.close()
    kept = tmp_path / f"notifier.db.v{len(old)}.backup"
    assert names(tmp_path) == {"notifier.db", kept.name}
    assert mode(kept) == 0o600
    monkeypatch.setattr(opening_module, "migrations", lambda: old)
    with pytest.raises(DatabaseUnusable, match="newer notifier") as refusal:
        await opening()
    assert kept.name in refusal.value.fix
    restored = await opening(kept.name)
    assert [watch.task_id for watch in await restored.watches(WatchQuery())] == ["before"]


async def test_only_the_latest_copy_is_kept(
    tmp_path: Path, database: Path, newer: int, opening: OpenStore
) -> None:
    """One of another version goes once the new one stands; a file of another name is not ours to remove."""
    for name in ("notifier.db.v1.backup", "other.db.v1.backup", "notifier.db.old.backup"):
        (tmp_path / name).write_text("older")
    await (await opening()).close()
    assert names(tmp_path) - {"notifier.db"} == {
        f"notifier.db.v{newer}.backup", "other.db.v1.backup", "notifier.db.old.backup",
    }  # fmt: skip


async def test_without_a_copy_there_is_no_migration(
    tmp_path: Path, database: Path, newer: int, opening: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 78 in words, the database as it was, the older copy too."""
    (tmp_path / "notifier.db.v1.backup").write_text("older")

    def no_room(draft: Path, final: Path, *, may_replace: bool) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(backup, "publish", no_room)
    with pytest.raises(DatabaseUnusable, match="No space left") as refusal:
        await opening()
    assert "free some space" in refusal.value.fix
    assert names(tmp_path) == {"notifier.db", "notifier.db.v1.backup"}
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == newer


async def test_a_migration_that_fails_can_be_tried_again(
    tmp_path: Path, database: Path, opening: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy of the first try is replaced by that of the second: they are the same."""
    old = migrations()
    monkeypatch.setattr(opening_module, "migrations", lambda: [*old, "CREATE TABLE nonsense ("])
    with pytest.raises((NotifierError, sqlite3.Error)):
        await opening()
    monkeypatch.setattr(opening_module, "migrations", lambda: [*old, LATER])
    await (await opening()).close()
    assert names(tmp_path) == {"notifier.db", f"notifier.db.v{len(old)}.backup"}


def test_a_new_database_keeps_no_copy(tmp_path: Path) -> None:
    with closing(connect_writer(str(tmp_path / "new.db"))) as connection:
        migrate(connection, keep_copy)
    assert names(tmp_path) == {"new.db"}


# ---- what older versions hold

V1_ROWS = f"""
INSERT INTO providers (seq, name) VALUES (1, 'mulerouter');
INSERT INTO api_paths (seq, path) VALUES (1, '/x/generation');
INSERT INTO watches (seq, id, provider_seq, api_path_seq, task_id, state, callbacks, metadata, registered_at,
    expires_at, due_at) VALUES
  (1, 'wch_LIVE', 1, 1, 'live', 'watching', '[{{"url":"http://127.0.0.1:9/hook"}}]', '{{"order":42}}', {NOON},
    {NOON + 3_600_000}, {NOON});
INSERT INTO watches (seq, id, provider_seq, api_path_seq, task_id, state, callbacks, metadata, registered_at,
    expires_at, ended_at, outputs, round) VALUES
  (2, 'wch_DONE', 1, 1, 'done', 'completed', '[{{"url":"http://127.0.0.1:9/hook"}}]', '{{}}', {NOON},
    {NOON + 3_600_000}, {NOON}, '["https://cdn.example/1.jpg"]', 0);
INSERT INTO events (seq, id, watch_seq, round, type, at, body) VALUES
  (1, 'evt_1', 2, 0, 'task.completed', {NOON}, CAST('{{"id":"evt_1"}}' AS BLOB));
INSERT INTO origins (seq, name, due_at) VALUES (1, 'http://127.0.0.1:9', {NOON});
INSERT INTO endpoints (seq, id, url, origin_seq, due_at) VALUES
  (1, 'ep_1', 'http://127.0.0.1:9/hook', 1, {NOON});
INSERT INTO deliveries (seq, id, event_seq, endpoint_seq, url, state, urgency, created_at, due_at, give_up_at,
    attempts, last_error) VALUES
  (1, 'dlv_1', 1, 1, 'http://127.0.0.1:9/hook', 'pending', 9223372036854775807, {NOON}, {NOON},
    {NOON + 86_400_000}, 1, 'HTTP 500');
INSERT INTO attempts (delivery_seq, number, at, duration_ms, status, error, answer) VALUES
  (1, 1, {NOON}, 12, 500, NULL, 'no');
"""


@pytest.mark.parametrize("older", range(1, len(migrations())))
async def test_an_older_database_is_brought_up_to_date_with_all_it_holds(
    tmp_path: Path, opening: OpenStore, monkeypatch: pytest.MonkeyPatch, older: int
) -> None:
    """What is live is polled, what is pending sent, what was tried told; and the copy is the old file."""
    everything = migrations()
    path = tmp_path / "notifier.db"
    with closing(connect_writer(str(path))) as connection:
        monkeypatch.setattr(opening_module, "migrations", lambda: everything[:1])
        migrate(connection)
        connection.executescript(V1_ROWS)
        monkeypatch.setattr(opening_module, "migrations", lambda: everything[:older])
        migrate(connection)
    monkeypatch.setattr(opening_module, "migrations", lambda: everything)
    store = await opening()
    watches: dict[str, Any] = {watch.id: watch for watch in await store.watches(WatchQuery())}
    assert watches["wch_LIVE"].metadata == '{"order":42}'
    assert watches["wch_DONE"].state is WatchState.COMPLETED
    assert watches["wch_DONE"].outputs == ("https://cdn.example/1.jpg",)
    assert [watch.id for watch in await claim(store)] == ["wch_LIVE"]
    detail = await store.delivery("dlv_1")
    assert detail is not None
    assert [(each.number, each.status, each.answer) for each in detail.attempts] == [(1, 500, "no")]
    (dispatch,) = await take(store)
    assert (dispatch.delivery_id, dispatch.body, dispatch.number) == ("dlv_1", b'{"id":"evt_1"}', 2)
    with closing(sqlite3.connect(path.with_name(f"notifier.db.v{older}.backup"))) as copy:
        assert copy.execute("PRAGMA user_version").fetchone()[0] == older
        assert copy.execute("SELECT count(*) FROM watches").fetchone()[0] == 2


async def test_a_restored_backup_goes_on_where_it_stood(tmp_path: Path, opening: OpenStore) -> None:
    """What was claimed while it was copied is due at once; the delivery may be a repeat and says so."""
    first = await opening()
    await finished(first)
    await add(first, new_watch("live"))
    assert len(await claim(first)) == len(await take(first)) == 1
    back_up(tmp_path / "notifier.db", tmp_path / "copy.db")
    second = await opening("copy.db", owner="daemon-2", now=NOON + 5)
    assert [watch.task_id for watch in await claim(second, NOON + 5)] == ["live"]
    (dispatch,) = await take(second, NOON + 5)
    assert dispatch.is_maybe_duplicate
    assert len(await second.deliveries(DeliveryQuery(state=DeliveryState.PENDING))) == 1


def test_writes_between_two_steps_neither_come_along_nor_start_it_again(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy takes as many steps as it has pages for, however busy the daemon is."""
    monkeypatch.setattr(backup, "PAGES_PER_STEP", 10)
    steps: list[int] = []
    with closing(connect_writer(str(database))) as daemon:
        pages = daemon.execute("PRAGMA page_count").fetchone()[0]

        def write(_status: int, _remaining: int, _total: int) -> None:
            daemon.execute("INSERT INTO providers (name) VALUES (?)", (f"p{len(steps)}",))
            steps.append(1)

        monkeypatch.setattr(backup, "_fail_if_locked", write)
        back_up(database, tmp_path / "copy.db")
    assert len(steps) == -(-pages // 10) > 1
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT name FROM providers").fetchall() == [("mulerouter",)]
