"""Define the calls of the client as steps, without I/O.

A call is a generator. It yields a ``RequestStep`` and receives the reply, or the error is thrown into it. It
yields a ``PauseStep`` and is resumed after the pause. It returns the result. The blocking and the asyncio
client therefore share every rule and differ only in how they perform a step.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from notifier.client.errors import Unavailable, Unreachable
from notifier.client.model import Callback, Page, Watch
from notifier.client.transport import CALL_TIMEOUT_S, ApiReply
from notifier.core.formats.times import MIN_DURATION_MS, parse_duration
from notifier.errors import NotifierError

RETRY_PAUSES_S = (0.1, 0.4, 1.5)  # a restarted daemon is ready within 2 s
# Waiting for an end, by the client and by the command ``wait``:
LONG_POLL_S = 30.0  # one request; CONTRACT, HTTP: the daemon holds a response for at most 60 s
LONG_POLL_GRACE_S = 15.0  # beyond the hold; no record of why; changing it needs a measurement
MIN_LONG_POLL_S = MIN_DURATION_MS / 1_000
# Between two requests to a daemon, or a proxy, that does not hold its response. No record of why this long.
REPEAT_PAUSE_S = 0.5
RECONNECT_LIMIT_S = 30.0  # a restart takes seconds and loses nothing; no record of why this long
PAGE_SIZE = 500  # CONTRACT, HTTP: limit <= 500

Duration = str | float | timedelta
"""``"30m"`` or ``"1h30m"``, a number of seconds, or a timedelta."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RequestStep:
    """One request; ``timeout_s`` limits the whole exchange."""

    method: str
    path: str
    query: Mapping[str, object] | None = None
    body: object = None
    timeout_s: float = CALL_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class PauseStep:
    """A pause before the next step."""

    seconds: float


Steps = Generator[RequestStep | PauseStep, Any, T]


class StillWatching(NotifierError):
    """The time of ``wait`` ran out before the watch ended. Polling continues; ``watch`` is its state."""

    code = "still_watching"
    exit_status = 2

    def __init__(self, watch: Watch) -> None:
        super().__init__(f"{watch.id} has not ended yet", "wait again, or leave it to the callback")
        self.watch = watch


def register(
    api_path: str | None,
    task_id: str | None,
    reply: Mapping[str, Any] | None,
    callback: str | Callback | Sequence[str | Callback],
    provider: str | None,
    metadata: Mapping[str, Any] | None,
    expire_after: Duration | None,
) -> Steps[Watch]:
    """Register a task and its callbacks. Raise TypeError without ids and without a reply."""
    if (task_id is None) == (reply is None):
        raise TypeError("give api_path and task_id, or reply: what the provider replied to the submission")
    callbacks = [callback] if isinstance(callback, str | Callback) else callback
    body: dict[str, object] = {
        "api_path": api_path,
        "task_id": task_id,
        "reply": None if reply is None else dict(reply),
        "callbacks": [Callback(each) if isinstance(each, str) else each for each in callbacks],
        "provider": provider,
        "metadata": None if metadata is None else dict(metadata),
        "expire_after": None if expire_after is None else _seconds(expire_after),
    }
    body = {name: value for name, value in body.items() if value is not None}
    answer = yield from _request_with_retries(RequestStep("POST", "/v1/watches", body=body))
    return answer.read(Watch)


def get(watch_id: str) -> Steps[Watch]:
    """Request one watch."""
    reply = yield from _request_with_retries(RequestStep("GET", _path(watch_id)))
    return reply.read(Watch)


def stop(watch_id: str) -> Steps[Watch]:
    """End a watch without a callback."""
    reply = yield from _request_with_retries(RequestStep("DELETE", _path(watch_id)))
    return reply.read(Watch)


def page(query: Mapping[str, object], limit: int | None, cursor: str | None) -> Steps[Page]:
    """Request the next page, of at most ``limit`` watches."""
    size = PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)
    reply = yield from _request_with_retries(
        RequestStep("GET", "/v1/watches", {**query, "limit": size, "cursor": cursor})
    )
    return reply.read(Page)


def wait(watch_id: str, max_wait: Duration | None, clock: Callable[[], float]) -> Steps[Watch]:
    """Repeat the request until the watch has ended; ``clock`` returns monotonic seconds."""
    deadline = math.inf if max_wait is None else clock() + _seconds(max_wait, allow_zero=True)
    watch = yield from get(watch_id)  # without a hold, so that a missing daemon or watch is reported at once
    missing_since: float | None = None
    while watch.is_live:
        requested_at = clock()
        if requested_at >= deadline:
            raise StillWatching(watch)
        try:
            reply = yield _long_poll(watch_id, deadline - requested_at)
            watch, missing_since = reply.read(Watch), None
        except (Unreachable, Unavailable):
            # Count from the first failure: the silence of a held response is no absence.
            missing_since = clock() if missing_since is None else missing_since
            if clock() >= missing_since + RECONNECT_LIMIT_S:
                raise
        if watch.is_live and clock() - requested_at < REPEAT_PAUSE_S:
            yield PauseStep(max(0.0, min(REPEAT_PAUSE_S, deadline - clock())))
    return watch


def _long_poll(watch_id: str, left_s: float) -> RequestStep:
    hold_s = min(LONG_POLL_S, left_s)
    query = {"wait": f"{hold_s * 1_000:.0f}ms"} if hold_s >= MIN_LONG_POLL_S else None
    return RequestStep("GET", _path(watch_id), query, timeout_s=hold_s + LONG_POLL_GRACE_S)


def _request_with_retries(step: RequestStep) -> Steps[ApiReply]:
    """Repeat a request whose connection broke: every request of the client is idempotent."""
    for pause_s in RETRY_PAUSES_S:
        try:
            reply: ApiReply = yield step
        except Unreachable as error:
            if not error.is_broken:
                raise
        else:
            return reply
        yield PauseStep(pause_s)
    last_reply: ApiReply = yield step
    return last_reply


def _path(watch_id: str) -> str:
    return f"/v1/watches/{quote(watch_id, safe='')}"


def _seconds(duration: Duration, *, allow_zero: bool = False) -> float:
    """Parse a duration into seconds. Raise InvalidDuration (a ValueError)."""
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    return parse_duration(duration, allow_zero=allow_zero) / 1_000
