"""The promise, with the real command: killed at random, every outcome arrives, and repeats are repeats."""

import asyncio
import random
from pathlib import Path

import pytest

from notifier.simulator.script import TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.kills import besiege
from tests.e2e.ledger import Ledger

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

KILLS = 4
TASKS = 40


@pytest.mark.fault(2, 3, 4, 10)
async def test_every_outcome_arrives_across_random_kills(tmp_path: Path) -> None:
    """Killed while it starts, is asked, polls or sends: each task is told of, rightly, in the same bytes."""
    report = await besiege(tmp_path, KILLS, TASKS, random.Random())
    assert report.tasks >= TASKS


@pytest.mark.fault(3)
async def test_a_kill_between_send_and_record_repeats_the_same_message_marked(tmp_path: Path) -> None:
    """The receiver has it, we do not know: it comes again, the same bytes, saying that it may be a repeat."""
    upstream, ledger = SimulatedProvider(key=KEY), Ledger()
    ledger.hold = hold = asyncio.Event()
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(tmp_path, upstream_url=upstream_url)
        await daemon.start()
        ledger.secret = daemon.secret
        task = upstream.add(API_PATH, TaskScript(duration_s=0.1))
        await daemon.register(task.task_id, f"{receiver_url}/hook")
        await ledger.changed.wait()
        await daemon.kill()
        ledger.hold = None
        hold.set()
        await daemon.start()
        while sum(map(len, ledger.bodies.values())) < 2:
            ledger.changed.clear()
            await ledger.changed.wait()
        await daemon.end()
    ((first, second),) = ledger.bodies.values()
    ((_, headers),) = ledger.headers.values()
    assert first == second
    assert headers["notifier-maybe-duplicate"] == "1"
