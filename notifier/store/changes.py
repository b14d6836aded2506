"""Define change notices: the store publishes what a transaction changed once it is committed.

The event feed of the API listens. The store itself makes the notices, because a wrapper around it would miss
the changes of another daemon on the same database.
"""

from collections.abc import Callable
from typing import Protocol


class ChangeListener(Protocol):
    """What the store calls after each committed change. A call returns at once and never raises."""

    def watch(self, watch_id: str) -> None:
        """Note that a watch was added, ended, resumed, made due, or has another status or trouble."""
        ...

    def polled(self, watch_id: str) -> None:
        """Note that a watch was polled and only its dates and counters changed."""
        ...

    def deliveries_of(self, watch_id: str) -> None:
        """Note that a watch may have new deliveries."""
        ...

    def delivery(self, delivery_id: str) -> None:
        """Note that a delivery was attempted, or is to be sent again."""
        ...

    def many(self) -> None:
        """Note that more rows changed than can be named."""
        ...


class ChangeCollector:
    """The notices of one transaction, in order."""

    __slots__ = ("_notices",)

    def __init__(self) -> None:
        self._notices: list[Callable[[ChangeListener], None]] = []

    def watch(self, watch_id: str) -> None:
        """See ``ChangeListener``."""
        self._notices.append(lambda listener: listener.watch(watch_id))

    def polled(self, watch_id: str) -> None:
        """See ``ChangeListener``."""
        self._notices.append(lambda listener: listener.polled(watch_id))

    def deliveries_of(self, watch_id: str) -> None:
        """See ``ChangeListener``."""
        self._notices.append(lambda listener: listener.deliveries_of(watch_id))

    def delivery(self, delivery_id: str) -> None:
        """See ``ChangeListener``."""
        self._notices.append(lambda listener: listener.delivery(delivery_id))

    def many(self) -> None:
        """See ``ChangeListener``."""
        self._notices.append(lambda listener: listener.many())

    def __len__(self) -> int:
        """Return the number of notices so far."""
        return len(self._notices)

    def drop_after(self, count: int) -> None:
        """Drop all notices but the first ``count``: those of a unit that was rolled back."""
        del self._notices[count:]

    def publish(self, listener: ChangeListener) -> None:
        """Pass each notice on to ``listener``."""
        for notify in self._notices:
            notify(listener)
