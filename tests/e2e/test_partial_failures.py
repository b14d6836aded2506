"""The real daemon and sockets: a path that is broken is held back alone, and the others are told."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from notifier.simulator.script import FixedReply, TaskScript
from notifier.simulator.serving import serve
from notifier.simulator.upstream import SimulatedProvider
from tests.e2e.daemon import API_PATH, KEY, DaemonProcess
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.e2e

BROKEN_PATH = "/vendors/broken/v1/generation"
HEALTHY, BROKEN = 28, 12
REPLIES = {
    "500": FixedReply(500, body='{"title": "no"}'),
    "403": FixedReply(403, body='{"title": "no"}'),
    "timeout": FixedReply(200, body="{}", after_s=60.0),
    "garbage": FixedReply(200, {"content-type": "text/html"}, "<html>oops</html>"),
}


async def read_status(daemon: DaemonProcess) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        status: dict[str, Any] = (await client.get(f"{daemon.url}/v1/status")).json()
        return status


@pytest.mark.fault(114)
@pytest.mark.parametrize("kind", REPLIES)
async def test_a_broken_path_keeps_none_of_another_from_being_told(tmp_path: Path, kind: str) -> None:
    """Three tasks in ten are on it. It says what is wrong, over a restart too, and none of either expires."""
    ledger, upstream = Ledger(), SimulatedProvider(key=KEY)
    async with serve(upstream) as upstream_url, serve(ledger.app) as receiver_url:
        daemon = DaemonProcess(tmp_path, upstream_url=upstream_url, polling__request_timeout="1s")
        await daemon.start()
        ledger.secret = daemon.secret
        script = TaskScript(first=(REPLIES[kind],) * 1_000)
        ill = [upstream.add(BROKEN_PATH, script).task_id for _ in range(BROKEN)]
        for task_id in ill:
            await daemon.register(task_id, f"{receiver_url}/hook", api_path=BROKEN_PATH)
        await daemon.until("path.paused")
        well = [upstream.add(API_PATH, TaskScript(duration_s=0.5)).task_id for _ in range(HEALTHY)]
        for task_id in well:
            await daemon.register(task_id, f"{receiver_url}/hook")
        await ledger.until(HEALTHY)
        assert ledger.outcomes == dict.fromkeys(well, "task.completed")
        for _ in range(2):
            status = await read_status(daemon)
            assert (status["watches"]["watching"], status["watches"]["expired"]) == (BROKEN, 0)
            (path,) = status["paths"]
            assert (path["api_path"], path["blocked"]) == (BROKEN_PATH, True)
            await daemon.kill()
            await daemon.start()
            await daemon.until("daemon.ready")
        await daemon.end()
