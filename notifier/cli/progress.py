"""Show the progress of a command in one line on stderr."""

import os
import sys
from types import TracebackType

from notifier.cli.output import escape, measure_stderr, shorten

_CLEAR = "\r\x1b[K"


class Progress:
    """A line on stderr that is overwritten, and cleared at the end. Without a terminal it prints nothing.

    Call ``clear`` before anything else is printed.
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
        """Replace the line by this text."""
        if self.is_visible:
            self._write(_CLEAR + shorten(escape(text), measure_stderr() - 1))
            self._has_text = True

    def clear(self) -> None:
        """Empty the line, and put the cursor at its start."""
        if self._has_text:
            self._write(_CLEAR)
            self._has_text = False

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
