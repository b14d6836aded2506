"""Define the JSON bodies of requests about one task. ``bulk_schemas.py`` has those about many."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from notifier.core.model import EventType


class CallbackRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A callback URL, the events to send to it (default: all), and headers to send with them."""

    url: str
    events: list[EventType] | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    """A task to watch: its ids, ``task_url`` or ``reply``; ``callback_url`` or ``callbacks``.

    ``reply`` is what the provider replied to the submission. The provider's table says where it has the ids.

    ``metadata`` and ``expire_after`` of the first registration of a task hold. Later ones add callbacks.
    """

    task_id: str | UnsetType = UNSET
    api_path: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    task_url: str | UnsetType = UNSET
    reply: dict[str, Any] | UnsetType = UNSET
    callback_url: str | UnsetType = UNSET
    callbacks: Annotated[list[CallbackRequest], Meta(min_length=1, max_length=16)] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    expire_after: str | float | UnsetType = UNSET


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Registrations. Each succeeds or fails alone."""

    watches: Annotated[list[Registration], Meta(max_length=1000)]


class Resume(Struct, frozen=True, forbid_unknown_fields=True):
    """How long to watch the task again. The default is the provider's ``expire_after``."""

    expire_after: str | float | UnsetType = UNSET
