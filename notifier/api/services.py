"""What the API is handed: the store, the clock, its settings, and a few words to the rest of the daemon."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from notifier.api.event_feed import EventFeed
from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.urls import TaskUrlTemplate
from notifier.engine.waiters import WatchWaiters
from notifier.ports import Clock
from notifier.results.image_proxy import ImageProxy
from notifier.server.access import AccessSettings
from notifier.server.sessions import BrowserSessions
from notifier.store.protocol import Store


class WorkSignals(Protocol):
    """Makes the poller, the deliverer or the replayer look at the store sooner than it would by itself."""

    def poll_at(self, instant: int) -> None:
        """A watch is due at ``instant``."""
        ...

    def deliver_now(self) -> None:
        """A delivery is due."""
        ...

    def replay_now(self) -> None:
        """There is a replay to begin."""
        ...


@dataclass(frozen=True, slots=True)
class RegistrationDefaults:
    """What a registration needs to know of a provider.

    ``first_by_ms`` is how far learning may put off the first poll; None: not at all.
    """

    place: TaskUrlTemplate
    first_after_ms: int
    expire_after_ms: int
    first_by_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The API's part of the configuration.

    ``source`` is the file it was read from; ``needs_restart`` names the keys in it that do not hold yet.
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
        """The provider of a registration that names none; None where there are several."""
        return next(iter(self.providers)) if len(self.providers) == 1 else None


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the API.

    ``settings`` is asked anew by each request, so that a reload holds from the next one on. ``condition_of``
    says why a provider is paused, in words and since when; ``is_ready`` says why the daemon is not ready;
    both say None when all is well. ``reload`` reads the configuration again and returns its faults, none of
    them meaning that it now holds. ``metrics`` returns the text of a scrape. ``feed`` is
    for those who listen to changes, ``sessions`` for browsers; ``images`` fetches results that are images.
    """

    store: Store
    clock: Clock
    settings: Callable[[], ApiSettings]
    wake: WorkSignals
    waiters: WatchWaiters
    condition_of: Callable[[str], str | None]
    is_ready: Callable[[], str | None]
    reload: Callable[[], Awaitable[tuple[str, ...]]]
    metrics: Callable[[], Awaitable[bytes]]
    feed: EventFeed
    sessions: BrowserSessions
    images: ImageProxy
