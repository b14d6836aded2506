"""One line that shows how far something is: on stderr, on a terminal, and gone when it is over."""

import os
import sys
from types import TracebackType

from notifier.cli.output import escape, measure_stderr, shorten

_CLEAR = "\r\x1b[K"


class Progress:
    """A line that is written over. Elsewhere than on a terminal it does nothing at all.

    Whoever prints meanwhile calls ``clear`` first.
    """

    def __init__(self) -> None:
        self.is_visible = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._has_text = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Put this in place of what was there."""
        if self.is_visible:
            self._write(_CLEAR + shorten(escape(text), measure_stderr() - 1))
            self._has_text = True

    def clear(self) -> None:
        """Leave an empty line, with the cursor at its start."""
        if self._has_text:
            self._write(_CLEAR)
            self._has_text = False

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
