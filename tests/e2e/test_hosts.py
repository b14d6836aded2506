"""The real command on hosts that are not as they should be."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from notifier.simulator.script import FixedReply, TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess

pytestmark = pytest.mark.e2e

NOBODY = "http://127.0.0.1:9"
LIMIT_S = 30.0  # a test that waits for so long has failed


def settings_of(folder: Path, upstream_url: str = NOBODY) -> dict[str, str]:
    """The environment of a daemon that listens on a socket in the folder."""
    listen = f"unix:{folder / 'socket'}"
    return DaemonProcess(folder, upstream_url=upstream_url, server__listen=listen)._environ


async def ask(folder: Path, path: str) -> int:
    """The status of a GET, as soon as somebody answers."""
    transport = httpx.AsyncHTTPTransport(uds=str(folder / "socket"))
    async with asyncio.timeout(LIMIT_S), httpx.AsyncClient(transport=transport) as client:
        while True:
            try:
                return (await client.get(f"http://localhost{path}")).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(
    *command: str, environ: dict[str, str], folder: Path, stdout: int | None = None, stderr: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(command or (sys.executable, "-m", "notifier", "run")),
        env=environ, cwd=folder, stdout=stdout, stderr=stderr,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def end(process: asyncio.subprocess.Process) -> int:
    """Send SIGTERM and wait for the end."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(LIMIT_S):
        return await process.wait()


@pytest.mark.fault(131)
async def test_a_daemon_whose_output_nobody_reads_works_and_ends(tmp_path: Path) -> None:
    """A full pipe on both streams, from the first line on."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 1024)
    except BlockingIOError:
        os.set_blocking(writer, True)
    async with running(
        environ=settings_of(tmp_path), folder=tmp_path, stdout=writer, stderr=writer
    ) as process:
        assert await ask(tmp_path, "/healthz") == 200
        assert await end(process) == 0
    assert not (tmp_path / "notifier.db-wal").exists()
    os.close(reader)
    os.close(writer)


# Python runs this first. While the file "no-threads" exists, no thread can be started, as at `ulimit -u`.
THREAD_LIMIT = """
import pathlib, threading
start = threading._start_new_thread
def limited(*args):
    if pathlib.Path("no-threads").exists():
        raise RuntimeError("can't start new thread")
    return start(*args)
threading._start_new_thread = limited
"""


@pytest.mark.fault(132)
async def test_a_stop_needs_no_new_thread(tmp_path: Path) -> None:
    """At the limit of threads SIGTERM ends the daemon in order."""
    (tmp_path / "sitecustomize.py").write_text(THREAD_LIMIT)
    environ = settings_of(tmp_path) | {"PYTHONPATH": str(tmp_path)}
    async with running(environ=environ, folder=tmp_path, stderr=asyncio.subprocess.PIPE) as process:
        assert await ask(tmp_path, "/healthz") == 200
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "socket"))
        async with httpx.AsyncClient(transport=transport) as client:
            batch = await client.post("http://localhost/v1/watches/batch", json={"watches": [{}]})
            assert batch.status_code == 200, batch.text
        (tmp_path / "no-threads").touch()
        assert await end(process) == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""
    assert not (tmp_path / "notifier.db-wal").exists()


@pytest.mark.fault(132)
async def test_a_stop_during_a_retry_after_of_the_provider_is_at_once(tmp_path: Path) -> None:
    """Nothing waits for the end of the pause."""
    upstream = SimulatedProvider(key=KEY)
    pause = FixedReply(429, headers={"Retry-After": "3600"})
    task = upstream.add(API_PATH, TaskScript(first=(pause,) * 9))
    async with serve(upstream) as url:
        daemon = DaemonProcess(tmp_path, upstream_url=url)
        await daemon.start()
        await daemon.register(task.task_id, f"{NOBODY}/hook")
        while not task.polls:
            await asyncio.sleep(0.02)
        async with asyncio.timeout(LIMIT_S):
            assert await daemon.end() == 0


PROCESS_1 = ["unshare", "--pid", "--fork", "--kill-child"]


@pytest.mark.fault(132)
@pytest.mark.parametrize("command", ["run", "demo"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_process_1_heeds_a_signal_while_it_loads(
    tmp_path: Path, command: str, number: signal.Signals
) -> None:
    """The kernel discards a signal for process 1 that has no handler, and `docker stop` would kill it."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can make a process 1")
    (tmp_path / "sitecustomize.py").write_text(SIGNAL_WHILE_LOADING.format(number=int(number)))
    environ = settings_of(tmp_path) | {"PYTHONPATH": str(tmp_path)}
    words = [*PROCESS_1, sys.executable, "-m", "notifier", command]
    async with running(*words, environ=environ, folder=tmp_path) as process, asyncio.timeout(LIMIT_S):
        assert await process.wait() == 128 + number


# It signals itself when the command imports its first module.
SIGNAL_WHILE_LOADING = """
import os, sys
class Signalling:
    def find_spec(self, name, *_):
        if name == "notifier.cli":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Signalling())
"""


@pytest.mark.fault(132)
async def test_a_reload_during_the_start_is_done_when_it_is_up(tmp_path: Path) -> None:
    """A signal to reload ends nothing, also before the daemon is ready."""
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    (tmp_path / "sitecustomize.py").write_text(HANGUP_WHILE_STARTING)
    daemon._environ["PYTHONPATH"] = str(tmp_path)
    await daemon.start()
    async with asyncio.timeout(LIMIT_S):
        await daemon.until("config.reloaded")
    assert await daemon.end() == 0


HANGUP_WHILE_STARTING = """
import os, signal, sqlite3
connect = sqlite3.connect
def connect_and_signal(*args, **more):
    sqlite3.connect = connect
    os.kill(os.getpid(), signal.SIGHUP)
    return connect(*args, **more)
sqlite3.connect = connect_and_signal
"""


@pytest.mark.fault(133)
async def test_a_host_name_that_is_not_utf_8_is_no_obstacle(tmp_path: Path) -> None:
    """The owner of a claim is stored, and SQLite stores text only."""
    (tmp_path / "sitecustomize.py").write_text("import socket; socket.gethostname = lambda: 'h\\udcff'")
    upstream = SimulatedProvider(key=KEY)
    task = upstream.add(API_PATH, TaskScript(duration_s=0.1))
    async with serve(upstream) as url:
        daemon = DaemonProcess(tmp_path, upstream_url=url, under={"PYTHONPATH": str(tmp_path)})
        await daemon.start()
        await daemon.register(task.task_id, f"{NOBODY}/hook")
        async with asyncio.timeout(LIMIT_S):
            await daemon.until("watch.ended")
        assert await daemon.end() == 0
