"""What has changed, for those who listen now: a bounded memory of events, read by each at its own pace.

The parts of the daemon name what they have changed (``ports.Changes``); a beat later it is read from the
store and becomes an event, so that an event tells of nothing that is not on disk, and changes in quick
succession become one. Nobody is waited for: a listener is a place in the memory, and one that falls out of
it is cut off. When more changes at once than is worth telling singly, one ``reset`` stands for all of it.

Nothing is noted while nobody listens and for the last minute nobody has; ids from before a pause are too old.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

import msgspec
import structlog
from msgspec import Struct

from notifier.api.representations import delivery_body, watch_body
from notifier.errors import StoreUnavailable
from notifier.server.problems import ProblemError
from notifier.store.protocol import Store

TICK_S = 0.1
TICKS_PER_SECOND = 10  # so often, in beats, what was only polled is told
RESET_INTERVAL_TICKS = 50  # so long after one ``reset`` comes the next at the earliest
PAUSE_AFTER_TICKS = 600  # a minute, in which a client that was cut off may come back
HEARTBEAT_S = 15.0
RETRY_MS = 2_000
MAX_SUBSCRIBERS = 32
MAX_MARKED = 300
MAX_EVENTS = 1_000
MAX_EVENT_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 64 * 1024

_ID = re.compile(r"([0-9a-z]+)-([0-9]{1,15})")

log = structlog.get_logger()


class FeedSubscriber:
    """One who listens: where in the memory it is. ``opening`` is what it is sent first."""

    def __init__(self, feed: "EventFeed", place: int, opening: bytes) -> None:
        self.has_news = asyncio.Event()
        self.is_ended = False
        self._feed = feed
        self._place = place
        self._opening = opening

    def end(self) -> None:
        """Tell it nothing more."""
        self.is_ended = True
        self.has_news.set()

    async def pieces(self, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[bytes]:
        """Yield what there is to send, a comment after ``heartbeat_s`` of nothing, until it is over."""
        yield self._opening
        while not self.is_ended:
            self.has_news.clear()
            events = self._feed.read_from(self._place)
            if events is None:  # it reads too slowly; when it comes back, it is told to begin anew
                return
            piece, self._place = events
            if piece:
                yield piece
                continue
            try:
                async with asyncio.timeout(heartbeat_s):
                    await self.has_news.wait()
            except TimeoutError:
                yield b":\n\n"


class EventFeed:
    """``ports.Changes``, and those who listen to it.

    ``epoch`` is this run's, in lower case letters and digits. ``condition_of`` and ``conditions`` say why
    providers are held back.
    """

    def __init__(
        self,
        *,
        store: Store,
        epoch: str,
        condition_of: Callable[[str], str | None],
        conditions: Callable[[], Mapping[str, str | None]],
        tick_s: float = TICK_S,
    ) -> None:
        self._store = store
        self._epoch = epoch
        self._condition_of = condition_of
        self._conditions = conditions
        self._tick_s = tick_s
        self._subscribers: set[FeedSubscriber] = set()
        self._is_active = False
        self._is_closed = False
        self._ticking: asyncio.Task[None] | None = None
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._next = 1  # the number of the next event; the memory holds those right before it
        self._forget()

    def _forget(self) -> None:
        """Begin anew: nothing is marked, and no beat has passed."""
        self._watches: dict[str, None] = {}
        self._polled: dict[str, None] = {}
        self._deliveries: dict[str, None] = {}
        self._deliveries_of: dict[str, None] = {}
        self._needs_reset = False
        self._ticks = 0
        self._idle_ticks = 0
        self._next_reset_tick = 0
        self._last_conditions: Mapping[str, str | None] | None = None

    # -- what has changed

    def watch(self, watch_id: str) -> None:
        """See ``Changes``."""
        if self._is_active:
            self._mark(self._watches, watch_id)

    def polled(self, watch_id: str) -> None:
        """See ``Changes``. Beyond the bound it is left out: with its next poll it may be told."""
        if self._is_active and len(self._polled) < MAX_MARKED:
            self._polled[watch_id] = None

    def deliveries_of(self, watch_id: str) -> None:
        """See ``Changes``."""
        if self._is_active:
            self._mark(self._deliveries_of, watch_id)

    def delivery(self, delivery_id: str) -> None:
        """See ``Changes``."""
        if self._is_active:
            self._mark(self._deliveries, delivery_id)

    def many(self) -> None:
        """See ``Changes``."""
        self._needs_reset = self._is_active

    def _mark(self, marked: dict[str, None], of: str) -> None:
        marked[of] = None
        self._needs_reset = self._needs_reset or len(marked) > MAX_MARKED
        if self._needs_reset:
            marked.clear()  # a reset will stand for them

    # -- telling it

    async def tick(self) -> None:
        """Tell what was marked since the last beat; once a second also what was only polled."""
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
        """A provider that is held back is the trouble of all its watches."""
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
            changed = await self._store.find(watches, deliveries, deliveries_of=deliveries_of)
            for watch in changed.watches:
                self._publish("watch", watch_body(watch, self._condition_of(watch.provider)))
            for delivery in changed.deliveries:
                self._publish("delivery", delivery_body(delivery))

    def _reset(self) -> None:
        """What has been told so far is of no use any more."""
        if self._ticks >= self._next_reset_tick:
            self._needs_reset = False
            self._next_reset_tick = self._ticks + RESET_INTERVAL_TICKS
            self._drop_events()
            self._publish("reset", None)

    def _publish(self, kind: str, body: Struct | None) -> None:
        text = self._event(kind, self._next, body)
        self._next += 1
        self._events.append(text)
        self._bytes += len(text)
        while len(self._events) > MAX_EVENTS or self._bytes > MAX_EVENT_BYTES:
            self._bytes -= len(self._events.popleft())
        for subscriber in self._subscribers:
            subscriber.has_news.set()

    def _event(self, kind: str, number: int, body: Struct | None) -> bytes:
        """One event. Metadata may hold line ends, between its values, and each line is one of ``data``."""
        data = b"{}" if body is None else msgspec.json.encode(body)
        lines = b"".join(b"data: " + line + b"\n" for line in data.splitlines())
        return f"id: {self._epoch}-{number}\nevent: {kind}\n".encode() + lines + b"\n"

    def _drop_events(self) -> None:
        self._events.clear()
        self._bytes = 0

    # -- those who listen

    def read_from(self, number: int) -> tuple[bytes, int] | None:
        """Return some of the events from ``number`` on, and where to go on; None when that one is gone."""
        skipped = number - (self._next - len(self._events))
        if skipped < 0:
            return None
        size, pieces = 0, []
        for text in islice(self._events, skipped, None):
            pieces.append(text)
            size += len(text)
            if size >= PIECE_BYTES:
                break
        return b"".join(pieces), number + len(pieces)

    @contextmanager
    def subscribe(self, last_id: str | None) -> Iterator[FeedSubscriber]:
        """Let one listen, from after ``last_id`` on; raises Problem when too many do, or at the end."""
        if self._is_closed:
            raise ProblemError("not_ready", "notifier is stopping")
        if len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise ProblemError("busy", f"{MAX_SUBSCRIBERS} listen already, and no more are served")
        self._resume()
        subscriber = self._make_subscriber(last_id)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def _make_subscriber(self, last_id: str | None) -> FeedSubscriber:
        """One without an id begins now, and has its first one at once, to come back with."""
        hello = f"retry: {RETRY_MS}\nid: {self._epoch}-{self._next - 1}\n\n".encode()
        if last_id is None:
            return FeedSubscriber(self, self._next, hello)
        place = self._place_after(last_id)
        if place is None:
            return FeedSubscriber(self, self._next, hello + self._event("reset", self._next - 1, None))
        return FeedSubscriber(self, place, f"retry: {RETRY_MS}\n\n".encode())

    def _place_after(self, last_id: str) -> int | None:
        match = _ID.fullmatch(last_id)
        if match is None or match[1] != self._epoch:
            return None
        place = int(match[2]) + 1
        return place if self._next - len(self._events) <= place <= self._next else None

    def _resume(self) -> None:
        if not self._is_active:
            self._is_active = True
            self._forget()
            self._ticking = asyncio.create_task(self._run(), name="feed")

    def _pause(self) -> None:
        """Note nothing from now on, and have no id of before fit any more."""
        self._is_active = False
        self._drop_events()
        self._next += 1

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
        """End every stream; those who may listen still will come back."""
        for subscriber in self._subscribers:
            subscriber.end()

    def close(self) -> None:
        """Let nobody listen any more: the daemon stops."""
        self._is_closed = True
        self._is_active = False
        self.end_all()
        if self._ticking is not None:
            self._ticking.cancel()
