"""Huey on SQLite: a task that puts itself back on the schedule, in a consumer with threads."""

import sys
import threading

import httpx
from huey import SqliteHuey

from benchmarks.peers.job import (
    INTERVAL_S,
    TIMEOUT_S,
    Provider,
    end,
    event_of,
    has_ended,
    registered,
    say_ready,
    say_taken,
)

WORKERS = 16
provider = Provider(*sys.argv[1:3])
client = httpx.Client(timeout=TIMEOUT_S)
huey = SqliteHuey("peer", filename="huey.sqlite", results=False)


@huey.task()
def poll(task_id: str, hook: str) -> None:
    """Poll once, and come back unless the task has ended."""
    try:
        answer = client.get(provider.url(task_id), headers=provider.headers).json()
        if has_ended(answer):
            client.post(hook, json=event_of(task_id, answer))
            return
    except httpx.HTTPError:
        pass
    poll.schedule((task_id, hook), delay=INTERVAL_S)


@huey.task()
def mark(count: int) -> None:
    """Tell that so many are on the schedule: what was sent before this one has been taken off the queue."""
    say_taken(count)


def take_all() -> None:
    """Schedule what comes until stdin ends."""
    say_ready()
    for task in registered(sys.stdin, mark):
        poll.schedule((task.task_id, task.hook), delay=task.first_after_s)
    end()


def main() -> None:
    """Consume. Once a second is as often as Huey's scheduler can look."""
    threading.Thread(target=take_all, daemon=True).start()
    huey.create_consumer(
        workers=WORKERS, periodic=False, initial_delay=0.05, backoff=1.0, max_delay=0.1, scheduler_interval=1
    ).run()


if __name__ == "__main__":
    main()
