"""One line that shows how far something is: on stderr, on a terminal, and gone when it is over."""

import os
import sys
from types import TracebackType

from notifier.cli.output import escape, note_width, shorten

_CLEAR = "\r\x1b[K"


class Progress:
    """A line that is written over. Elsewhere than on a terminal it does nothing at all.

    Whoever prints meanwhile calls ``clear`` first.
    """

    def __init__(self) -> None:
        self.is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_up = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Put this in place of what was there."""
        if self.is_shown:
            self._write(_CLEAR + shorten(escape(text), note_width() - 1))
            self._is_up = True

    def clear(self) -> None:
        """Leave an empty line, with the cursor at its start."""
        if self._is_up:
            self._write(_CLEAR)
            self._is_up = False

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
