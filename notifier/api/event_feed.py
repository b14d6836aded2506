"""Publish changes of watches and deliveries to the subscribers of ``GET /v1/events``.

The store reports what has changed (``ChangeListener``). A tick later the feed reads it back and makes events.
So each event shows what is on disk, and changes in quick succession become one event. Events are kept in a
bounded buffer. A subscriber is a position in it: publishing never waits for one, and one that falls out of
the buffer is disconnected. Where too much changes at once, one ``reset`` event stands for all.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import structlog

from notifier.api.event_buffer import EventBuffer
from notifier.api.representations import delivery_body, watch_body
from notifier.core.causes.cause import Condition
from notifier.errors import StoreUnavailable
from notifier.server.problems import ProblemError
from notifier.store.protocol import Store

TICK_S = 0.1
"""Trade-off: short for a person who watches the page, long enough to merge changes in quick succession."""

TICKS_PER_SECOND = 10  # of ``TICK_S``: polls that changed nothing else are published once a second
RESET_INTERVAL_TICKS = 50  # 5 s: after a reset each client reads all lists again, which costs the store
PAUSE_AFTER_TICKS = 600  # 1 min, in which a disconnected client may resume by its last id
HEARTBEAT_S = 15.0
"""WHATWG HTML, 9.2.7: a comment every 15 s or so keeps proxies from dropping the connection."""

RETRY_MS = 2_000
"""How long a browser waits before it reconnects. No record of why 2 s; changing it needs a measurement."""

MAX_SUBSCRIBERS = 32
"""CONTRACT P5: bounded. No record of why 32; changing it needs a measurement."""

MAX_MARKED = 300
"""Rows that one tick reads back, so that it holds the store for a short time. No record of why 300."""

log = structlog.get_logger()


class FeedSubscriber:
    """One client's position in the feed. It is sent ``opening`` first."""

    def __init__(self, events: EventBuffer, position: int, opening: bytes) -> None:
        self._buffer = events
        self._position = position
        self._opening = opening
        self._wakeup = asyncio.Event()
        self._is_ended = False

    def wake(self) -> None:
        """Look for new events."""
        self._wakeup.set()

    def end(self) -> None:
        """End the stream."""
        self._is_ended = True
        self._wakeup.set()

    async def pieces(self, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[bytes]:
        """Yield events, and a comment after ``heartbeat_s`` without any, until the stream ends."""
        yield self._opening
        while not self._is_ended:
            self._wakeup.clear()
            events = self._buffer.read_from(self._position)
            if events is None:  # the client reads too slowly; when it reconnects, it gets a reset
                return
            piece, self._position = events
            if piece:
                yield piece
                continue
            try:
                async with asyncio.timeout(heartbeat_s):
                    await self._wakeup.wait()
            except TimeoutError:
                yield b":\n\n"


class EventFeed:
    """The ``ChangeListener`` of the daemon, and its subscribers.

    ``epoch`` identifies this run in event ids, in lower case letters and digits. ``condition_of``
    returns why the provider or the api_path of a watch is held back, ``conditions`` all of these, to compare.
    """

    def __init__(
        self,
        *,
        store: Store,
        epoch: str,
        condition_of: Callable[[str, str], Condition | None],
        conditions: Callable[[], object],
        tick_s: float = TICK_S,
    ) -> None:
        self._store = store
        self._events = EventBuffer(epoch)
        self._condition_of = condition_of
        self._conditions = conditions
        self._tick_s = tick_s
        self._subscribers: set[FeedSubscriber] = set()
        self._is_active = False
        self._is_closed = False
        self._ticking: asyncio.Task[None] | None = None
        self._clear()

    def _clear(self) -> None:
        """Forget all marks and ticks. Dictionaries keep the order of the marks."""
        self._watches: dict[str, None] = {}
        self._polled: dict[str, None] = {}
        self._deliveries: dict[str, None] = {}
        self._deliveries_of: dict[str, None] = {}
        self._needs_reset = False
        self._ticks = 0
        self._idle_ticks = 0
        self._next_reset_tick = 0
        self._last_conditions: object = None

    # -- marking: what the store reports

    def watch(self, watch_id: str) -> None:
        """Mark a changed watch (see ``ChangeListener``)."""
        if self._is_active:
            self._mark(self._watches, watch_id)

    def polled(self, watch_id: str) -> None:
        """Mark a watch that was only polled. Beyond the limit it is left out, until its next poll."""
        if self._is_active and len(self._polled) < MAX_MARKED:
            self._polled[watch_id] = None

    def deliveries_of(self, watch_id: str) -> None:
        """Mark a watch that may have new deliveries."""
        if self._is_active:
            self._mark(self._deliveries_of, watch_id)

    def delivery(self, delivery_id: str) -> None:
        """Mark a changed delivery."""
        if self._is_active:
            self._mark(self._deliveries, delivery_id)

    def many(self) -> None:
        """Mark more than can be named: the next tick publishes a reset."""
        self._needs_reset = self._is_active

    def _mark(self, marked: dict[str, None], row_id: str) -> None:
        marked[row_id] = None
        self._needs_reset = self._needs_reset or len(marked) > MAX_MARKED
        if self._needs_reset:
            marked.clear()  # the reset stands for them

    # -- publishing

    async def tick(self) -> None:
        """Publish what was marked since the last tick; once a second also what was only polled."""
        self._ticks += 1
        is_second = self._ticks % TICKS_PER_SECOND == 0
        if is_second:
            self._compare_conditions()
        try:
            await self._publish_marked(is_second=is_second)
        except StoreUnavailable:
            self._needs_reset = True
        self._idle_ticks = 0 if self._subscribers else self._idle_ticks + 1
        if self._idle_ticks >= PAUSE_AFTER_TICKS:
            self._pause()

    def _compare_conditions(self) -> None:
        """Request a reset if the condition of a provider or path changed, because all its watches show it."""
        conditions, before = self._conditions(), self._last_conditions
        self._last_conditions = conditions
        self._needs_reset = self._needs_reset or (before is not None and before != conditions)

    async def _publish_marked(self, *, is_second: bool) -> None:
        watches, self._watches = self._watches, {}
        deliveries, self._deliveries = self._deliveries, {}
        deliveries_of, self._deliveries_of = self._deliveries_of, {}
        if is_second or self._needs_reset:
            polled, self._polled = self._polled, {}
            watches |= polled
        if self._needs_reset:
            self._reset()
        elif watches or deliveries or deliveries_of:
            rows = await self._store.find(watches, deliveries, deliveries_of=deliveries_of)
            if rows.is_cut:
                self._needs_reset = True
                self._reset()
                return
            for watch in rows.watches:
                condition = self._condition_of(watch.provider, watch.api_path)
                self._events.append("watch", watch_body(watch, condition))
            for delivery in rows.deliveries:
                self._events.append("delivery", delivery_body(delivery))
            self._wake_all()

    def _reset(self) -> None:
        """Replace all events with one reset, unless the last one is too recent."""
        if self._ticks >= self._next_reset_tick:
            self._needs_reset = False
            self._next_reset_tick = self._ticks + RESET_INTERVAL_TICKS
            self._events.clear()
            self._events.append("reset", None)
            self._wake_all()

    def _wake_all(self) -> None:
        for subscriber in self._subscribers:
            subscriber.wake()

    # -- subscribing

    @contextmanager
    def subscribe(self, last_id: str | None) -> Iterator[FeedSubscriber]:
        """Subscribe after ``last_id``. Raise ProblemError beyond the limit, or while the daemon stops."""
        if self._is_closed:
            raise ProblemError("not_ready", "notifier is stopping")
        if len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise ProblemError("busy", f"{MAX_SUBSCRIBERS} clients have subscribed, which is the limit")
        self._resume()
        subscriber = self._make_subscriber(last_id)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def _make_subscriber(self, last_id: str | None) -> FeedSubscriber:
        """Start at the next event where there is no id, and send the current id to resume by."""
        events, retry = self._events, f"retry: {RETRY_MS}\n"
        opening = f"{retry}id: {events.last_id}\n\n".encode()
        if last_id is None:
            return FeedSubscriber(events, events.next, opening)
        position = events.find_after(last_id)
        if position is None:
            return FeedSubscriber(events, events.next, opening + events.format("reset", None))
        return FeedSubscriber(events, position, f"{retry}\n".encode())

    def _resume(self) -> None:
        if not self._is_active:
            self._is_active = True
            self._clear()
            self._ticking = asyncio.create_task(self._run(), name="feed")

    def _pause(self) -> None:
        """Stop recording. A client that comes back later gets a reset."""
        self._is_active = False
        self._events.invalidate_ids()

    async def _run(self) -> None:
        try:
            while self._is_active:
                await asyncio.sleep(self._tick_s)
                await self.tick()
        except Exception:
            log.exception("feed.crashed")
            self._pause()
            self.end_all()

    def end_all(self) -> None:
        """End every stream. Clients that are still allowed reconnect."""
        for subscriber in self._subscribers:
            subscriber.end()

    def close(self) -> None:
        """End every stream and accept no more subscribers, because the daemon stops."""
        self._is_closed = True
        self._is_active = False
        self.end_all()
        if self._ticking is not None:
            self._ticking.cancel()
