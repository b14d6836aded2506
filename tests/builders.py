"""Nouns with nothing special about them: a test names only what it is about."""

from typing import Any

from notifier.core.causes.cause import DAEMON, Cause, Subject
from notifier.core.causes.table import Code
from notifier.core.delivery.endpoint import MAX_PRIVATE_PROBE_MS, AttemptFailed, FailureScope
from notifier.core.model import Attempt, Callback, Event, EventType, NewWatch, TaskError, Watch, WatchState
from notifier.core.polling.decision import EndWatch, PollAgain
from notifier.core.states import state_to_event
from notifier.store.values import Lease
from tests.fakes import NOON

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

PROVIDER = "mulerouter"
API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
HOOK = "http://127.0.0.1:9001/hook"
OUTPUT = "https://cdn.example/1.jpg"


def answered(status: int) -> Cause:
    """A receiver answered with this status."""
    return Cause(Code.RECEIVER_HTTP_STATUS, {"status": status})


REFUSED = AttemptFailed(FailureScope.EVENT, answered(422), None, MAX_PRIVATE_PROBE_MS)
DOWN = AttemptFailed(FailureScope.ENDPOINT, answered(503), None, MAX_PRIVATE_PROBE_MS)
THROTTLED = Cause(Code.PROVIDER_THROTTLED)
DISK_FULL = Cause(Code.DISK_FULL, {"file": "/x/notifier.db"})
SERVER_ERROR = Cause(Code.PROVIDER_SERVER_ERROR, {"status": 503})
KEY_REFUSED = Cause(Code.PROVIDER_KEY_REFUSED)
ODD_STATUS = Cause(Code.PROVIDER_STATUS_UNKNOWN, {"word": "dreaming"})


def new_watch(task_id: str = "task-1", **over: Any) -> NewWatch:
    """A registration at NOON, due at once, with one callback."""
    fields: dict[str, Any] = {
        "provider": PROVIDER,
        "api_path": API_PATH,
        "callbacks": (Callback(HOOK),),
        "metadata": "{}",
        "registered_at": NOON,
        "first_poll_at": NOON,
        "expires_at": NOON + HOUR,
    }
    return NewWatch(task_id=task_id, **{**fields, **over})


def wait(due_at: int = NOON + 2_500, **over: Any) -> PollAgain:
    """The task is running; poll again at ``due_at``."""
    fields: dict[str, Any] = {
        "interval_ms": 2_500,
        "upstream_status": "processing",
        "task_created_at": NOON - 1,
        "trouble": None,
        "missing": None,
    }
    return PollAgain(due_at=due_at, **{**fields, **over})


def end(state: WatchState = WatchState.COMPLETED, **over: Any) -> EndWatch:
    """The task has ended, with one output where it succeeded and a reason where it did not."""
    is_completed = state is WatchState.COMPLETED
    source = "provider" if state in (WatchState.FAILED, WatchState.CANCELLED) else "notifier"
    fields: dict[str, Any] = {
        "upstream_status": state.value,
        "outputs": (OUTPUT,) if is_completed else (),
        "error": None if is_completed else TaskError(source, 3001, "Ended", None),
        "payload": '{"task_info": {}}',
        "result_expires_at": None,
        "task_created_at": NOON - 1,
    }
    return EndWatch(state=state, **{**fields, **over})


def event(watch: Watch, ending: EndWatch | None = None, **over: Any) -> Event:
    """The event that tells of the watch's end."""
    ending = ending or end()
    kind = state_to_event(ending.state)
    fields: dict[str, Any] = {
        "id": f"evt_{watch.id[4:]}_{watch.round}",
        "watch_id": watch.id,
        "round": watch.round,
        "type": kind or EventType.COMPLETED,
        "at": NOON,
        "body": f'{{"id": "evt_{watch.id}", "data": {{"outputs": []}}}}'.encode(),
        "result_expires_at": ending.result_expires_at,
    }
    return Event(**{**fields, **over})


def lease(until: int = NOON + 20 * SECOND, owner: str = "daemon-1") -> Lease:
    """A claim by the one daemon there is."""
    return Lease(owner, until)


def attempt(number: int = 1, **over: Any) -> Attempt:
    """An attempt that was refused with 500."""
    fields: dict[str, Any] = {"at": NOON, "duration_ms": 12, "status": 500, "error": None, "answer": "no"}
    return Attempt(number=number, **{**fields, **over})


def api_cause(cause: Cause, subject: Subject = DAEMON) -> dict[str, str]:
    """The member ``cause`` as the API has it."""
    return {"code": cause.code.value, "fix": cause.fix(subject)}
