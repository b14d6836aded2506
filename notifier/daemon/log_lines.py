"""Render an event of the log as one line: JSON, or readable text for a terminal; cleaned in both.

A line obeys these limits: no registered secret, no raw control character, no value over 1024 characters, no
local variable of a traceback. An event that cannot be rendered becomes a short line that says so.
"""

import json
import math
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import PurePath
from traceback import FrameSummary, extract_tb
from typing import Any

from structlog.processors import ExceptionRenderer, JSONRenderer, add_log_level
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, ExcInfo, Processor

from notifier.clock import wall_ms
from notifier.core.formats.json_text import redact_plain
from notifier.core.formats.text import cut
from notifier.core.formats.times import format_instant
from notifier.core.secret import Secret

VALUE_CHARS = 1024  # no record of why; changing it needs a measurement
_MAX_ITEMS = 64  # no record of why; with the other two limits it bounds a line
_MAX_DEPTH = 8  # ends a value that contains itself; a traceback has four levels
_MIN_SECRET_CHARS = 8  # a shorter secret would blank out half of every line
_MAX_CAUSES, _MAX_FRAMES = 4, 6  # a terminal shows a whole traceback in one line
PRIORITIES = {"critical": 2, "error": 3, "exception": 3, "warning": 4, "warn": 4, "info": 6, "debug": 7}
"""Levels of syslog(3), which sd-daemon(3) takes from the start of a line, by structlog's methods."""
_COLOURS = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_ADDED_FIELDS = frozenset({"timestamp", "level", "exception"})

_hidden: set[str] = set()
_traceback = ExceptionDictTransformer(show_locals=False, use_rich=False)  # local variables contain keys
_render_json = JSONRenderer(separators=(",", ":"))  # ASCII only: U+2028 and ESC are escaped too


def hide_secrets(secrets: Iterable[Secret]) -> None:
    """Replace these values by ``***`` in every later line, until the process ends."""
    _hidden.update(value for secret in secrets if len(value := secret.reveal()) >= _MIN_SECRET_CHARS)


class LineRenderer:
    """The last processor of structlog: turn an event into its line, whatever the event contains."""

    def __init__(self, *, is_text: bool, has_colours: bool, has_priority: bool) -> None:
        self._has_priority = has_priority
        render: Processor = _render_json
        if is_text:
            render = _render_coloured if has_colours else _render_plain
        trace = ExceptionRenderer(_traceback_in_one_line if is_text else _traceback)
        self._steps = (_rename_fields, add_log_level, trace, _clean_event, render)

    def __call__(self, logger: Any, method: str, event: EventDict) -> str:
        """Return the line."""
        line: Any = event
        try:
            for step in self._steps:
                line = step(logger, method, line)
        except Exception as error:  # the caller only logs, so no failure may reach it
            line = _render_failure(method, event.get("event"), error)
        return f"<{PRIORITIES.get(method, PRIORITIES['info'])}>{line}" if self._has_priority else str(line)


def _rename_fields(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Return a copy in which no field has the name of one that we add."""
    return {f"{name}_" if name in _ADDED_FIELDS else name: value for name, value in event.items()}


def _clean_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Put our own fields first and clean all values."""
    name, level = clean_text(event.pop("event", "")), event.pop("level")
    own = {"timestamp": format_instant(wall_ms()), "level": level, "event": name}
    return own | {clean_text(key): _clean(value) for key, value in event.items()}


def _render_plain(_logger: Any, _method: str, event: EventDict) -> str:
    """Render an event for a terminal: one line, and nothing that moves the cursor."""
    stamp, level, name = (_escape(str(event.pop(key))) for key in ("timestamp", "level", "event"))
    fields = [f"{_escape(key)}={_quote(value)}" for key, value in event.items()]
    return " ".join([stamp, f"{level:<8}", name, *fields])


def _render_coloured(logger: Any, method: str, event: EventDict) -> str:
    colour = _COLOURS.get(event["level"], "")
    line = _render_plain(logger, method, event)
    return f"{colour}{line}\x1b[0m" if colour else line


def _quote(value: object) -> str:
    text = _escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    needs_quotes = isinstance(value, str) and (not text or any(sign in text for sign in ' "='))
    return '"' + text.replace('"', "'") + '"' if needs_quotes else text


def _escape(text: str) -> str:
    """Escape line breaks, ESC, direction marks and other characters that do not print."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _traceback_in_one_line(exc_info: ExcInfo) -> str:
    """Render an exception with its causes; structlog leaves out a cause that was never raised."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(parts) < _MAX_CAUSES:
        frames = " > ".join(map(_frame, extract_tb(error.__traceback__)[-_MAX_FRAMES:]))
        parts.append(f"{type(error).__name__}: {clean_text(error)} [{frames}]")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " <- ".join(parts)


def _frame(frame: FrameSummary) -> str:
    return f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}"


def _render_failure(method: str, name: object, error: Exception) -> str:
    """Render what is safe of an event that could not be rendered."""
    own = {"timestamp": format_instant(wall_ms()), "level": method}
    event = clean_text(name) if isinstance(name, str) else "log.broken"
    trouble = f"this line could not be rendered: {type(error).__name__}"
    return json.dumps({**own, "event": event, "log_trouble": trouble}, separators=(",", ":"))


def _clean(value: object, depth: int = 0) -> object:
    """Return the value as plain data, bounded and without secrets."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else clean_text(hex(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {clean_text(key): _clean(item, depth + 1) for key, item in islice(value.items(), _MAX_ITEMS)}
    if depth < _MAX_DEPTH and isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
    return clean_text(value)


def clean_text(value: object) -> str:
    """Return the value as bounded text. Secrets are replaced before the cut, which could split one."""
    try:
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    except Exception as error:  # the value's own __str__ fails
        return f"<{type(value).__name__}: {type(error).__name__}>"
    for secret in sorted(_hidden, key=len, reverse=True):  # the longest first: one may contain another
        text = redact_plain(text, secret)
    return cut(text, VALUE_CHARS)
