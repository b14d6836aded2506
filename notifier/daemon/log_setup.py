"""Set up the daemon's log: one line per event on one stream, for our code and for the libraries.

An event is a constant dotted name (``delivery.dead``); fields hold what varies. A terminal gets readable
text, every other stream gets JSON. In the journal each line begins with its priority, ``<N>``.
"""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import TextIO

import structlog
from structlog.contextvars import merge_contextvars

from notifier.config.model import LogSettings
from notifier.core.secret import Secret
from notifier.daemon.log_lines import PRIORITIES, LineRenderer, clean_text, hide_secrets

# The lines of these loggers below WARNING contain whole URLs, or come with each poll.
_NOISY_LIBRARIES = (
    "apscheduler",
    "asyncio",
    "httpcore",
    "httpx",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)


def set_up(
    settings: LogSettings,
    secrets: Iterable[Secret] = (),
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Write every event to ``stream`` (standard output). A second call, at a reload, replaces the first."""
    hide_secrets(secrets)
    stream = stream if stream is not None else sys.stdout
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    output, render = _Output(stream), _renderer(settings, stream, environ)
    structlog.configure(
        processors=[merge_contextvars, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        logger_factory=lambda *_args: output,
        cache_logger_on_first_use=False,  # a reload may change the level of every logger
    )
    _route_libraries(_LibraryHandler(render, output), max(level, logging.WARNING))


def _renderer(settings: LogSettings, stream: TextIO, environ: Mapping[str, str]) -> LineRenderer:
    is_terminal = _is_terminal(stream)
    return LineRenderer(
        is_text=settings.format == "console" or (settings.format == "auto" and is_terminal),
        has_colours=is_terminal and not environ.get("NO_COLOR"),
        has_priority=_is_journal(stream, environ),
    )


def _route_libraries(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _NOISY_LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(level)
    logging.captureWarnings(True)


def print_error(*lines: str, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Print lines for a person on ``stream`` (standard error); the journal gets them as errors."""
    stream = stream if stream is not None else sys.stderr
    prefix = f"<{PRIORITIES['error']}>" if _is_journal(stream, environ) else ""
    for line in lines:
        print(f"{prefix}{line}", file=stream)


class _Output:
    """The stream: one write per line. A stream that is closed or full stops nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()

    debug = info = warning = warn = error = critical = fatal = exception = msg = log = write


class _LibraryHandler(logging.Handler):
    """Log what libraries write by ``logging``. Their text is a field, because an event is constant."""

    def __init__(self, render: LineRenderer, output: _Output) -> None:
        super().__init__()
        self._render = render
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        event = {"event": "library", "logger": record.name, "message": _message(record)}
        line = self._render(None, record.levelname.lower(), {**event, "exc_info": record.exc_info})
        self._output.write(line)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # the arguments of the library do not fit its text
        return f"{clean_text(record.msg)} ({type(error).__name__} in its arguments)"


def _is_terminal(stream: TextIO) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return stream.isatty()
    return False


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    with contextlib.suppress(OSError, ValueError):
        status = os.fstat(stream.fileno())
        return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False
