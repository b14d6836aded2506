"""APScheduler with its SQLAlchemyJobStore on SQLite: one interval job for each task, on the loop."""

import asyncio
import logging
import sys
from datetime import UTC, datetime, timedelta

import httpx
from apscheduler.jobstores.base import JobLookupError
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from benchmarks.peers.job import INTERVAL_S, TIMEOUT_S, Provider, Task, each_registered, event_of, has_ended

FILE = "apscheduler.sqlite"
# A job in a store is named by where its function stands; what it needs stands beside it.
provider = Provider(*sys.argv[1:3])
client = httpx.AsyncClient(timeout=TIMEOUT_S)
scheduler = AsyncIOScheduler(
    jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{FILE}")},
    job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
)


async def poll(task_id: str, hook: str) -> None:
    """Poll once; the job goes with the end of the task."""
    try:
        answer = (await client.get(provider.url(task_id), headers=provider.headers)).json()
        if has_ended(answer):
            await client.post(hook, json=event_of(task_id, answer))
            scheduler.remove_job(task_id)
    except (httpx.HTTPError, JobLookupError):
        return


async def take(task: Task) -> None:
    """Add its job."""
    scheduler.add_job(
        poll,
        "interval",
        seconds=INTERVAL_S,
        args=[task.task_id, task.hook],
        id=task.task_id,
        next_run_time=datetime.now(UTC) + timedelta(seconds=task.first_after_s),
    )


async def main() -> None:
    """Watch what comes until stdin ends."""
    logging.disable(logging.WARNING)  # it says for each poll that it skips that it does
    scheduler.start()
    await each_registered(take)


if __name__ == "__main__":
    asyncio.run(main())
