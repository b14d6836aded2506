"""The job that every peer does: poll a task four times a second until it has ended, then call back."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

INTERVAL_S = 0.25
TIMEOUT_S = 15.0
_ENDED = {"completed", "failed", "cancelled"}


class Provider:
    """How the provider is asked. ``upstream`` is the URL under which a task's id completes the path."""

    def __init__(self, upstream: str, key: str) -> None:
        self._upstream = upstream
        self.headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    def url(self, task_id: str) -> str:
        """Where a task is asked for."""
        return f"{self._upstream}/{task_id}"


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


def registered() -> Iterator[tuple[str, str]]:
    """Give the tasks that come, each as its id and the URL to call back."""
    for line in sys.stdin:
        task_id, hook = line.split()
        yield task_id, hook


async def each_registered(take: Callable[[str, str], Awaitable[None]]) -> None:
    """Hand over the tasks as they come, on the loop that runs; returns when no more will."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    say_ready()
    while line := await reader.readline():
        task_id, hook = line.decode().split()
        await take(task_id, hook)
