"""The words of the page, once: the daemon writes them into it, and its scripts get them as a module.

Titles of columns, names of fields, states and fixes are those of the commands; ``tests/cli`` compares them.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from notifier.core.causes.failures import attempt_fix
from notifier.core.causes.table import STATUS_FIXES
from notifier.core.exchange import FailureKind
from notifier.core.model import DeliveryState, WatchState

EXAMPLE_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"

HEADS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "watches": ("Task", "Provider", "State", "Age", "Polls", "Next poll", "Note"),
        "deliveries": ("Event", "URL", "State", "Tries", "Age", "Last answer", "Next try", "Result expires"),
        "endpoints": ("URL", "Gate", "Waiting", "Oldest", "Dead"),
        "providers": ("Name", "Condition"),
        "attempts": ("Try", "At", "Took", "Status", "Error", "Answer"),
        "timeline": ("At", "What", "Why"),
    }
)
ACTIONS = "Actions"
TITLES = MappingProxyType(
    {
        "watches": "Watches",
        "deliveries": "Deliveries",
        "endpoints": "Receivers",
        "plots": "How well it goes",
        "providers": "Providers",
        "results": "Results",
        "attempts": "Attempts",
        "timeline": "Timeline",
        "payload": "The provider's last answer",
        "metadata": "Metadata",
    }
)
FACTS: Mapping[str, Sequence[str]] = MappingProxyType({
    "watch": (
        "state", "trouble", "error", "id", "provider", "api_path", "upstream_status", "registered_at",
        "polls", "last_polled_at", "next_poll_at", "expires_at", "ended_at", "callbacks",
    ),
    "delivery": (
        "state", "held", "last_error", "id", "event_id", "watch_id", "created_at", "next_attempt_at",
        "give_up_at", "ended_at", "result_expires_at",
    ),
})  # fmt: skip
EMPTY = MappingProxyType(
    {
        "first": "No task has been registered yet. This registers one:",
        "idle": "Nothing is being watched now. This registers a task:",
        "watches": "No watch is {state}.",
        "task": "No watch has the task id {task}.",
        "deliveries": "No delivery is {state}.",
        "ends": "No task has ended yet; each end makes one delivery for each of its callback URLs.",
        "endpoints": "No receiver has been called yet: an endpoint is a callback URL without its query.",
        "attempts": "It has not been tried yet.",
    }
)
DUE = "due"
HELD = MappingProxyType({"closed": "held back", "paused": "paused", "gone": "parked"})  # instead, by the gate
OLDEST = "oldest waiting"
GOOD_UNTIL = "These links are good until"
MOST_RESULTS = 100
MORE_RESULTS = "… and {count} more; the API has all of them."
SHOW = "show picture"
NO_PICTURES = (
    ".mp4",
    ".webm",
    ".mov",
    ".mp3",
    ".wav",
    ".flac",
    ".ogg",
    ".glb",
    ".gltf",
    ".zip",
    ".json",
    ".svg",
)
ALL = "all"
AGAIN = "the same ids and bytes, newly signed, at 10 a second"
LIVE = WatchState.WATCHING.value
WATCH_STATES = tuple(state.value for state in WatchState)
DELIVERY_STATES = tuple(state.value for state in DeliveryState)
RESUMABLE = (WatchState.EXPIRED.value, WatchState.LOST.value, WatchState.STOPPED.value)


def field_label(field: str) -> str:
    """A field of the API in words, as the commands show it."""
    return field.replace("_", " ")


def curl_auth(*, has_tokens: bool) -> str:
    """What a curl line needs to be let in; the commands take the token from the same variable."""
    return ' -H "Authorization: Bearer $NOTIFIER_TOKEN"' if has_tokens else ""


def registration_line(origin: str, *, has_tokens: bool = False) -> str:
    """Write the command that registers a task here."""
    body = f'{{"api_path":"{EXAMPLE_PATH}","task_id":"TASK_ID","callback_url":"http://127.0.0.1:9001/hook"}}'
    auth = curl_auth(has_tokens=has_tokens)
    return f"curl -X POST {origin}/v1/watches{auth} -H 'Content-Type: application/json' -d '{body}'"


def module(*, has_tokens: bool) -> str:
    """All of it as a module of JavaScript. Where the page is, and by which scheme, the browser knows."""
    words: Mapping[str, Any] = {
        "heads": dict(HEADS),
        "actions": ACTIONS,
        "titles": dict(TITLES),
        "facts": dict(FACTS),
        "empty": dict(EMPTY),
        "due": DUE,
        "held": dict(HELD),
        "oldest": OLDEST,
        "good_until": GOOD_UNTIL,
        "most_results": MOST_RESULTS,
        "more_results": MORE_RESULTS,
        "show": SHOW,
        "no_pictures": NO_PICTURES,
        "all": ALL,
        "again": AGAIN,
        "live": LIVE,
        "states": {"watches": WATCH_STATES, "deliveries": DELIVERY_STATES},
        "resumable": RESUMABLE,
        "advice": {"status": STATUS_FIXES, "fault": {kind: attempt_fix(None, kind) for kind in FailureKind}},
        "auth": curl_auth(has_tokens=has_tokens),
        "register": registration_line("{origin}", has_tokens=has_tokens),
    }
    return f"export const WORDS = {msgspec.json.encode(words).decode()};\n"
