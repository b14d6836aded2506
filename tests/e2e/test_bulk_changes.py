"""A stop of all watches that match survives `kill -9`, with the real command."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.e2e.daemon import API_PATH, DaemonProcess

pytestmark = pytest.mark.e2e

NOBODY = "http://127.0.0.1:9"
COUNT = 350  # several steps of 100


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path, upstream_url=NOBODY)
    await daemon.start()
    yield daemon
    await daemon.end()


async def post(daemon: DaemonProcess, path: str, body: object) -> dict[str, object]:
    async with httpx.AsyncClient(trust_env=False, timeout=20, base_url=daemon.url) as client:
        reply = await client.post(path, json=body)
    assert reply.status_code in (200, 202), reply.text
    answer: dict[str, object] = reply.json()
    return answer


def count_live(daemon: DaemonProcess) -> int:
    with closing(sqlite3.connect(daemon.database)) as connection:
        rows = connection.execute("SELECT n FROM tallies WHERE kind = 'watch' AND state = 'watching'")
        return int(rows.fetchone()[0])


async def until_live(daemon: DaemonProcess, is_reached: Callable[[int], bool]) -> None:
    """Wait until so many watches are live."""
    while not is_reached(count_live(daemon)):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(("action", "left"), [("stop", 0), ("resume", COUNT)])
async def test_a_bulk_change_goes_on_where_a_kill_ended_it(
    daemon: DaemonProcess, action: str, left: int
) -> None:
    """All that was counted is changed in the end, by the next daemon."""
    entries = [
        {"api_path": API_PATH, "task_id": f"task-{n}", "callback_url": f"{NOBODY}/hook"} for n in range(COUNT)
    ]
    await post(daemon, "/v1/watches/batch", {"watches": entries})
    if action == "resume":
        await post(daemon, "/v1/watches/stop", {"api_path": API_PATH})
        await until_live(daemon, lambda live: live == 0)
        await daemon.until("watch_change.ended")
    before = count_live(daemon)
    assert await post(daemon, f"/v1/watches/{action}", {"api_path": API_PATH}) == {"matched": COUNT}
    await until_live(daemon, lambda live: live != before)
    await daemon.kill()
    assert 0 < count_live(daemon) < COUNT
    await daemon.start()
    await until_live(daemon, lambda live: live == left)
