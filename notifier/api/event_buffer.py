"""Keep the last server-sent events in memory, bounded by number and bytes. ``event_feed.py`` uses it."""

import re
from collections import deque
from itertools import islice

import msgspec
from msgspec import Struct

MAX_EVENTS = 1_000
"""CONTRACT P5: bounded. No record of why 1 000; changing it needs a measurement."""

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""CONTRACT P5: bounded, because metadata makes events of up to 16 KiB and more. No record of why 4 MiB."""

PIECE_BYTES = 64 * 1024
"""Bounds what one subscriber is sent at once (CONTRACT P5). No record of why 64 KiB."""

_ID = re.compile(r"([0-9a-z]+)-([0-9]{1,15})")


class EventBuffer:
    """The last events, encoded and numbered. ``epoch`` identifies this run in their ids."""

    def __init__(self, epoch: str) -> None:
        self.next = 1
        self._epoch = epoch
        self._events: deque[bytes] = deque()  # those right before ``next``
        self._bytes = 0

    @property
    def last_id(self) -> str:
        """Return the id to resume by after all events so far."""
        return f"{self._epoch}-{self.next - 1}"

    def append(self, kind: str, body: Struct | None) -> None:
        """Add an event, and drop the oldest ones beyond the limits."""
        self.next += 1
        event = self.format(kind, body)
        self._events.append(event)
        self._bytes += len(event)
        while len(self._events) > MAX_EVENTS or self._bytes > MAX_EVENT_BYTES:
            self._bytes -= len(self._events.popleft())

    def format(self, kind: str, body: Struct | None) -> bytes:
        """Format an event with the last id. Metadata may hold line ends; each line is a ``data`` field."""
        data = b"{}" if body is None else msgspec.json.encode(body)
        lines = b"".join(b"data: " + line + b"\n" for line in data.splitlines())
        return f"id: {self.last_id}\nevent: {kind}\n".encode() + lines + b"\n"

    def read_from(self, number: int) -> tuple[bytes, int] | None:
        """Return some events from ``number`` on and the number after them; None if that one is dropped."""
        skipped = number - (self.next - len(self._events))
        if skipped < 0:
            return None
        size, pieces = 0, []
        for event in islice(self._events, skipped, None):
            pieces.append(event)
            size += len(event)
            if size >= PIECE_BYTES:
                break
        return b"".join(pieces), number + len(pieces)

    def find_after(self, last_id: str) -> int | None:
        """Return the number after an id; None if it is of another run, or too old."""
        match = _ID.fullmatch(last_id)
        if match is None or match[1] != self._epoch:
            return None
        number = int(match[2]) + 1
        return number if self.next - len(self._events) <= number <= self.next else None

    def clear(self) -> None:
        """Drop all events."""
        self._events.clear()
        self._bytes = 0

    def invalidate_ids(self) -> None:
        """Drop all events, and skip a number, so that no id of before is valid any more."""
        self.clear()
        self.next += 1
