"""DBOS on SQLite: a durable workflow for each task, whose polls are steps."""

import asyncio
import sys
from typing import Any

import httpx
from dbos import DBOS

from benchmarks.peers.job import (
    INTERVAL_S,
    TIMEOUT_S,
    Provider,
    Task,
    each_registered,
    event_of,
    has_ended,
    say_taken,
)

provider = Provider(*sys.argv[1:3])
client = httpx.AsyncClient(timeout=TIMEOUT_S)


@DBOS.step()
async def ask(task_id: str) -> Any:
    """Poll once."""
    try:
        return (await client.get(provider.url(task_id), headers=provider.headers)).json()
    except httpx.HTTPError:
        return None


@DBOS.step()
async def call_back(task_id: str, hook: str, answer: Any) -> None:
    """Tell of the end."""
    await client.post(hook, json=event_of(task_id, answer))


@DBOS.workflow()
async def watch(task_id: str, hook: str, first_after_s: float) -> None:
    """Poll until it has ended."""
    await DBOS.sleep_async(first_after_s)
    while True:
        answer = await ask(task_id)
        if answer is not None and has_ended(answer):
            await call_back(task_id, hook, answer)
            return
        await DBOS.sleep_async(INTERVAL_S)


@DBOS.workflow()
async def mark(count: int) -> None:
    """Tell that so many sleep: the sleeps before this one have been written down."""
    await DBOS.sleep_async(INTERVAL_S)
    say_taken(count)


async def ask_back(count: int) -> None:
    """Start the workflow that tells."""
    await DBOS.start_workflow_async(mark, count)


async def take(task: Task) -> None:
    """Start its workflow."""
    await DBOS.start_workflow_async(watch, task.task_id, task.hook, task.first_after_s)


async def main() -> None:
    """Watch what comes until stdin ends."""
    DBOS(
        config={
            "name": "peer",
            "system_database_url": "sqlite:///dbos.sqlite",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    await each_registered(take, ask_back)


if __name__ == "__main__":
    asyncio.run(main())
