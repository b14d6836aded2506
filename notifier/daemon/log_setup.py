"""Logs: one line an event, on one stream, from our code and from the libraries alike.

An event is a constant dotted name (``delivery.dead``); what varies goes into fields. On a terminal the line
is for eyes, elsewhere it is JSON, and where the stream is the journal it begins with ``<N>``, its priority.
Whatever is logged, these hold for the line: no secret that was made known here, no control character as it
is, no value over 1024 characters, no local variables of a traceback. And a line always comes: what cannot
be rendered is replaced by a bare one that says so.
"""

import contextlib
import json
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from notifier.clock import wall_ms
from notifier.config.model import LogSettings
from notifier.core.formats.json_text import redact_plain
from notifier.core.formats.text import cut
from notifier.core.formats.times import format_instant
from notifier.core.secret import Secret

VALUE_CHARS = 1024
_ITEMS = 64
_DEPTH = 8
_HIDEABLE_CHARS = 8  # a shorter secret would blank out half of every line
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_COLOURS = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_METHODS = {"exception": "error", "warn": "warning", "fatal": "critical", "msg": "info", "log": "info"}
# Their lines below WARNING carry whole URLs, or come with each poll.
_QUIET = (
    "apscheduler",
    "asyncio",
    "httpcore",
    "httpx",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)

Event = MutableMapping[str, Any]

_hidden: set[str] = set()


def hide_secrets(secrets: Iterable[Secret]) -> None:
    """Have these values replaced by ``***`` wherever they occur, from now on and for good."""
    _hidden.update(value for secret in secrets if len(value := secret.reveal()) >= _HIDEABLE_CHARS)


def set_up(
    settings: LogSettings,
    secrets: Iterable[Secret] = (),
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Route everything to ``stream`` (standard output). Calling it again, at a reload, replaces the first."""
    hide_secrets(secrets)
    stream = stream if stream is not None else sys.stdout
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    has_colours = _is_terminal(stream) and not environ.get("NO_COLOR")
    line = _Line(_is_console(settings, stream), _is_journal(stream, environ), has_colours)
    out = _Out(stream)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        logger_factory=lambda *_args: out,
        cache_logger_on_first_use=False,  # a reload may change the level of every logger
    )
    root = logging.getLogger()
    root.handlers = [_Bridge(line, out)]
    library_level = max(level, logging.WARNING)
    root.setLevel(library_level)
    for name in _QUIET:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(library_level)
    logging.captureWarnings(True)


def complain(*lines: str, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Say in words, on ``stream`` (standard error), why the daemon ends; in the journal, as an error."""
    stream = stream if stream is not None else sys.stderr
    prefix = f"<{_PRIORITIES['error']}>" if _is_journal(stream, environ) else ""
    for line in lines:
        print(f"{prefix}{line}", file=stream)


class _Out:
    """The stream. A line is one write, and a stream that is gone is no reason to fail."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()

    debug = info = warning = warn = error = critical = fatal = exception = msg = log = write


class _Line:
    """The last processor: an event becomes its line."""

    def __init__(self, is_console: bool, is_journal: bool, has_colours: bool) -> None:
        self._is_journal = is_journal
        self._render: Callable[[Event], str] = _json
        self._trace: Callable[[Any], object] = ExceptionDictTransformer(show_locals=False, use_rich=False)
        if is_console:
            self._render = _coloured if has_colours else _plain
            self._trace = _one_line_trace

    def __call__(self, _logger: Any, method: str, event: Event) -> str:
        level = _METHODS.get(method, method)
        stamp = format_instant(wall_ms())
        try:
            line = self._render(self._dressed(event, stamp, level))
        except Exception as fault:  # a line always comes
            line = _bare_line(event, stamp, level, fault)
        return f"<{_PRIORITIES.get(level, 6)}>{line}" if self._is_journal else line

    def _dressed(self, event: Event, stamp: str, level: str) -> Event:
        dressed: Event = {"timestamp": stamp, "level": level, "event": _text(event.get("event", ""))}
        raised = _exc_info(event.get("exc_info"))
        for name, value in event.items():
            if name not in {"event", "exc_info"}:
                key = _text(name)
                dressed[f"{key}_" if key in {"timestamp", "level", "exception"} else key] = _clean(value)
        if raised is not None:
            dressed["exception"] = _clean(self._trace(raised))
        return dressed


class _Bridge(logging.Handler):
    """Takes what libraries log by ``logging``: the text is a field, because it is not constant."""

    def __init__(self, line: _Line, out: _Out) -> None:
        super().__init__()
        self._line = line
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as fault:  # the library's arguments do not fit its own text
            text = f"{record.msg} ({type(fault).__name__} in its arguments)"
        event = {"event": "library", "logger": record.name, "message": text, "exc_info": record.exc_info}
        self._out.write(self._line(None, record.levelname.lower(), event))


def _is_console(settings: LogSettings, stream: TextIO) -> bool:
    return settings.format == "console" or (settings.format == "auto" and _is_terminal(stream))


def _is_terminal(stream: TextIO) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return stream.isatty()
    return False


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    with contextlib.suppress(OSError, ValueError):
        found = os.fstat(stream.fileno())
        return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


def _json(event: Event) -> str:
    return json.dumps(event, separators=(",", ":"))  # ASCII only: U+2028 and ESC are escaped too


def _plain(event: Event) -> str:
    """Render for a terminal: one line, whatever stands in it, and nothing that moves the cursor."""
    stamp, level, name = (_printable(str(event[key])) for key in ("timestamp", "level", "event"))
    fields = [
        f"{_printable(key)}={_shown(value)}"
        for key, value in event.items()
        if key not in {"timestamp", "level", "event"}
    ]
    return " ".join([stamp, f"{level:<8}", name, *fields])


def _coloured(event: Event) -> str:
    colour = _COLOURS.get(event["level"], "")
    return f"{colour}{_plain(event)}\x1b[0m" if colour else _plain(event)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = _printable(text)
    needs_quotes = isinstance(value, str) and (not text or any(sign in text for sign in ' "='))
    return '"' + text.replace('"', "'") + '"' if needs_quotes else text


def _bare_line(event: Event, stamp: str, level: str, fault: Exception) -> str:
    """Say what can still be said, with nothing that has not been cleaned."""
    name = event.get("event")
    trouble = f"this line could not be rendered: {type(fault).__name__}"
    told = _text(name) if isinstance(name, str) else "log.broken"
    return _json({"timestamp": stamp, "level": level, "event": told, "log_trouble": trouble})


def _clean(value: object, depth: int = 0) -> object:
    """Return the value as plain data: bounded, printable, without secrets."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else _text(hex(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < _DEPTH and isinstance(value, Mapping):
        return {_text(key): _clean(item, depth + 1) for key, item in _first(value.items())}
    if depth < _DEPTH and isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(item, depth + 1) for item in _first(value)]
    return _text(value)


def _first(items: Iterable[Any]) -> list[Any]:
    return [item for item, _ in zip(items, range(_ITEMS), strict=False)]


def _text(value: object) -> str:
    """Return the value as text of at most 1024 characters, secrets replaced before anything is cut."""
    try:
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    except Exception as fault:  # a foreign __str__
        return f"<{type(value).__name__}: {type(fault).__name__}>"
    for secret in sorted(_hidden, key=len, reverse=True):
        text = redact_plain(text, secret)
    return cut(text, VALUE_CHARS)


def _printable(text: str) -> str:
    """Escape line breaks, ESC, direction marks and their kind."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _exc_info(given: object) -> Any:
    """Return what was raised as (type, value, traceback), whichever way it was passed; None for nothing."""
    if isinstance(given, BaseException):
        return (type(given), given, given.__traceback__)
    if isinstance(given, tuple):
        return given if given and given[0] is not None else None
    current = sys.exc_info()
    return current if given and current[0] is not None else None


def _one_line_trace(exc_info: Any) -> str:
    """Say what was raised and where, innermost frame last, with its causes: for a terminal."""
    parts: list[str] = []
    fault: BaseException | None = exc_info[1]
    while fault is not None and len(parts) < 4:
        frames, step = [], fault.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            frames.append(f"{os.path.basename(code.co_filename)}:{step.tb_lineno} {code.co_name}")  # noqa: PTH119 - a name, no path
            step = step.tb_next
        parts.append(f"{type(fault).__name__}: {fault} [{' > '.join(frames[-6:])}]")
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    return " <- ".join(parts)
