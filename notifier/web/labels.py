"""Define the texts of the page once. The daemon renders them, and the scripts import them as a module.

Titles of columns, names of fields, states and fixes equal those of the commands; ``tests/cli`` compares them.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from notifier.core.causes.attempt_fixes import STATUS_FIXES
from notifier.core.causes.failures import find_attempt_fix
from notifier.core.exchange import FailureKind
from notifier.core.model import DeliveryState, WatchState

EXAMPLE_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"

COLUMNS: Mapping[str, Sequence[str]] = MappingProxyType(
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
FIELDS: Mapping[str, Sequence[str]] = MappingProxyType({
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
MORE_PATHS = "and {count} further api_paths"
# Instead of DUE, by the state of the endpoint.
HELD = MappingProxyType({"closed": "held back", "paused": "paused", "gone": "parked"})
OLDEST = "oldest waiting"
GOOD_UNTIL = "These links are good until"
MAX_RESULTS = 100  # a million outputs stopped the event loop for 4.5 s (commit f536570)
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
    """Return the label of a field of the API, as in the commands."""
    return field.replace("_", " ")


def curl_auth(*, has_tokens: bool) -> str:
    """Return the option for the token in a curl command. The commands read the same variable."""
    return ' -H "Authorization: Bearer $NOTIFIER_TOKEN"' if has_tokens else ""


def registration_line(origin: str, *, has_tokens: bool = False) -> str:
    """Return the command that registers a task at this daemon."""
    body = f'{{"api_path":"{EXAMPLE_PATH}","task_id":"TASK_ID","callback_url":"http://127.0.0.1:9001/hook"}}'
    auth = curl_auth(has_tokens=has_tokens)
    return f"curl -X POST {origin}/v1/watches{auth} -H 'Content-Type: application/json' -d '{body}'"


def module(*, has_tokens: bool) -> str:
    """Return all texts as a JavaScript module. The browser inserts the origin, which it knows better."""
    words: Mapping[str, Any] = {
        "heads": dict(COLUMNS),
        "actions": ACTIONS,
        "titles": dict(TITLES),
        "facts": dict(FIELDS),
        "empty": dict(EMPTY),
        "due": DUE,
        "held": dict(HELD),
        "oldest": OLDEST,
        "good_until": GOOD_UNTIL,
        "most_results": MAX_RESULTS,
        "more_results": MORE_RESULTS,
        "show": SHOW,
        "no_pictures": NO_PICTURES,
        "all": ALL,
        "again": AGAIN,
        "live": LIVE,
        "states": {"watches": WATCH_STATES, "deliveries": DELIVERY_STATES},
        "resumable": RESUMABLE,
        "advice": {
            "status": STATUS_FIXES,
            "fault": {kind: find_attempt_fix(None, kind) for kind in FailureKind},
        },
        "auth": curl_auth(has_tokens=has_tokens),
        "register": registration_line("{origin}", has_tokens=has_tokens),
    }
    return f"export const WORDS = {msgspec.json.encode(words).decode()};\n"
