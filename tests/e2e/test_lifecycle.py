"""Start, stop, reload and refusal of the real command."""

import asyncio
import contextlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from notifier.store.sqlite.integrity import APPLICATION_ID
from notifier.store.sqlite.open import migrations
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.e2e

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    await daemon.start()
    yield daemon
    await daemon.end()


def refusal_of(daemon: DaemonProcess) -> subprocess.CompletedProcess[str]:
    """Start the command again with the same settings and have it refuse."""
    return subprocess.run(
        [sys.executable, "-m", "notifier", "run"],
        env=daemon._environ, cwd=daemon.folder, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.fault(7)
async def test_sigterm_ends_it_with_0(daemon: DaemonProcess) -> None:
    """It says that it stops, closes the store and leaves no write-ahead log behind."""
    assert await daemon.end(signal.SIGTERM) == 0
    assert [line["event"] for line in daemon.lines][-2:] == ["daemon.stopping", "daemon.stopped"]
    assert not daemon.database.with_name("notifier.db-wal").exists()


async def test_it_runs_and_ends_where_stdin_and_stderr_are_closed(tmp_path: Path) -> None:
    """No file of its own stands in their places; what it would say there is lost, and nothing else."""
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    await daemon.start(closed="<&- 2>&-")
    assert await daemon.end(signal.SIGTERM) == 0


async def test_a_start_that_migrates_asks_systemd_for_time_first(tmp_path: Path) -> None:
    """To copy a large database takes longer than TimeoutStartSec= has; killed, it would begin anew."""
    *older, _ = migrations()
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as connection:
        marks = [f"PRAGMA application_id = {APPLICATION_ID};", f"PRAGMA user_version = {len(older)};"]
        connection.executescript("".join([*older, *marks]))
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        daemon._environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        await daemon.start()
        assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=3600000000"
        assert await daemon.end() == 0


@pytest.mark.fault(8)
async def test_a_stop_lets_the_delivery_under_way_end(tmp_path: Path) -> None:
    """The receiver answers after the signal; the answer is recorded, and nothing is sent twice."""
    ledger, upstream = Ledger(), SimulatedProvider(key=KEY)
    ledger.hold = hold = asyncio.Event()
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(tmp_path, upstream_url=upstream_url)
        await daemon.start()
        ledger.secret = daemon.secret
        task = upstream.add(API_PATH, TaskScript(duration_s=0.1))
        await daemon.register(task.task_id, f"{receiver_url}/hook")
        await ledger.changed.wait()
        ending = asyncio.create_task(daemon.end())
        await daemon.until("daemon.stopping")
        hold.set()
        assert await ending == 0
    with sqlite3.connect(daemon.database) as connection:
        assert connection.execute("SELECT state FROM deliveries").fetchall() == [("delivered",)]
    connection.close()


@pytest.mark.fault(9)
async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """A delivery that hangs holds up the first signal, not the second; it comes again at the next start."""
    ledger, upstream = Ledger(), SimulatedProvider(key=KEY)
    ledger.hold = hold = asyncio.Event()
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(tmp_path, upstream_url=upstream_url)
        await daemon.start()
        ledger.secret = daemon.secret
        task = upstream.add(API_PATH, TaskScript(duration_s=0.1))
        await daemon.register(task.task_id, f"{receiver_url}/hook")
        await ledger.changed.wait()
        daemon.signal(signal.SIGTERM)
        await daemon.until("daemon.stopping")
        again = asyncio.create_task(keep_asking(daemon))
        assert await daemon.end(signal.SIGTERM) == 128 + signal.SIGTERM
        again.cancel()
        ledger.hold = None
        hold.set()


async def keep_asking(daemon: DaemonProcess) -> None:
    """What comes together with the first signal is one with it; what comes later is a second one."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            await asyncio.sleep(0.1)
            daemon.signal(signal.SIGTERM)


@pytest.mark.fault(16)
async def test_a_second_daemon_on_the_same_database_is_refused(daemon: DaemonProcess) -> None:
    """Exit 75, naming who holds it."""
    refused = refusal_of(daemon)
    assert refused.returncode == 75
    assert str(daemon.lines[-1]["pid"]) in refused.stderr + refused.stdout


@pytest.mark.fault(25)
@pytest.mark.parametrize("content", [b"just text, no database", b"SQLite format 3\x00" + b"\xff" * 200])
async def test_a_file_that_is_not_ours_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    """Exit 78, and not a byte has changed."""
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    daemon.database.write_bytes(content)
    refused = refusal_of(daemon)
    assert refused.returncode == 78
    assert daemon.database.read_bytes() == content


@pytest.mark.fault(27)
async def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    """Exit 78 in words: a newer version of notifier made it."""
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    await daemon.start()
    await daemon.end()
    with sqlite3.connect(daemon.database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = daemon.database.read_bytes()
    refused = refusal_of(daemon)
    assert refused.returncode == 78
    assert "newer" in refused.stdout
    assert daemon.database.read_bytes() == before


async def test_a_clean_stop_takes_its_socket_along(tmp_path: Path) -> None:
    """Nobody is to try a file that nothing listens on."""
    place = tmp_path / "n.sock"
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY, server__listen=f"unix:{place}")
    await daemon.start()
    assert place.is_socket()
    assert await daemon.end() == 0
    assert not place.exists()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """Exit 78 with cause and fix."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon = DaemonProcess(tmp_path, upstream_url=NOBODY, server__listen=listen)
        refused = refusal_of(daemon)
    assert refused.returncode == 78
    assert f"cannot listen on {listen}" in refused.stdout
    assert "server.listen" in refused.stdout
    assert "daemon.stopped" not in refused.stdout  # it never ran; the last line says why
    assert f"cannot listen on {listen}" in refused.stderr  # in words, for where the log is not looked at


@pytest.mark.fault(17)
async def test_sighup_reads_the_configuration_again_and_keeps_the_old_one_if_it_is_bad(
    tmp_path: Path,
) -> None:
    """A bad file changes nothing and is told; a good one holds from then on."""
    file = tmp_path / "config.toml"
    file.write_text('[log]\nlevel = "info"\n')
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    await daemon.start()
    file.write_text('[log]\nlevle = "debug"\n')
    daemon.signal(signal.SIGHUP)
    refused = await daemon.until("config.refused")
    assert "level" in str(refused["faults"])
    file.write_text('[log]\nlevel = "debug"\n[providers.acme]\nbase_url = "https://acme.example"\n')
    daemon.signal(signal.SIGHUP)
    assert (await daemon.until("provider.no_key"))["provider"] == "acme"  # as a start says it
    await daemon.until("config.reloaded")
    assert await daemon.end() == 0


@pytest.mark.fault(10)
async def test_a_stop_at_any_moment_of_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """Killed by SIGTERM before it obeys it, or stopped by it after: the next start is as any."""
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    for _ in range(2):
        await daemon.launch()
        await asyncio.sleep(random.uniform(0.0, 1.2))
        assert await daemon.end() in (0, -signal.SIGTERM)
    await daemon.start()
    assert await daemon.end() == 0
