"""The processes of a benchmark, each ended when its block is left; what they print goes into a file."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import peers

START_LIMIT_S = 30.0
STOP_LIMIT_S = 60.0
GONE_LIMIT_S = 5.0
JOB_LIMIT_S = 300.0
KEY = "sk-mr-benchmark-not-a-real-key"
_ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = str(_ROOT / ".venv-peers" / "bin" / "python")


class BenchmarkFailed(Exception):
    """A process did not do what the benchmark needs; the message says which and what it said last."""


@dataclass(slots=True)
class Running:
    """A process that serves. ``ready_s`` is how long it took from its start until it said so."""

    process: Process
    url: str
    output: Path
    ready_s: float
    is_killed: bool = False

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self.is_killed = True
        self.process.kill()
        await self.process.wait()

    def said(self) -> Iterator[dict[str, object]]:
        """Give the JSON objects that it has printed so far, each on a line of its own."""
        return _said(self.output)

    def last_words(self) -> str:
        """What it has printed last."""
        return _tail(self.output)


@contextlib.asynccontextmanager
async def simulator(folder: Path) -> AsyncIterator[Running]:
    """Run the simulated provider for the block."""
    async with _serving(
        ["notifier.simulator", "--key", KEY], _environ(folder), folder, "simulator"
    ) as running:
        yield running


@contextlib.asynccontextmanager
async def daemon(
    folder: Path, settings: Mapping[str, str], *, module: str = "notifier"
) -> AsyncIterator[Running]:
    """Run the real daemon for the block, on a database in ``folder``.

    ``settings`` are configuration keys as paths: ``{"polling.growth": "0"}``. ``module`` runs another one in
    its place that takes the same command line.
    """
    environ = _environ(folder)
    for path, value in {**_BASE, "store.url": str(folder / f"{module}.db"), **settings}.items():
        environ["NOTIFIER_" + path.replace(".", "__").upper()] = value
    async with _serving([module, "run"], environ, folder, module) as running:
        yield running


@contextlib.asynccontextmanager
async def peer(
    folder: Path, module: str, *arguments: str, python: str = PEERS_PYTHON
) -> AsyncIterator[Running]:
    """Run a peer for the block, with the Python of its own environment; what to watch goes to its stdin.

    It is killed with all that it has started: nobody wants what it holds, and giving that back takes a peer
    with many tasks minutes.
    """
    command = [f"{peers.__name__}.{module}", *arguments]
    async with _serving(
        command, _environ(folder), folder, module, python=python, stdin=PIPE, leads=True
    ) as running:
        yield running


async def job(module: str, *arguments: str) -> bytes:
    """Run a module of ours in a process of its own and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=_ROOT, stdout=asyncio.subprocess.PIPE, stdin=DEVNULL
    )
    try:
        async with asyncio.timeout(JOB_LIMIT_S):
            printed, _ = await process.communicate()
    finally:
        await _end(process)
    if process.returncode != 0:
        raise BenchmarkFailed(f"{module} ended with {process.returncode}; its messages are above")
    return printed


_BASE = {"server.listen": "127.0.0.1:0", "log.format": "json"}


def _environ(folder: Path) -> dict[str, str]:
    """Nothing of the user's settings gets in, and our code is found from any folder."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MULEROUTER_"))
    }
    return {**kept, "HOME": str(folder), "PYTHONPATH": str(_ROOT), "MULEROUTER_API_KEY": KEY}


@contextlib.asynccontextmanager
async def _serving(
    arguments: list[str],
    environ: Mapping[str, str],
    folder: Path,
    name: str,
    *,
    python: str = sys.executable,
    stdin: int = DEVNULL,
    leads: bool = False,
) -> AsyncIterator[Running]:
    """Run a module for the block; one that ``leads`` a group of processes is killed with it."""
    output = folder / f"{name}.log"
    began = time.monotonic()
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            python,
            "-m",
            *arguments,
            env=environ,
            cwd=folder,
            stdout=file,
            stdin=stdin,
            start_new_session=leads,
        )
    try:
        url = await _url_of(process, output)
        running = Running(process, url, output, time.monotonic() - began)
        yield running
        if process.returncode is not None and not running.is_killed:
            raise BenchmarkFailed(f"the {name} ended by itself; it said: {_tail(output)}")
    finally:
        await (kill_group(process) if leads else _end(process))


async def _url_of(process: Process, output: Path) -> str:
    """Wait for the line that says where it serves; all programs print it as JSON with a ``url``."""
    async with asyncio.timeout(START_LIMIT_S):
        while process.returncode is None:
            for said in _said(output):
                if "url" in said and said.get("event", "daemon.ready") == "daemon.ready":
                    return str(said["url"])
            await asyncio.sleep(0.01)
    raise BenchmarkFailed(f"a process ended before it was ready; it said: {_tail(output)}")


def _said(output: Path) -> Iterator[dict[str, object]]:
    for line in output.read_bytes().splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            yield msgspec.json.decode(line, type=dict[str, object])


def _tail(output: Path) -> str:
    return output.read_text(errors="replace")[-2_000:]


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def kill_group(process: Process) -> None:
    """Kill a process that leads a group, and the group: its children, theirs, and whose parent is gone.

    The first thing done is the kill, so that nobody who breaks off the rest leaves anything behind.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    with contextlib.suppress(ProcessLookupError, TimeoutError):
        async with asyncio.timeout(GONE_LIMIT_S):
            while True:  # until nobody is left who could still write into a folder that goes
                os.killpg(process.pid, 0)
                await asyncio.sleep(0.01)
