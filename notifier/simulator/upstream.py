"""Simulate the MuleRouter API as an ASGI application.

``GET {api_path}/{task_id}`` and ``POST {api_path}`` are those of the provider. Words in the ``prompt`` of a
submission choose the outcome of its task (``script.PROMPTS``). Paths under ``/_sim/`` control the simulation
from another process:

    POST /_sim/tasks   {"api_path": …, "task_id": …, "script": {…}}, or an array of them: create tasks
    GET  /_sim/tasks   the tasks, when each ends, how often and when it was polled
    POST /_sim/script  {…}: the default script of tasks created by the POST of the provider
    POST /_sim/faults  [{"status": 503, …}, …]: the replies to the next polls of any task
    POST /_sim/reset   remove tasks, counts and failures

Bodies are made with their task, so that a poll is cheap and benchmarks measure the poller.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from notifier.simulator.script import (
    FixedReply,
    PreparedReply,
    TaskScript,
    make_fixed_reply,
    make_json_reply,
    make_missing_reply,
    make_problem,
    make_stages,
    parse_prompt,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CONTROL = "/_sim/"
MAX_POLL_INSTANTS = 1_000  # bounds the memory of a task; no record of why; changing it needs a measurement


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to create. Without a task_id the simulator chooses one."""

    api_path: str
    task_id: str | None = None
    script: TaskScript = field(default_factory=TaskScript)


@dataclass(slots=True)
class SimulatedTask:
    """One simulated task. Instants are epoch milliseconds; ``started_s`` is a second of the clock."""

    api_path: str
    task_id: str
    script: TaskScript
    created_at: int
    started_s: float
    stages: tuple[tuple[float, PreparedReply], ...]
    first: deque[PreparedReply]
    polls: int = 0
    polled_at: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_POLL_INSTANTS))

    def reply_at(self, now: float) -> PreparedReply:
        """Return the reply to a poll at this second of the clock."""
        if self.first:
            return self.first.popleft()
        age = now - self.started_s
        return next(reply for after_s, reply in reversed(self.stages) if age >= after_s or after_s == 0.0)

    def describe(self) -> dict[str, Any]:
        """Return the JSON of the task for the control paths."""
        ends = self.script.outcome != "never"
        return {
            "api_path": self.api_path,
            "task_id": self.task_id,
            "outcome": self.script.outcome,
            "created_at": self.created_at,
            "ends_at": self.created_at + round(self.script.duration_s * 1_000) if ends else None,
            "polls": self.polls,
            "polled_at": list(self.polled_at),
        }


class SimulatedProvider:
    """The application. It accepts ``key`` alone; None accepts any bearer token.

    ``monotonic`` returns seconds; ``epoch_ms`` is the wall time at creation (None: the system's). There is no
    other source of time, so tests can stop the tasks by stopping the clock.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        script: TaskScript | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        epoch_ms: int | None = None,
        make_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.script = script or TaskScript()
        self.polls = self.refused = self.unknown = 0
        self._bearer = None if key is None else f"Bearer {key}".encode()
        self._monotonic = monotonic
        self._origin = monotonic()
        self._epoch_ms = time.time_ns() // 1_000_000 if epoch_ms is None else epoch_ms
        self._make_id = make_id
        self._tasks: dict[str, SimulatedTask] = {}
        self._failures: deque[PreparedReply] = deque()

    # -- in the same process

    def add(
        self, api_path: str, script: TaskScript | None = None, task_id: str | None = None
    ) -> SimulatedTask:
        """Create a task as if it had just been submitted."""
        script = script or self.script
        task_id = task_id or self._make_id()
        started_s = self._monotonic()
        created_at = self._wall(started_s)
        stages = make_stages(script, task_id, created_at)
        first = deque(map(make_fixed_reply, script.first))
        task = SimulatedTask(api_path, task_id, script, created_at, started_s, stages, first)
        self._tasks[f"{api_path}/{task_id}"] = task
        return task

    def fail_next(self, replies: Iterable[FixedReply]) -> None:
        """Use these replies for the next polls of any task."""
        self._failures.extend(map(make_fixed_reply, replies))

    def recover(self) -> None:
        """Remove the replies that ``fail_next`` added and no poll has received."""
        self._failures.clear()

    def reset(self) -> None:
        """Remove all tasks, counts and failures."""
        self._tasks.clear()
        self._failures.clear()
        self.polls = self.refused = self.unknown = 0

    def describe(self) -> dict[str, Any]:
        """Return the JSON of ``GET /_sim/tasks``."""
        return {
            "tasks": [task.describe() for task in self._tasks.values()],
            "polls": self.polls,
            "refused": self.refused,
            "unknown": self.unknown,
        }

    # -- over HTTP

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path.startswith(CONTROL):
            reply = self._control(method, path.removeprefix(CONTROL), await read_body(receive))
        elif not self._is_authorized(scope["headers"]):
            self.refused += 1
            reply = make_problem(401, "Unauthorized", path)
        elif method == "GET":
            reply = self._reply_to_poll(path)
        elif method == "POST":
            reply = self._create_task(path, await read_body(receive))
        else:
            reply = make_problem(405, "Method Not Allowed", path)
        if reply.after_s:
            await asyncio.sleep(reply.after_s)
        await send(reply.head)
        await send(reply.body)

    def _is_authorized(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        value = next((value for name, value in headers if name == b"authorization"), b"")
        return value.startswith(b"Bearer ") if self._bearer is None else value == self._bearer

    def _reply_to_poll(self, path: str) -> PreparedReply:
        now = self._monotonic()
        self.polls += 1
        task = self._tasks.get(path)
        if task is not None:
            task.polls += 1
            task.polled_at.append(self._wall(now))
        if self._failures:
            return self._failures.popleft()
        if task is None:
            self.unknown += 1
            return make_missing_reply()
        return task.reply_at(now)

    def _create_task(self, path: str, body: bytes) -> PreparedReply:
        try:
            submission = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return make_problem(400, "Bad Request", path)
        script = parse_prompt(submission.get("prompt"), self.script)
        return PreparedReply(202, self.add(path, script).stages[0][1].content)

    def _control(self, method: str, name: str, body: bytes) -> PreparedReply:
        try:
            match method, name:
                case "GET", "tasks":
                    return make_json_reply(200, self.describe())
                case "POST", "tasks":
                    created = [
                        self.add(new.api_path, new.script, new.task_id).describe()
                        for new in _parse_tasks(body)
                    ]
                    return make_json_reply(201, {"tasks": created})
                case "POST", "script":
                    self.script = msgspec.json.decode(body, type=TaskScript)
                case "POST", "faults":
                    self.fail_next(msgspec.json.decode(body, type=list[FixedReply]))
                case "POST", "reset":
                    self.reset()
                case _:
                    return make_missing_reply()
        except msgspec.MsgspecError as error:
            return make_json_reply(422, {"status": 422, "title": "Not a script", "detail": str(error)})
        return make_json_reply(200, {})

    def _wall(self, now: float) -> int:
        return self._epoch_ms + round((now - self._origin) * 1_000)


def _parse_tasks(body: bytes) -> list[NewTask]:
    if body.lstrip().startswith(b"["):
        return msgspec.json.decode(body, type=list[NewTask])
    return [msgspec.json.decode(body, type=NewTask)]


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
