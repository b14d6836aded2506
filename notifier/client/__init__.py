"""notifier for Python programs: register tasks, wait for them, and check callbacks.

    from notifier.client import Notifier, verify

    watch = Notifier().watch(api_path, task_id, callback=url)  # where tasks are submitted
    event = verify(body, request.headers, secret)              # where callbacks arrive

It needs msgspec and the standard library, and an ``AsyncNotifier`` httpx. Each name loads only the modules
that it needs, so a receiver that verifies callbacks loads no HTTP client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notifier.client.async_client import AsyncNotifier
    from notifier.client.calls import StillWatching
    from notifier.client.errors import (
        ApiProblem,
        Conflict,
        Fault,
        Invalid,
        NotFound,
        Problem,
        Refused,
        SocketRefused,
        Unavailable,
        Unreachable,
    )
    from notifier.client.model import Callback, Delivery, Event, Outcome, TaskError, Watch
    from notifier.client.receiving import BadEvent, verify
    from notifier.client.sync_client import Notifier
    from notifier.core.delivery.signature import BadSecret, BadSignature
    from notifier.errors import NotifierError

__all__ = [
    "ApiProblem",
    "AsyncNotifier",
    "BadEvent",
    "BadSecret",
    "BadSignature",
    "Callback",
    "Conflict",
    "Delivery",
    "Event",
    "Fault",
    "Invalid",
    "NotFound",
    "Notifier",
    "NotifierError",
    "Outcome",
    "Problem",
    "Refused",
    "SocketRefused",
    "StillWatching",
    "TaskError",
    "Unavailable",
    "Unreachable",
    "Watch",
    "verify",
]

_FILES = {
    "client.async_client": "AsyncNotifier",
    "client.sync_client": "Notifier",
    "client.calls": "StillWatching",
    "client.errors": (
        "ApiProblem Conflict Fault Invalid NotFound Problem Refused SocketRefused Unavailable Unreachable"
    ),
    "client.model": "Callback Delivery Event Outcome TaskError Watch",
    "client.receiving": "BadEvent verify",
    "core.delivery.signature": "BadSecret BadSignature",
    "errors": "NotifierError",
}
_HOMES = {name: f"notifier.{file}" for file, names in _FILES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load a name at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
