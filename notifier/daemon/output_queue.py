"""Write standard output and standard error in threads, so that nothing waits for their reader.

A pipe that nobody reads, or a terminal after Ctrl-S, blocks each write. The queue is bounded: lines beyond it
are dropped and counted.
"""

import contextlib
import io
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

# About 20 000 lines of the log. Trade-off: below a hundredth of the unit's MemoryMax=512M.
MAX_QUEUED_BYTES = 4 * 1024 * 1024
FLUSH_LIMIT_S = 1.0  # at the end; a reader that reads needs milliseconds. No record of a measurement.

OnDropped = Callable[[int], None]


class QueuedStream(io.TextIOBase):
    """A text stream over a descriptor. Its writes return at once; a thread writes them in order."""

    def __init__(self, stream: TextIO, on_dropped: OnDropped, *, max_bytes: int = MAX_QUEUED_BYTES) -> None:
        self._stream = stream
        self._fd = stream.fileno()
        self._on_dropped = on_dropped
        self._max_bytes = max_bytes
        self._texts: deque[bytes] = deque()
        self._queued_bytes = 0
        self._dropped_count = 0
        self._is_closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_queued, name="output", daemon=True)

    @property
    def encoding(self) -> str:  # type: ignore[override] # the class of the library has a plain attribute
        """The encoding of the stream."""
        return self._stream.encoding or "utf-8"

    def start(self) -> None:
        """Start the thread. Raise RuntimeError if the process may start no more threads."""
        self._thread.start()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self._fd

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return True: this is an output."""
        return True

    def write(self, text: str) -> int:
        """Queue the text, or drop and count it if the queue is full."""
        data = text.encode(self.encoding, "backslashreplace")
        with self._changed:
            if self._queued_bytes + len(data) > self._max_bytes:
                self._dropped_count += 1
            else:
                self._texts.append(data)
                self._queued_bytes += len(data)
                self._changed.notify()
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes without a buffer."""

    def finish(self, limit_s: float = FLUSH_LIMIT_S) -> None:
        """Wait until everything is written, at most ``limit_s``; then leave the rest to be lost."""
        ends_at = time.monotonic() + limit_s
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(max(0.0, ends_at - time.monotonic()))

    def _write_queued(self) -> None:
        while (data := self._next()) is not None:
            with contextlib.suppress(OSError):  # the reader ended, or the disk is full: the text is lost
                _write_all(self._fd, data)
            with self._changed:
                self._queued_bytes -= len(data)
            if count := self._take_dropped():
                self._on_dropped(count)

    def _next(self) -> bytes | None:
        """Wait for the next text; None at the end."""
        with self._changed:
            while not self._texts and not self._is_closing:
                self._changed.wait()
            return self._texts.popleft() if self._texts else None

    def _take_dropped(self) -> int:
        """Return and reset the count once half of the queue is free, so that its report has room."""
        with self._changed:
            if self._queued_bytes > self._max_bytes / 2:
                return 0
            count, self._dropped_count = self._dropped_count, 0
            return count


def _write_all(fd: int, data: bytes) -> None:
    """Write all bytes. Another process may have made the pipe non-blocking, so wait for room then."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()


@contextlib.contextmanager
def queue_output(on_dropped: OnDropped) -> Iterator[None]:
    """Replace ``sys.stdout`` and ``sys.stderr`` by queues for the block; write the rest at its end."""
    with contextlib.ExitStack() as stack:
        for stream, redirect in (
            (sys.stdout, contextlib.redirect_stdout),
            (sys.stderr, contextlib.redirect_stderr),
        ):
            with contextlib.suppress(OSError, ValueError):  # no descriptor: a test, or a closed stream
                queued = QueuedStream(stream, on_dropped)
                stream.flush()
                queued.start()
                stack.callback(queued.finish)
                stack.enter_context(redirect(queued))
        yield
