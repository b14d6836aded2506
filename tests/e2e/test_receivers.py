"""Receivers that talk back to the daemon, and operators who change it, with the real command."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from notifier.core.formats.json_text import decode_strict
from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.e2e

CHAIN = 30


class Chain:
    """A receiver that registers the next task, and the ended one again, before it answers."""

    def __init__(self, daemon: DaemonProcess, upstream: SimulatedProvider) -> None:
        self.url = ""
        self.told: list[str] = []
        self.attempts: set[str] = set()
        self.again: list[str] = []
        self.is_over = asyncio.Event()
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])
        self._daemon = daemon
        self._upstream = upstream

    async def begin_next(self) -> None:
        task = self._upstream.add(API_PATH, TaskScript(duration_s=0.0))
        await self._daemon.register(task.task_id, self.url)

    async def _take(self, request: Request) -> Response:
        event = decode_strict(await request.body())
        assert isinstance(event, dict)
        task_id = event["data"]["task_id"]
        self.told.append(task_id)
        self.attempts.add(request.headers["notifier-attempt"])
        self.again.append((await self._daemon.register(task_id, self.url))["state"])
        if len(self.told) < CHAIN:
            await self.begin_next()
        else:
            self.is_over.set()
        return Response(status_code=204)


@contextlib.asynccontextmanager
async def running(daemon: DaemonProcess) -> AsyncIterator[DaemonProcess]:
    """It runs for as long as the block, however that ends, and ends well."""
    await daemon.start()
    try:
        async with asyncio.timeout(60):
            yield daemon
    finally:
        status = await daemon.end()
    assert status == 0


@pytest.mark.fault(79)
async def test_a_receiver_may_register_from_within_its_handler(tmp_path: Path) -> None:
    """Thirty in a row, with room for one callback at a time: none waits for another, each is told once."""
    upstream = SimulatedProvider(key=KEY)
    async with serve(upstream) as upstream_url:
        daemon = DaemonProcess(
            tmp_path,
            upstream_url=upstream_url,
            callbacks__max_in_flight="1",
            polling__first_after="50ms",
        )
        chain = Chain(daemon, upstream)
        async with serve(chain.app) as receiver_url, running(daemon):
            chain.url = f"{receiver_url}/hook"
            await chain.begin_next()
            await chain.is_over.wait()
    assert len(set(chain.told)) == len(chain.told) == CHAIN
    assert chain.attempts == {"1"}
    assert set(chain.again) == {"completed"}


@pytest.mark.fault(81)
async def test_a_secret_rotated_while_a_callback_is_retried_signs_beside_the_old_one(tmp_path: Path) -> None:
    """`notifier secret rotate` and SIGHUP between two attempts: the second verifies by either."""
    upstream, ledger = SimulatedProvider(key=KEY), Ledger(answers=[503])
    ledger.hold = hold = asyncio.Event()
    async with (
        serve(upstream) as upstream_url,
        serve(ledger.app) as receiver_url,
        running(DaemonProcess(tmp_path, upstream_url=upstream_url)) as daemon,
    ):
        ledger.secret = old = daemon.secret
        task = upstream.add(API_PATH, TaskScript(duration_s=0.1))
        await daemon.register(task.task_id, f"{receiver_url}/hook")
        await ledger.changed.wait()
        new = await asyncio.to_thread(rotated, daemon)
        daemon.signal(signal.SIGHUP)
        await daemon.until("config.reloaded")
        hold.set()
        await ledger.until(1)
    ((first, second),) = ledger.headers.values()
    ((body, _),) = ledger.bodies.values()
    assert [each["webhook-signature"].count("v1,") for each in (first, second)] == [1, 2]
    for secret in (old, new):
        Webhook(secret).verify(body, second)


def rotated(daemon: DaemonProcess) -> str:
    """Rotate as an operator does; returns the new secret."""
    done = subprocess.run(
        [sys.executable, "-m", "notifier", "secret", "rotate"],
        env=daemon._environ, cwd=daemon.folder, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout.strip()
