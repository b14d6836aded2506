"""The command demo: watch six simulated tasks end and their callbacks arrive, without network and API key.

A simulated MuleRouter and a receiver that verifies run in this process. The daemon is the real one, in a
process of its own, and is killed with SIGKILL on the way.
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
from notifier.cli.exit_codes import SIGNAL_EXIT_BASE
from notifier.cli.output import print_note
from notifier.cli.receiver import LocalReceiver, ReceivedCallback, ReplyPlan, parse_event
from notifier.clock import wall_ms
from notifier.core.delivery.signature import make_secret
from notifier.core.secret import Secret
from notifier.simulator.script import FixedReply, TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider

DEMO_LIMIT_S = 38.0  # no record of why; changing it needs a measurement (a run takes 11 s)
KILL_AFTER_S = 3.0  # after the tasks of 1.5 s and 2.5 s have ended, before those of 4 s and 9 s have
API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
API_KEY = "sk-mr-demo-not-a-real-key"


@dataclass(frozen=True, slots=True)
class DemoTask:
    """One simulated task: its name, its script, and the event that the receiver must get."""

    name: str
    script: TaskScript
    event: str
    expire_after: str = "10m"


TASKS = (
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
    """The state of one demo: its tasks, and the events that the receiver has accepted."""

    tasks: dict[str, DemoTask] = field(default_factory=dict)
    received_events: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    started_at: float = field(default_factory=time.monotonic)
    is_output_closed: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def record_callback(self, received: ReceivedCallback) -> None:
        """Record and print one callback."""
        event = parse_event(received.body)
        task_id, kind = ("", "no event") if event is None else (event.data.task_id, event.type)
        task = self.tasks.get(task_id)
        name = task.name if task else f"unknown task {task_id}"
        verified = "verified" if received.reason is None else f"NOT verified: {received.reason}"
        attempt = received.headers.get("notifier-attempt", "?")
        note = "" if received.reply_status < 300 else f", replied {received.reply_status} on purpose"
        self.print_line(f"◀ {kind:<15} {name}: {verified}, attempt {attempt}{note}")
        if received.reason is not None or task is None:
            self.problems.append(f"{name}: {verified}")
        elif received.reply_status < 300:
            self.received_events[task_id] = kind
        self.changed.set()

    def print_line(self, text: str) -> None:
        """Print one line with the time since the start."""
        print(f"{time.monotonic() - self.started_at:6.1f} s  {text}", flush=True)

    def has_all_events(self) -> bool:
        """Return whether the receiver has accepted an event of each task."""
        return self.received_events.keys() >= self.tasks.keys()

    async def wait_until_over(self) -> None:
        """Wait for the last callback. Raise BrokenPipeError if nobody reads the output any more."""
        while not self.has_all_events():
            self.changed.clear()
            await self.changed.wait()
            if self.is_output_closed:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def record_unread(self) -> None:
        """Record that a callback could not be printed."""
        self.is_output_closed = True
        self.changed.set()

    def list_failures(self) -> list[str]:
        """List what differs from the events that the tasks must have."""
        missing = [task.name for task_id, task in self.tasks.items() if task_id not in self.received_events]
        wrong = [
            task.name
            for task_id, task in self.tasks.items()
            if self.received_events.get(task_id, task.event) != task.event
        ]
        return [
            *(f"no callback: {name}" for name in missing),
            *(f"wrong event: {name}" for name in wrong),
            *self.problems,
        ]


def main() -> int:
    """Run the demo. Return 0 only if each callback arrived, was verified and had the right event."""
    signals: list[signal.Signals] = []
    try:
        return asyncio.run(_run_demo(signals))
    except asyncio.CancelledError:
        if not signals:
            raise
        return SIGNAL_EXIT_BASE + signals[0]


def _cancel_on_signals(signals: list[signal.Signals]) -> None:
    """Cancel the running task on SIGTERM and SIGHUP, so that its ``finally`` blocks end the daemon.

    By default SIGTERM would end this process alone, or nothing at all where it is process 1. A signal that
    is ignored from the start, as ``nohup`` does with SIGHUP, stays ignored. asyncio handles SIGINT.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def cancel(number: signal.Signals) -> None:
        if not signals and task is not None:  # a second one would cancel the wait for the daemon
            task.cancel()
        signals.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, cancel, number)


async def _run_demo(signals: list[signal.Signals]) -> int:
    _cancel_on_signals(signals)
    secret = make_secret(os.urandom(32))
    run = DemoRun()
    receiver = LocalReceiver(
        (secret,),
        ReplyPlan(failures=1),
        now=wall_ms,
        print_callback=run.record_callback,
        on_unread=run.record_unread,
    )
    provider = SimulatedProvider(key=API_KEY)
    print_note("A simulated MuleRouter, the real daemon, and a receiver that verifies. No key, no network.\n")
    async with serve(provider) as provider_url, serve(receiver) as receiver_url:
        with tempfile.TemporaryDirectory(prefix="notifier-demo-") as folder:
            environ = _build_environ(Path(folder), provider_url, secret)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DEMO_LIMIT_S):
                    await _run_tasks(run, environ, provider, f"{receiver_url}/hook")
    failures = run.list_failures()
    for failure in failures:
        print_note(f"FAILED  {failure}")
    if not failures:
        run.print_line(f"✔ all {len(TASKS)} callbacks arrived and were verified, despite the kill -9")
    return 1 if failures else 0


async def _run_tasks(
    run: DemoRun, environ: Mapping[str, str], provider: SimulatedProvider, callback_url: str
) -> None:
    async with _run_daemon(run, environ) as (daemon, api):
        for task in TASKS:
            task_id = provider.add(API_PATH, task.script).task_id
            run.tasks[task_id] = task
            watch_id = await asyncio.to_thread(_register, api, task_id, callback_url, task)
            run.print_line(f"▶ registered     {task.name}: {watch_id}")
        await asyncio.sleep(KILL_AFTER_S)
        daemon.send_signal(signal.SIGKILL)
        await daemon.wait()
        run.print_line("✖ kill -9        the daemon had no time to save; its state is in the database")
    await asyncio.sleep(0.5)
    async with _run_daemon(run, environ):
        await run.wait_until_over()


def _register(api: ApiConnection, task_id: str, callback_url: str, task: DemoTask) -> str:
    body = {
        "api_path": API_PATH,
        "task_id": task_id,
        "callback_url": callback_url,
        "metadata": {"name": task.name},
        "expire_after": task.expire_after,
    }
    response = api.request("POST", "/v1/watches", body=body)
    return str(json.loads(response.raw)["id"])


@contextlib.asynccontextmanager
async def _run_daemon(
    run: DemoRun, environ: Mapping[str, str]
) -> AsyncIterator[tuple[Process, ApiConnection]]:
    """Run `notifier run` for the block, and end it by SIGTERM if it still runs afterwards."""
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
    reader: asyncio.Task[None] | None = None
    try:
        url = await _wait_until_ready(lines)
        reader = asyncio.create_task(_discard(lines))
        run.print_line(f"● daemon ready   {url} (pid {daemon.pid})")
        yield daemon, ApiConnection(parse_address(url))
    finally:
        if daemon.returncode is None:
            daemon.terminate()
        await daemon.wait()
        if reader is not None:
            await reader


async def _wait_until_ready(stdout: asyncio.StreamReader) -> str:
    async for line in stdout:
        event = json.loads(line)
        if event.get("event") == "daemon.ready":
            return str(event["url"])
    raise RuntimeError("the daemon ended before it was ready; its messages are above")


async def _discard(stdout: asyncio.StreamReader) -> None:
    async for _ in stdout:
        pass


def _build_environ(folder: Path, provider_url: str, secret: Secret) -> dict[str, str]:
    """Return the environment of the demo's daemon: no setting of the user, and short poll intervals."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MULEROUTER_"))
    }
    return {
        **environ,
        "HOME": str(folder),
        "NOTIFIER_CONFIG": os.devnull,  # or the daemon would read /etc/notifier/config.toml
        "DEMO_SIGNING_SECRET": secret.reveal(),
        "MULEROUTER_API_KEY": API_KEY,
        "MULEROUTER_BASE_URL": provider_url,
        "NOTIFIER_SERVER__LISTEN": "127.0.0.1:0",
        "NOTIFIER_STORE__URL": str(folder / "notifier.db"),
        "NOTIFIER_CALLBACKS__SECRETS": '[{ env = "DEMO_SIGNING_SECRET" }]',
        "NOTIFIER_POLLING__FIRST_AFTER": "500ms",
        "NOTIFIER_POLLING__MIN_INTERVAL": "500ms",
        "NOTIFIER_LOG__FORMAT": "json",
    }
