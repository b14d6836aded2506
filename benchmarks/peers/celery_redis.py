"""Celery with Redis, which counts as its own: a task that puts itself back, in eight processes."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
from celery import Celery
from celery.signals import worker_process_init, worker_ready

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

PROCESSES = 8
SOCKET = Path("redis.sock").resolve()
provider = Provider(*sys.argv[1:3])
app = Celery("peer", broker=f"redis+socket://{SOCKET}")
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_redirect_stdouts=False)
clients: list[httpx.Client] = []


@worker_process_init.connect
def open_client(**_: Any) -> None:
    """A client for each process: none may be shared over a fork."""
    clients[:] = [httpx.Client(timeout=TIMEOUT_S)]


@app.task
def poll(task_id: str, hook: str) -> None:
    """Poll once, and come back unless the task has ended."""
    try:
        answer = clients[0].get(provider.url(task_id), headers=provider.headers).json()
        if has_ended(answer):
            clients[0].post(hook, json=event_of(task_id, answer))
            return
    except httpx.HTTPError:
        pass
    poll.apply_async((task_id, hook), countdown=INTERVAL_S)


@app.task
def mark(count: int) -> None:
    """Tell that so many wait: the worker has had what was sent before this one."""
    say_taken(count)


def take_all() -> None:
    """Schedule what comes until stdin ends."""
    say_ready()
    for task in registered(sys.stdin, mark.delay):
        poll.apply_async((task.task_id, task.hook), countdown=task.first_after_s)
    end()


@worker_ready.connect
def begin(**_: Any) -> None:
    """Take tasks once the processes are there."""
    threading.Thread(target=take_all, daemon=True).start()


def main() -> None:
    """Work until told to end, and Redis with us."""
    redis = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(SOCKET), "--save", "", "--appendonly", "yes"],
        stdout=subprocess.DEVNULL,
    )
    try:
        options = ["--pool=prefork", f"--concurrency={PROCESSES}", "--loglevel=ERROR"]
        app.worker_main(
            ["--quiet", "worker", *options, "--without-gossip", "--without-mingle", "--without-heartbeat"]
        )
    finally:
        redis.terminate()
        redis.wait()


if __name__ == "__main__":
    main()
