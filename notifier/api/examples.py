"""Hold an example of each body, for ``openapi.json``. A test decodes them with the schemas."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from notifier.core.causes.cause import Cause, EndpointSubject
from notifier.core.causes.table import Code
from notifier.core.model import DeliveryState, WatchState

_WATCH_ID = "wch_01KAQ7W3G0ABCDEFGHJKMNPQRS"
_EVENT_ID = "evt_01KAQ7W3G0ABCDEFGHJKMNPQRT"
_DELIVERY_ID = "dlv_01KAQ7W3G0ABCDEFGHJKMNPQRV"
_ENDPOINT_ID = "ep_01KAQ7W3G0ABCDEFGHJKMNPQRW"
_HOOK = "http://127.0.0.1:9001/hook"
NOON = "2026-11-23T12:00:00.000Z"
_TASK = {
    "task_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "api_path": "/vendors/alibaba/v1/qwen-image-edit-max/generation",
    "provider": "mulerouter",
}


def _make_endpoint_cause(cause: Cause) -> Mapping[str, str]:
    return {"code": cause.code, "fix": cause.fix(EndpointSubject(_ENDPOINT_ID, _HOOK))}


LEARNED: Mapping[str, Any] = MappingProxyType(
    {
        "provider": _TASK["provider"],
        "api_path": _TASK["api_path"],
        "finishes": 57,
        "p5_s": 8.4,
        "p50_s": 15.0,
        "p90_s": 23.5,
    }
)
MOMENTS: Sequence[Mapping[str, Any]] = (
    {"at": NOON, "kind": "registered", "text": "mulerouter task 3c90c3cc, 1 callback; watched until 13:00"},
    {"at": NOON, "kind": "poll", "text": "provider answers HTTP 503: kept, next in 12.0 s (by age)"},
    {
        "at": NOON,
        "kind": "attempt",
        "text": "attempt 1 to http://127.0.0.1:9001/hook: HTTP 204, after 8 ms",
        "delivery_id": _DELIVERY_ID,
        "number": 1,
    },
)
REGISTRATION: Mapping[str, Any] = MappingProxyType(
    {
        **_TASK,
        "callback_url": "http://127.0.0.1:9001/hook",
        "metadata": {"order": 42},
        "expire_after": "30m",
    }
)
DELIVERY: Mapping[str, Any] = MappingProxyType(
    {
        "id": _DELIVERY_ID,
        "event_id": _EVENT_ID,
        "watch_id": _WATCH_ID,
        "type": "task.completed",
        "url": "http://127.0.0.1:9001/hook",
        "state": "delivered",
        "attempts": 1,
        "created_at": NOON,
        "next_attempt_at": None,
        "give_up_at": "2026-11-26T12:00:00.000Z",
        "ended_at": NOON,
        "last_error": None,
        "result_expires_at": "2026-11-24T11:59:58.000Z",
        "cause": None,
    }
)
WATCH: Mapping[str, Any] = MappingProxyType(
    {
        "id": _WATCH_ID,
        **_TASK,
        "state": "watching",
        "upstream_status": "processing",
        "metadata": {"order": 42},
        "callbacks": [{"url": "http://127.0.0.1:9001/hook", "events": ["task.completed", "task.failed"]}],
        "registered_at": NOON,
        "last_polled_at": "2026-11-23T12:00:02.500Z",
        "next_poll_at": "2026-11-23T12:00:05.000Z",
        "polls": 1,
        "expires_at": "2026-11-23T12:30:00.000Z",
        "trouble": None,
        "cause": None,
        "ended_at": None,
        "outputs": [],
        "result_expires_at": None,
        "payload": None,
        "payload_note": None,
        "error": None,
        "deliveries": [],
    }
)
ATTEMPT = {
    "number": 1,
    "at": NOON,
    "duration_ms": 12,
    "status": 204,
    "error": None,
    "answer": None,
    "fault": None,
    "peer": "127.0.0.1:9001",
    "connect_ms": 1,
    "first_byte_ms": 12,
}
ENDPOINT: Mapping[str, Any] = MappingProxyType(
    {
        "id": _ENDPOINT_ID,
        "url": _HOOK,
        "state": "closed",
        "gate": "closed: HTTP 503",
        "cause": _make_endpoint_cause(Cause(Code.RECEIVER_HTTP_STATUS, {"status": 503})),
        "since": NOON,
        "next_probe_at": "2026-11-23T12:00:05.000Z",
        "pending": 7,
        "delivered": 1200,
        "dead": 0,
        "oldest_pending_at": "2026-11-23T11:59:58.000Z",
    }
)
REFUSED = {
    "type": "urn:notifier:problem:validation_failed",
    "title": "Request has errors",
    "status": 422,
    "detail": "/taskid: unknown field; did you mean task_id?",
    "code": "validation_failed",
    "errors": [{"pointer": "/taskid", "detail": "unknown field; did you mean task_id?"}],
}
PLOTS: Mapping[str, Any] = MappingProxyType(
    {
        "durations": {
            "title": "Task duration",
            "said": "half of qwen-image-edit-max within 15.0 s",
            "about": "How long tasks took, by api_path …",
            "ranges": [
                {
                    "label": "qwen-image-edit-max",
                    "api_path": _TASK["api_path"],
                    "count": 57,
                    "low_s": 8.4,
                    "middle_s": 15.0,
                    "high_s": 23.5,
                }
            ],
        },
        "notice": {
            "title": "Notice delay",
            "said": "half within 1.2 s, nine of ten within 2.8 s",
            "about": "The time from the end of a task by its provider …",
            "of": "tasks",
            "count": 57,
            "bars": [{"label": "0.5 s", "count": 11}, {"label": "1 s", "count": 46}],
        },
        "polls": {
            "title": "Polls per task",
            "said": "half with 3 or fewer; 48 % fewer than every 2.5 s",
            "about": "The polls per task …",
            "of": "tasks",
            "count": 57,
            "bars": [{"label": "3", "count": 40}, {"label": "more", "count": 17}],
        },
        "callbacks": {
            "title": "Callback latency",
            "said": "no callback has been delivered yet",
            "about": "The time from the outcome to the first 2xx of the receiver …",
            "of": "callbacks",
            "count": 0,
            "bars": [],
        },
        "polls_saved": 0.48,
    }
)
PENDING_DELIVERY = {**DELIVERY, "state": "pending", "next_attempt_at": NOON, "ended_at": None}
DEAD_DELIVERY = {**DELIVERY, "state": "dead", "last_error": "given up by a user"}
DELIVERY_WITH_ATTEMPT = {**DELIVERY, "attempts": [ATTEMPT]}
DELIVERIES = {"deliveries": [DELIVERY], "next_cursor": None}
WATCH_WITH_DELIVERY = {**WATCH, "deliveries": [DELIVERY]}
STOPPED_WATCH = {**WATCH, "state": "stopped", "next_poll_at": None, "ended_at": NOON}
WATCHES = {"watches": [WATCH], "next_cursor": None}
BATCH_RESULTS = {"results": [{"status": 201, "watch": WATCH}, {"status": 422, "problem": REFUSED}]}
REPLAY = {"since": NOON, "state": "dead", "dry_run": True}
STOP_MANY = {"provider": "mulerouter", "api_path": _TASK["api_path"]}
RESUME_MANY = {"since": NOON, "state": "lost", "expire_after": "2h", "dry_run": True}
_NO_PROBE = {"since": None, "next_probe_at": None}
PAUSED_ENDPOINT = {
    **ENDPOINT,
    **_NO_PROBE,
    "state": "paused",
    "gate": "paused by a user",
    "cause": _make_endpoint_cause(Cause(Code.ENDPOINT_PAUSED)),
}
RESUMED_ENDPOINT = {**ENDPOINT, **_NO_PROBE, "state": "open", "gate": "open, starting slowly", "cause": None}
ENDPOINTS = {"endpoints": [ENDPOINT], "next_cursor": None}
STATUS: Mapping[str, Any] = MappingProxyType(
    {
        "version": "0.1.0",
        "summary": "All is well: 1 task is being watched, no delivery waits.",
        "ok": True,
        "trouble": None,
        "cause": None,
        "watches": {**dict.fromkeys((state.value for state in WatchState), 0), "watching": 1},
        "deliveries": dict.fromkeys((state.value for state in DeliveryState), 0),
        "oldest_pending_at": None,
        "expiring_results": 0,
        "troubled_watches": 0,
        "refused_deliveries": 0,
        "providers": {"mulerouter": "ok"},
        "provider_causes": {},
        "paths": [],
        "more_paths": 0,
        "learned": [LEARNED],
    }
)
METRICS = 'notifier_watches{state="lost"} 0.0\n'
EVENTS = """\
`event: watch` and `event: delivery` carry in `data` a watch or delivery as GET /v1/watches and
GET /v1/deliveries list it, in its present state. Changes in quick succession are merged into one event.
A watch is sent when it is new, has ended, was resumed or stopped, is polled earlier, or when its trouble or
its status by the provider changes. A watch that was only polled is sent at most once a second (up to 300
such watches).
A delivery is sent when it is created, attempted, delivered, dead or to be sent again.
`event: reset` means: read the lists again. The Last-Event-ID is too old or of another run of the daemon, or
too much changed at once (a replay, a provider held back, a large batch, old rows deleted). Two resets are at
least 5 s apart.
The first `id:` is sent at once, without an event. After 15 s without an event a comment is sent. At most 32
clients can subscribe; one that reads too slowly is disconnected. All ids become too old one minute after the
last client has disconnected, and when the daemon starts."""
STREAM = """\
retry: 2000
id: 5f0c1e9a7b42-0

id: 5f0c1e9a7b42-1
event: watch
data: {"id": "wch_01KAQ7W3G0ABCDEFGHJKMNPQRS", "state": "watching", "polls": 4, "…": "…"}

"""
