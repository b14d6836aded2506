"""What has changed, for those who listen now: a bounded memory of events, read by each at its own pace.

The parts of the daemon name what they have changed (``ChangeListener``); a beat later it is read from the
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
from notifier.core.causes.cause import Condition
from notifier.errors import StoreUnavailable
from notifier.server.problems import ProblemError
from notifier.store.protocol import Store

BEAT_S = 0.1
BEATS_A_SECOND = 10  # so often, in beats, what was only polled is told
RESET_BEATS = 50  # so long after one ``reset`` comes the next at the earliest
LINGER_BEATS = 600  # a minute, in which a client that was cut off may come back
HEARTBEAT_S = 15.0
RETRY_MS = 2_000
MOST_LISTENERS = 32
MOST_MARKED = 300
MOST_EVENTS = 1_000
MOST_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 64 * 1024

_ID = re.compile(r"([0-9a-z]+)-([0-9]{1,15})")

log = structlog.get_logger()


class FeedSubscriber:
    """One who listens: where in the memory it is. ``opening`` is what it is sent first."""

    def __init__(self, feed: "EventFeed", place: int, opening: bytes) -> None:
        self.news = asyncio.Event()
        self.is_over = False
        self._feed = feed
        self._place = place
        self._opening = opening

    def end(self) -> None:
        """Tell it nothing more."""
        self.is_over = True
        self.news.set()

    async def pieces(self, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[bytes]:
        """Yield what there is to send, a comment after ``heartbeat_s`` of nothing, until it is over."""
        yield self._opening
        while not self.is_over:
            self.news.clear()
            found = self._feed.since(self._place)
            if found is None:  # it reads too slowly; when it comes back, it is told to begin anew
                return
            piece, self._place = found
            if piece:
                yield piece
                continue
            try:
                async with asyncio.timeout(heartbeat_s):
                    await self.news.wait()
            except TimeoutError:
                yield b":\n\n"


class EventFeed:
    """``ChangeListener``, and those who listen to it.

    ``epoch`` is this run's, in lower case letters and digits. ``condition_of`` and ``conditions`` say why
    providers are held back.
    """

    def __init__(
        self,
        *,
        store: Store,
        epoch: str,
        condition_of: Callable[[str], Condition | None],
        conditions: Callable[[], Mapping[str, Condition | None]],
        beat_s: float = BEAT_S,
    ) -> None:
        self._store = store
        self._epoch = epoch
        self._condition_of = condition_of
        self._conditions = conditions
        self._beat_s = beat_s
        self._listeners: set[FeedSubscriber] = set()
        self._is_open = False
        self._is_closed = False
        self._beating: asyncio.Task[None] | None = None
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
        self._is_many = False
        self._beats = 0
        self._idle_beats = 0
        self._reset_from = 0
        self._known_conditions: Mapping[str, Condition | None] | None = None

    # -- what has changed

    def watch(self, watch_id: str) -> None:
        """See ``ChangeListener``."""
        if self._is_open:
            self._mark(self._watches, watch_id)

    def polled(self, watch_id: str) -> None:
        """See ``ChangeListener``. Beyond the bound it is left out: with its next poll it may be told."""
        if self._is_open and len(self._polled) < MOST_MARKED:
            self._polled[watch_id] = None

    def deliveries_of(self, watch_id: str) -> None:
        """See ``ChangeListener``."""
        if self._is_open:
            self._mark(self._deliveries_of, watch_id)

    def delivery(self, delivery_id: str) -> None:
        """See ``ChangeListener``."""
        if self._is_open:
            self._mark(self._deliveries, delivery_id)

    def many(self) -> None:
        """See ``ChangeListener``."""
        self._is_many = self._is_open

    def _mark(self, marked: dict[str, None], of: str) -> None:
        marked[of] = None
        self._is_many = self._is_many or len(marked) > MOST_MARKED
        if self._is_many:
            marked.clear()  # a reset will stand for them

    # -- telling it

    async def beat(self) -> None:
        """Tell what was marked since the last beat; once a second also what was only polled."""
        self._beats += 1
        is_second = self._beats % BEATS_A_SECOND == 0
        if is_second:
            self._look_at_conditions()
        try:
            await self._tell(is_second=is_second)
        except StoreUnavailable:
            self._is_many = True
        self._idle_beats = 0 if self._listeners else self._idle_beats + 1
        if self._idle_beats >= LINGER_BEATS:
            self._pause()

    def _look_at_conditions(self) -> None:
        """A provider that is held back is the trouble of all its watches."""
        conditions, before = self._conditions(), self._known_conditions
        self._known_conditions = conditions
        self._is_many = self._is_many or (before is not None and before != conditions)

    async def _tell(self, *, is_second: bool) -> None:
        watches, self._watches = self._watches, {}
        deliveries, self._deliveries = self._deliveries, {}
        deliveries_of, self._deliveries_of = self._deliveries_of, {}
        if is_second or self._is_many:
            polled, self._polled = self._polled, {}
            watches |= polled
        if self._is_many:
            self._reset()
        elif watches or deliveries or deliveries_of:
            found = await self._store.find(watches, deliveries, deliveries_of=deliveries_of)
            for watch in found.watches:
                self._publish("watch", watch_body(watch, self._condition_of(watch.provider)))
            for delivery in found.deliveries:
                self._publish("delivery", delivery_body(delivery))

    def _reset(self) -> None:
        """What has been told so far is of no use any more."""
        if self._beats >= self._reset_from:
            self._is_many = False
            self._reset_from = self._beats + RESET_BEATS
            self._drop_events()
            self._publish("reset", None)

    def _publish(self, kind: str, body: Struct | None) -> None:
        text = self._event(kind, self._next, body)
        self._next += 1
        self._events.append(text)
        self._bytes += len(text)
        while len(self._events) > MOST_EVENTS or self._bytes > MOST_BYTES:
            self._bytes -= len(self._events.popleft())
        for listener in self._listeners:
            listener.news.set()

    def _event(self, kind: str, number: int, body: Struct | None) -> bytes:
        """One event. Metadata may hold line ends, between its values, and each line is one of ``data``."""
        data = b"{}" if body is None else msgspec.json.encode(body)
        lines = b"".join(b"data: " + line + b"\n" for line in data.splitlines())
        return f"id: {self._epoch}-{number}\nevent: {kind}\n".encode() + lines + b"\n"

    def _drop_events(self) -> None:
        self._events.clear()
        self._bytes = 0

    # -- those who listen

    def since(self, number: int) -> tuple[bytes, int] | None:
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
    def listening(self, last_id: str | None) -> Iterator[FeedSubscriber]:
        """Let one listen, from after ``last_id`` on; raises Problem when too many do, or at the end."""
        if self._is_closed:
            raise ProblemError("not_ready", "notifier is stopping")
        if len(self._listeners) >= MOST_LISTENERS:
            raise ProblemError("busy", f"{MOST_LISTENERS} listen already, and no more are served")
        self._resume()
        listener = self._listener(last_id)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def _listener(self, last_id: str | None) -> FeedSubscriber:
        """One without an id begins now, and has its first one at once, to come back with."""
        hello = f"retry: {RETRY_MS}\nid: {self._epoch}-{self._next - 1}\n\n".encode()
        if last_id is None:
            return FeedSubscriber(self, self._next, hello)
        place = self._place_after(last_id)
        if place is None:
            return FeedSubscriber(self, self._next, hello + self._event("reset", self._next - 1, None))
        return FeedSubscriber(self, place, f"retry: {RETRY_MS}\n\n".encode())

    def _place_after(self, last_id: str) -> int | None:
        known = _ID.fullmatch(last_id)
        if known is None or known[1] != self._epoch:
            return None
        place = int(known[2]) + 1
        return place if self._next - len(self._events) <= place <= self._next else None

    def _resume(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._forget()
            self._beating = asyncio.create_task(self._beat_on(), name="feed")

    def _pause(self) -> None:
        """Note nothing from now on, and have no id of before fit any more."""
        self._is_open = False
        self._drop_events()
        self._next += 1

    async def _beat_on(self) -> None:
        try:
            while self._is_open:
                await asyncio.sleep(self._beat_s)
                await self.beat()
        except Exception:
            log.exception("feed.crashed")
            self._pause()
            self.cut()

    def cut(self) -> None:
        """End every stream; those who may listen still will come back."""
        for listener in self._listeners:
            listener.end()

    def close(self) -> None:
        """Let nobody listen any more: the daemon stops."""
        self._is_closed = True
        self._is_open = False
        self.cut()
        if self._beating is not None:
            self._beating.cancel()
