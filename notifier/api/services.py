"""Define what the daemon passes to the API: store, clock, settings, and ways to reach the engine."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from notifier.api.downloads import PayloadDownloads
from notifier.api.event_feed import EventFeed
from notifier.core.causes.cause import Cause, Condition
from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.task_urls import TaskUrlTemplate
from notifier.core.model import Watch
from notifier.core.polling.path_health import PathCondition
from notifier.engine.waiters import WatchWaiters
from notifier.ports import Clock
from notifier.results.image_proxy import ImageProxy
from notifier.server.access import AccessSettings
from notifier.server.sessions import BrowserSessions
from notifier.store.protocol import Store


class WorkSignals(Protocol):
    """Make a job of the engine read the store sooner than scheduled."""

    def poll_at(self, instant: int) -> None:
        """Run the poller at ``instant`` at the latest."""
        ...

    def deliver_now(self) -> None:
        """Run the deliverer now."""
        ...

    def replay_now(self) -> None:
        """Run the replayer now."""
        ...

    def change_watches_now(self) -> None:
        """Run the watch changer now."""
        ...


@dataclass(frozen=True, slots=True)
class RegistrationDefaults:
    """What a registration needs of a provider's settings.

    ``first_by_ms`` is how far learned durations may delay the first poll; None: they may not. ``submit`` has
    the places of the ids in the reply to a submission.
    """

    place: TaskUrlTemplate
    first_after_ms: int
    expire_after_ms: int
    first_by_ms: int | None = None
    submit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The API's part of the configuration.

    ``source`` is the file that it was read from. ``needs_restart`` names keys in it that take effect with the
    next start.
    """

    providers: Mapping[str, RegistrationDefaults]
    access: AccessSettings
    max_watches: int
    give_up_after_ms: int
    policy: AddressPolicy
    version: str
    source: str | None = None
    needs_restart: tuple[str, ...] = ()

    @property
    def default_provider(self) -> str | None:
        """Return the only provider, for registrations that name none; None where there are several."""
        return next(iter(self.providers)) if len(self.providers) == 1 else None


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the handlers use."""

    store: Store
    clock: Clock
    settings: Callable[[], ApiSettings]  # called by each request, so that a reload takes effect with the next
    wake: WorkSignals
    waiters: WatchWaiters
    condition_of: Callable[[str, str | None], Condition | None]
    """Return why and since when a provider, or an api_path of it, is held back; None: it is not."""
    failing_paths: Callable[[], list[PathCondition]]  # those that something is wrong with
    is_ready: Callable[[], Cause | None]  # why the daemon is not ready; None: it is
    reload: Callable[[], Awaitable[tuple[str, ...]]]  # returns the errors of the configuration; (): it holds
    metrics: Callable[[], Awaitable[bytes]]  # in Prometheus' text format
    feed: EventFeed
    sessions: BrowserSessions
    images: ImageProxy
    downloads: PayloadDownloads = field(default_factory=PayloadDownloads)

    def find_condition(self, watch: Watch) -> Condition | None:
        """Return why the provider or the api_path of a live watch is held back; None if it is not."""
        return self.condition_of(watch.provider, watch.api_path) if watch.ended_at is None else None
