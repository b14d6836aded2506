"""The real command on hosts that are not as they should be."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.daemon import DaemonProcess

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
