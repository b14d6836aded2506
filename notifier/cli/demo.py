"""`notifier demo`: the main job, start to end, on this machine and with no key.

A simulated MuleRouter and a verifying receiver run in this process; the daemon is the real one, a process of
its own, and is killed with SIGKILL half-way.
"""

import asyncio
import contextlib
import errno
import json
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from notifier.cli.client import ApiConnection, parse_address
from notifier.cli.output import print_note
from notifier.cli.receiver import LocalReceiver, ReceivedCallback, ReplyPlan, parse_event
from notifier.clock import wall_ms
from notifier.core.delivery.signature import make_secret
from notifier.core.secret import Secret
from notifier.simulator.script import FixedReply, TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider

LIMIT_S = 38.0
KILL_AFTER_S = 3.0
API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
KEY = "sk-mr-demo-not-a-real-key"
SIGNAL_EXIT_BASE = 128
"""The exit status of a program that a signal ended is this plus the signal's number (POSIX shells)."""


@dataclass(frozen=True, slots=True)
class DemoTask:
    """One task of the play: what it is, what becomes of it, and what the receiver must be told."""

    name: str
    script: TaskScript
    event: str
    expire_after: str = "10m"


ACTS = (
    DemoTask("an image", TaskScript(duration_s=1.5), "task.completed"),
    DemoTask(
        "two videos", TaskScript(duration_s=4.0, words="async", result="videos", outputs=2), "task.completed"
    ),
    DemoTask("a forbidden prompt", TaskScript(duration_s=2.5, outcome="failed"), "task.failed"),
    DemoTask("a slow one", TaskScript(duration_s=9.0), "task.completed"),
    DemoTask(
        "behind an outage",
        TaskScript(first=(FixedReply(503), FixedReply(200, body="<html>oops</html>"))),
        "task.completed",
    ),
    DemoTask("never ends, 6 s allowed", TaskScript(outcome="never"), "task.expired", expire_after="6s"),
)


@dataclass
class DemoRun:
    """What has been seen so far."""

    acts: dict[str, DemoTask] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)
    is_unread: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_callback(self, received: ReceivedCallback) -> None:
        """Note and print one callback."""
        event = parse_event(received.body)
        task_id, kind = ("", "no event") if event is None else (event.data.task_id, event.type)
        act = self.acts.get(task_id)
        name = act.name if act else f"unknown task {task_id}"
        verified = "verified" if received.reason is None else f"NOT verified: {received.reason}"
        attempt = received.headers.get("notifier-attempt", "?")
        note = "" if received.answered < 300 else f", answered {received.answered} on purpose"
        self.line(f"◀ {kind:<15} {name}: {verified}, attempt {attempt}{note}")
        if received.reason is not None or act is None:
            self.bad.append(f"{name}: {verified}")
        elif received.answered < 300:
            self.told[task_id] = kind
        self.changed.set()

    def line(self, text: str) -> None:
        """Print one line of the play."""
        print(f"{time.monotonic() - self.began_at:6.1f} s  {text}", flush=True)

    def is_over(self) -> bool:
        """Whether every task has been told of."""
        return self.told.keys() >= self.acts.keys()

    async def until_over(self) -> None:
        """Wait for the last callback; raises BrokenPipeError if nobody reads the output any more."""
        while not self.is_over():
            self.changed.clear()
            await self.changed.wait()
            if self.is_unread:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def on_unread(self) -> None:
        """Note that a callback could not be printed."""
        self.is_unread = True
        self.changed.set()

    def verdict(self) -> list[str]:
        """What went wrong; nothing if all went as the acts say."""
        missing = [act.name for task, act in self.acts.items() if task not in self.told]
        wrong = [act.name for task, act in self.acts.items() if self.told.get(task, act.event) != act.event]
        return [
            *(f"no callback: {name}" for name in missing),
            *(f"wrong event: {name}" for name in wrong),
            *self.bad,
        ]


def main() -> int:
    """Play; 0 only if every callback arrived, verified, with the right event."""
    received: list[signal.Signals] = []
    try:
        return asyncio.run(_play(received))
    except asyncio.CancelledError:
        if not received:
            raise
        return SIGNAL_EXIT_BASE + received[0]


def _cancel_on_signals(received: list[signal.Signals]) -> None:
    """Cancel the running task on SIGTERM and SIGHUP, so that its ``finally`` blocks end the daemon.

    By default SIGTERM would end this process alone, or nothing at all where it is process 1. A signal that
    is ignored from the start, as ``nohup`` does with SIGHUP, stays ignored. asyncio handles SIGINT.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def cancel(number: signal.Signals) -> None:
        if not received and task is not None:  # a second cancel would break off the wait for the daemon's end
            task.cancel()
        received.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, cancel, number)


async def _play(received: list[signal.Signals]) -> int:
    _cancel_on_signals(received)
    secret = make_secret(os.urandom(32))
    stage = DemoRun()
    receiver = LocalReceiver(
        (secret,), ReplyPlan(failures=1), now=wall_ms, tell=stage.on_callback, on_unread=stage.on_unread
    )
    upstream = SimulatedProvider(key=KEY)
    print_note("A simulated MuleRouter, the real daemon, and a receiver that verifies. No key, no network.\n")
    async with serve(upstream) as upstream_url, serve(receiver) as receiver_url:
        with tempfile.TemporaryDirectory(prefix="notifier-demo-") as folder:
            environ = _environ(Path(folder), upstream_url, secret)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LIMIT_S):
                    await _perform(stage, environ, upstream, f"{receiver_url}/hook")
    faults = stage.verdict()
    for fault in faults:
        print_note(f"FAILED  {fault}")
    if not faults:
        stage.line(f"✔ all {len(ACTS)} callbacks arrived and were verified, across a kill -9")
    return 1 if faults else 0


async def _perform(
    stage: DemoRun, environ: Mapping[str, str], upstream: SimulatedProvider, hook: str
) -> None:
    async with _daemon(stage, environ) as (daemon, api):
        for act in ACTS:
            task = upstream.add(API_PATH, act.script)
            stage.acts[task.task_id] = act
            watch = await asyncio.to_thread(_register, api, task.task_id, hook, act)
            stage.line(f"▶ registered     {act.name}: {watch}")
        await asyncio.sleep(KILL_AFTER_S)
        daemon.send_signal(signal.SIGKILL)
        await daemon.wait()
        stage.line("✖ kill -9        nothing was saved now, because everything had been")
    await asyncio.sleep(0.5)
    async with _daemon(stage, environ):
        await stage.until_over()


def _register(api: ApiConnection, task_id: str, hook: str, act: DemoTask) -> str:
    body = {
        "api_path": API_PATH,
        "task_id": task_id,
        "callback_url": hook,
        "metadata": {"act": act.name},
        "expire_after": act.expire_after,
    }
    answer = api.request("POST", "/v1/watches", body=body)
    return str(json.loads(answer.raw)["id"])


@contextlib.asynccontextmanager
async def _daemon(stage: DemoRun, environ: Mapping[str, str]) -> AsyncIterator[tuple[Process, ApiConnection]]:
    """Run `notifier run` for the block; it ends by SIGTERM if it still lives then."""
    daemon = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "notifier",
        "run",
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        cwd=environ["HOME"],
    )
    lines = daemon.stdout or asyncio.StreamReader()
    reading: asyncio.Task[None] | None = None
    try:
        url = await _ready(lines)
        reading = asyncio.create_task(_drain(lines))
        stage.line(f"● daemon ready   {url} (pid {daemon.pid})")
        yield daemon, ApiConnection(parse_address(url))
    finally:
        if daemon.returncode is None:
            daemon.terminate()
        await daemon.wait()
        if reading is not None:
            await reading


async def _ready(stdout: asyncio.StreamReader) -> str:
    async for line in stdout:
        event = json.loads(line)
        if event.get("event") == "daemon.ready":
            return str(event["url"])
    raise RuntimeError("the daemon ended before it was ready; its messages are above")


async def _drain(stdout: asyncio.StreamReader) -> None:
    async for _ in stdout:
        pass


def _environ(folder: Path, upstream_url: str, secret: Secret) -> dict[str, str]:
    """Configure the demo's daemon: nothing of the user's, and faster polls than real life needs."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MULEROUTER_"))
    }
    return {
        **kept,
        "HOME": str(folder),
        "NOTIFIER_CONFIG": os.devnull,  # else /etc/notifier's would be found
        "DEMO_SIGNING_SECRET": secret.reveal(),
        "MULEROUTER_API_KEY": KEY,
        "MULEROUTER_BASE_URL": upstream_url,
        "NOTIFIER_SERVER__LISTEN": "127.0.0.1:0",
        "NOTIFIER_STORE__URL": str(folder / "notifier.db"),
        "NOTIFIER_CALLBACKS__SECRETS": '[{ env = "DEMO_SIGNING_SECRET" }]',
        "NOTIFIER_POLLING__FIRST_AFTER": "500ms",
        "NOTIFIER_POLLING__MIN_INTERVAL": "500ms",
        "NOTIFIER_LOG__FORMAT": "json",
    }
