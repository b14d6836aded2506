"""The worst day: the disk's content is gone, and all there is is a backup made while the daemon worked."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.e2e

BEFORE, AFTER = 40, 10


async def back_up(daemon: DaemonProcess, final: Path) -> None:
    """Run `notifier backup` as an operator would, in the daemon's folder."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "notifier", "backup", str(final),
        env=daemon._environ, cwd=daemon.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0


def restore(daemon: DaemonProcess, final: Path) -> None:
    """As documented."""
    for suffix in ("", "-wal", "-shm"):
        daemon.database.with_name(f"notifier.db{suffix}").unlink(missing_ok=True)
    shutil.copy(final, daemon.database)
    shutil.copy(f"{final}.secret", daemon.folder / "notifier.secret")


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.fault(33)
async def test_what_was_acknowledged_before_the_backup_is_told_after_the_restore(
    tmp_path: Path, is_running: bool
) -> None:
    """Killed, everything lost, restored, started: each task of before the backup is told of, verifiably."""
    ledger, upstream = Ledger(), SimulatedProvider(key=KEY)
    final = tmp_path / "backup.db"
    (tmp_path / "daemon").mkdir()
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(tmp_path / "daemon", upstream_url=upstream_url)
        await daemon.start()
        ledger.secret = daemon.secret
        tasks = [upstream.add(API_PATH, TaskScript(duration_s=1.0)) for _ in range(BEFORE + AFTER)]
        for task in tasks[:BEFORE]:
            await daemon.register(task.task_id, f"{receiver_url}/hook")
        if not is_running:
            await daemon.kill()
        await back_up(daemon, final)
        if is_running:
            for task in tasks[BEFORE:]:
                await daemon.register(task.task_id, f"{receiver_url}/hook")
            await daemon.kill()
        restore(daemon, final)
        await daemon.start()
        wanted = {task.task_id for task in tasks[:BEFORE]}
        delivered: set[str] = set()
        while not wanted <= delivered:
            await asyncio.sleep(0.05)
            delivered = told_in(daemon.database)
        assert await daemon.end() == 0


def told_in(database: Path) -> set[str]:
    """The tasks whose outcome the receiver has verified and taken, by the restored database."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return {
            task_id
            for (task_id,) in connection.execute(
                "SELECT w.task_id FROM watches w JOIN events e ON e.watch_seq = w.seq"
                " JOIN deliveries d ON d.event_seq = e.seq WHERE d.state = 'delivered'"
            )
        }
