"""Describe the bodies of bulk changes: what a request selects, and how many rows match."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from notifier.api.schemas import Instant


class Matched(Struct, frozen=True):
    """How many deliveries a replay sends again, or are given up."""

    matched: int


class WatchesMatched(Struct, frozen=True):
    """How many watches are stopped or resumed."""

    matched: int


class StopMany(Struct, frozen=True, forbid_unknown_fields=True):
    """Which live watches to stop: registered in [since, until), of this provider and api_path.

    At least one filter is required. With ``dry_run`` the watches are only counted.
    """

    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    api_path: str | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET


class ResumeMany(Struct, frozen=True, forbid_unknown_fields=True):
    """Which watches to resume: ended in [since, until), in this state, of this provider and api_path.

    At least one filter is required. ``expire_after`` is how long to watch the tasks again. The default is the
    ``expire_after`` of their provider. With ``dry_run`` the watches are only counted.
    """

    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET
    state: Literal["expired", "lost", "stopped"] | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    api_path: str | UnsetType = UNSET
    expire_after: str | float | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries to send again: created in [since, until), in this state, to exactly this URL.

    At least one filter is required. With ``dry_run`` the deliveries are only counted.
    """

    since: Instant | UnsetType = UNSET
    until: Instant | UnsetType = UNSET
    state: Literal["delivered", "dead"] | UnsetType = UNSET
    url: str | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET
