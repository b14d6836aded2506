"""The promise, with the real command: killed at random, every outcome arrives, and repeats are repeats."""

import asyncio
import random
import sqlite3
from pathlib import Path

import pytest

from notifier.simulator.script import Script
from notifier.simulator.serving import serve
from notifier.simulator.upstream import Upstream
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

WATCHES = 200
KILLS = 3
OUTCOMES = {"completed": "task.completed", "failed": "task.failed", "cancelled": "task.cancelled"}


async def test_every_outcome_arrives_across_three_random_kills(tmp_path: Path) -> None:
    """200 watches, three `kill -9`: each task is told of, rightly; a repeat has the same id and bytes."""
    chance = random.Random()
    ledger, upstream = Ledger(), Upstream(key=KEY)
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(tmp_path, upstream_url=upstream_url)
        await daemon.start()
        ledger.secret = daemon.secret
        expected: dict[str, str] = {}
        for _ in range(WATCHES):
            outcome = chance.choice(list(OUTCOMES))
            script = Script(duration_s=chance.uniform(0.2, 6.0), outcome=outcome)  # type: ignore[arg-type]
            task = upstream.add(API_PATH, script)
            expected[task.task_id] = OUTCOMES[outcome]
            await daemon.register(task.task_id, f"{receiver_url}/hook")
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            await daemon.kill()
            await daemon.start()
        await ledger.until(WATCHES)
        assert await daemon.end() == 0
    assert ledger.outcomes == expected
    assert len(ledger.bodies) == WATCHES, "one event a task"
    for bodies in ledger.bodies.values():
        assert len(set(bodies)) == 1
    _the_file_is_sound(daemon.database)
    _the_key_is_nowhere(daemon)


async def test_a_kill_between_send_and_record_repeats_the_same_message_marked(tmp_path: Path) -> None:
    """The receiver has it, we do not know: it comes again, the same bytes, saying that it may be a repeat."""
    upstream, ledger = Upstream(key=KEY), Ledger()
    ledger.hold = hold = asyncio.Event()
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(tmp_path, upstream_url=upstream_url)
        await daemon.start()
        ledger.secret = daemon.secret
        task = upstream.add(API_PATH, Script(duration_s=0.1))
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


def _the_file_is_sound(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def _the_key_is_nowhere(daemon: DaemonProcess) -> None:
    assert KEY not in str(daemon.lines)
    for file in daemon.folder.iterdir():
        assert KEY.encode() not in file.read_bytes(), file.name
