"""Hold the responses of the API and the bodies of callbacks as values. Unknown fields are ignored.

States and types are plain text, so that a program accepts the words of a newer daemon. ``core/model.py``
lists the present ones. Instants are aware datetimes in UTC.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Raw, Struct, field

NULL = Raw(b"null")


class Callback(Struct, frozen=True, omit_defaults=True):
    """One callback URL with the types of events to send (empty: all) and further headers.

    The daemon masks the values of the headers in its responses.
    """

    url: str
    events: Sequence[str] = ()
    headers: Mapping[str, str] = {}


class TaskError(Struct, frozen=True):
    """The reason why a task did not complete; ``source`` is ``notifier`` for expired and lost tasks."""

    source: str
    code: int | str | None = None
    title: str | None = None
    detail: str | None = None


class TroubleCause(Struct, frozen=True):
    """The cause of a trouble: a stable code, and what to do about it, empty where nothing is known."""

    code: str = ""
    fix: str = ""


class Delivery(Struct, frozen=True):
    """One event for one callback URL; ``state`` is ``pending``, ``delivered`` or ``dead``."""

    id: str
    event_id: str
    type: str
    url: str
    state: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None = None
    give_up_at: datetime | None = None
    ended_at: datetime | None = None
    last_error: str | None = None
    watch_id: str = ""
    held: str | None = None
    cause: TroubleCause | None = None


class Watch(Struct, frozen=True):
    """A registered task. ``trouble`` is the reason why polling makes no progress, else None.

    ``get`` and ``wait`` fill ``payload`` and ``deliveries``; ``list`` does not. ``payload_note`` says what
    was repaired in the payload or left out.
    """

    id: str
    provider: str
    api_path: str
    task_id: str
    state: str
    registered_at: datetime
    expires_at: datetime
    upstream_status: str | None = None
    metadata: Mapping[str, Any] = {}
    callbacks: Sequence[Callback] = ()
    last_polled_at: datetime | None = None
    next_poll_at: datetime | None = None
    polls: int = 0
    trouble: str | None = None
    cause: TroubleCause | None = None
    ended_at: datetime | None = None
    outputs: Sequence[str] = ()
    result_expires_at: datetime | None = None
    error: TaskError | None = None
    deliveries: Sequence[Delivery] = ()
    payload_note: str | None = None
    payload_json: Raw = field(default=NULL, name="payload")

    @property
    def is_live(self) -> bool:
        """Return whether the watch has not ended."""
        return self.state == "watching"

    @property
    def is_completed(self) -> bool:
        """Return whether the provider reported success."""
        return self.state == "completed"

    @property
    def payload(self) -> Any:
        """Return the last reply of the provider, decoded; ``payload_json`` has its bytes."""
        return json.loads(bytes(self.payload_json))


class Page(Struct, frozen=True):
    """A page of watches, newest first; ``next_cursor`` requests the next page."""

    watches: Sequence[Watch]
    next_cursor: str | None = None


class Outcome(Struct, frozen=True):
    """The end of a task: ``data`` of a callback. ``expired``: its outputs had expired when it was sent.

    An event without a task (``ping``) leaves every field at its default.
    """

    watch_id: str = ""
    provider: str = ""
    api_path: str = ""
    task_id: str = ""
    status: str = ""
    upstream_status: str | None = None
    metadata: Mapping[str, Any] = {}
    outputs: Sequence[str] = ()
    expired: bool = False
    result_expires_at: datetime | None = None
    error: TaskError | None = None
    registered_at: datetime | None = None
    ended_at: datetime | None = None
    polls: int = 0
    payload_note: str | None = None
    payload_json: Raw = field(default=NULL, name="payload")

    @property
    def payload(self) -> Any:
        """Return the last reply of the provider, decoded; None for expired and lost tasks."""
        return json.loads(bytes(self.payload_json))


class Event(Struct, frozen=True):
    """The body of a callback. A repeat has the same ``id``: store the id and process the event once.

    ``type`` is ``task.completed``, ``task.failed``, ``task.cancelled``, ``task.expired``, ``task.lost`` or,
    from ``notifier test-callback``, ``ping``. Respond with 2xx to a type that you do not know.
    """

    id: str
    type: str
    timestamp: datetime
    data: Outcome


class DeliveryAttempt(Struct, frozen=True):
    """One request of a delivery; ``answer`` is the beginning of the body that the receiver sent back."""

    number: int
    at: datetime
    duration_ms: int = 0
    status: int | None = None
    error: str | None = None
    answer: str | None = None


class Endpoint(Struct, frozen=True):
    """A callback URL without its query, and whether callbacks flow to it."""

    id: str
    url: str
    state: str = ""
    gate: str = ""
    cause: TroubleCause | None = None
    since: datetime | None = None
    next_probe_at: datetime | None = None
    pending: int = 0
    dead: int = 0
    oldest_pending_at: datetime | None = None

    @property
    def is_held_back(self) -> bool:
        """Callbacks wait, or would wait: a closed gate without a pending callback holds nothing back."""
        return self.state in {"paused", "gone"} or (self.state == "closed" and self.pending > 0)


class TimelineLine(Struct, frozen=True):
    """One line of the history of a watch."""

    at: datetime
    kind: str
    text: str


class PathStatus(Struct, frozen=True):
    """An api_path that something is wrong with. ``blocked``: it is held back but for single probes."""

    provider: str
    api_path: str
    condition: str
    cause: TroubleCause | None = None
    since: datetime | None = None
    next_probe_at: datetime | None = None
    blocked: bool = False


class Status(Struct, frozen=True):
    """The state of the daemon, its providers and its counts. ``trouble`` says why it is not ready."""

    version: str
    trouble: str | None = None
    cause: TroubleCause | None = None
    watches: Mapping[str, int] = {}
    deliveries: Mapping[str, int] = {}
    oldest_pending_at: datetime | None = None
    expiring_results: int = 0
    troubled_watches: int = 0
    refused_deliveries: int = 0
    providers: Mapping[str, str] = {}
    provider_causes: Mapping[str, TroubleCause] = {}
    paths: Sequence[PathStatus] = ()
    more_paths: int = 0
