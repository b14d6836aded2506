"""The job that every peer does: poll a task four times a second until it has ended, then call back."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

INTERVAL_S = 0.25
TIMEOUT_S = 15.0
MARK = "mark"
_ENDED = {"completed", "failed", "cancelled"}


class Provider:
    """How the provider is asked. ``upstream`` is the URL under which a task's id completes the path."""

    def __init__(self, upstream: str, key: str) -> None:
        self._upstream = upstream
        self.headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    def url(self, task_id: str) -> str:
        """Where a task is asked for."""
        return f"{self._upstream}/{task_id}"


@dataclass(frozen=True, slots=True)
class Task:
    """What to watch: its id, the URL to call back, and in how many seconds to poll it first."""

    task_id: str
    hook: str
    first_after_s: float = INTERVAL_S


def has_ended(answer: Any) -> bool:
    """Whether the provider's answer is of a task that has ended."""
    return answer["task_info"]["status"] in _ENDED


def event_of(task_id: str, answer: Any) -> dict[str, Any]:
    """Return what is posted: which task, when its end was noticed, and the answer."""
    noticed_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": f"evt_{task_id}", "data": {"task_id": task_id, "ended_at": noticed_at, "answer": answer}}


def say_ready() -> None:
    """Tell the benchmark that tasks may come."""
    print(json.dumps({"url": "stdin"}), flush=True)


def say_taken(count: int) -> None:
    """Tell the benchmark that so many tasks have been taken in since the start."""
    print(json.dumps({"taken": count}), flush=True)


def read(line: str) -> Task | None:
    """Return the task of a line, ``id hook`` or ``id hook seconds``; None when the line is a mark."""
    if line.strip() == MARK:
        return None
    task_id, hook, *first_after_s = line.split()
    return Task(task_id, hook, *map(float, first_after_s))


def registered(lines: Iterable[str], mark: Callable[[int], object]) -> Iterator[Task]:
    """Give the tasks that come. At a mark, ``mark`` is called with how many were dealt with."""
    count = 0
    for line in lines:
        task = read(line)
        if task is None:
            mark(count)
        else:
            yield task
            count += 1


async def have_begun(count: int) -> None:
    """Tell that so many have been taken in, once the coroutines that were started for them have begun."""
    await asyncio.sleep(0)
    say_taken(count)


async def each_registered(
    take: Callable[[Task], Awaitable[object]], mark: Callable[[int], Awaitable[object]] = have_begun
) -> None:
    """Hand over the tasks as they come on stdin, on the loop that runs; returns when stdin ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    say_ready()
    count = 0
    while line := await reader.readline():
        task = read(line.decode())
        if task is None:
            await mark(count)
        else:
            await take(task)
            count += 1


def end() -> None:
    """End this process as whoever runs it would: stdin has ended, and so has the benchmark."""
    os.kill(os.getpid(), signal.SIGTERM)
