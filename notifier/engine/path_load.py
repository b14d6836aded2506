"""What the limiter of a provider remembers of its api_paths: their health, and their requests in flight."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from notifier.core.polling.path_health import PathHealth, shift_path

HANGING_COUNT = 2  # one slow request may be its task's; trade-off: a path that hangs is seen with the second
MAX_PATHS = 1_000  # CONTRACT P5: bounded; no record of why this number; changing it needs a measurement


@dataclass(slots=True, eq=False)
class PathLoad:
    """One api_path. ``requests`` maps each poll in flight to its start, oldest first.

    ``troubled`` are those of them for watches whose own last poll failed. ``served`` and ``probed`` are the
    numbers of the latest poll and of the latest probe of the provider, which order the paths. ``replied_at``
    is when a poll last brought a reply about a task.
    """

    health: PathHealth = field(default_factory=PathHealth)
    requests: dict[int, int] = field(default_factory=dict)
    troubled: set[int] = field(default_factory=set)
    served: int = -1
    probed: int = -1
    active_at: int = 0
    replied_at: int | None = None

    def is_suspect(self, now: int, slow_ms: int) -> bool:
        """Return whether the path is blocked, or hangs.

        It hangs if different requests are out for longer than is usual. Those for watches that failed last do
        not count, because they say nothing about the others.
        """
        return self.health.is_blocked or len(self._list_slow(now, slow_ms) - self.troubled) >= HANGING_COUNT

    def _list_slow(self, now: int, slow_ms: int) -> set[int]:
        return {number for number, at in self.requests.items() if now - at >= slow_ms}

    def shift(self, delta_ms: int) -> None:
        """Follow a clock that was stepped."""
        self.health = shift_path(self.health, delta_ms)
        self.requests = {number: at + delta_ms for number, at in self.requests.items()}
        self.active_at += delta_ms
        if self.replied_at is not None:
            self.replied_at += delta_ms

    def count_suspect(self, now: int, slow_ms: int) -> int:
        """Return how many of its requests in flight are suspect."""
        if self.is_suspect(now, slow_ms):
            return len(self.requests)
        return len(self._list_slow(now, slow_ms) | self.troubled)


class PathLoads(dict[str, PathLoad]):
    """The paths by name, at most ``MAX_PATHS``: the one that was active longest ago makes room."""

    def get_active(self, api_path: str, now: int) -> PathLoad:
        """Return the path, which becomes the latest active one. It is added if it is new."""
        load = self.pop(api_path, None)
        if load is None:
            load = PathLoad()
            self._make_room()
        load.active_at = now
        self[api_path] = load
        return load

    def list_idle(self, before: int) -> Iterator[str]:
        """Yield the paths with nothing in flight that were not active since ``before``."""
        for api_path, load in self.items():
            if load.active_at < before and not load.requests:
                yield api_path

    def _make_room(self) -> None:
        if len(self) >= MAX_PATHS:
            idle = next((name for name, load in self.items() if not load.requests), None)
            if idle is not None:
                del self[idle]
