"""Print for people and programs: data on stdout, notes and errors on stderr.

Texts of tasks, providers and receivers are not trusted. Characters that could control the terminal are
printed as escapes; in JSON the escape has the same meaning.
"""

import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import click
import msgspec

from notifier.cli.client import ApiProblem, Fault
from notifier.clock import wall_ms
from notifier.config.errors import InvalidConfig
from notifier.core.formats.times import parse_instant
from notifier.errors import NotifierError

Instant = datetime | str | None
"""A datetime of ``client/model.py``, or RFC 3339 text. None and other texts are no instant."""

DEFAULT_COLUMNS = 80  # of a terminal of unknown width; a test holds the help to it
MIN_COLUMNS = 40  # no record of why; changing it needs a measurement
MIN_TEXT_COLUMNS = 20  # no record of why; changing it needs a measurement
GAP = "  "
COLOURS: Mapping[str, str] = {
    "watching": "cyan",
    "pending": "cyan",
    "completed": "green",
    "delivered": "green",
    "failed": "red",
    "dead": "red",
    "cancelled": "yellow",
    "expired": "yellow",
    "lost": "yellow",
}

# DEL, C1 controls, invisible characters, and those that change the direction of writing.
_UNSAFE_IN_JSON = re.compile(
    "[\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_INSTANT_PATTERN = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def print_note(text: str) -> None:
    """Print one line on stderr."""
    click.echo(text, err=True)


class OutputFailed(NotifierError):
    """Standard output cannot be written, as on a full disk. The command itself was executed."""

    code = "cannot_tell"
    exit_status = 74


def print_data(line: str, *, end: str = "\n") -> None:
    """Print one line on stdout. ``line`` is escaped already; without a terminal its colours are removed."""
    _write(line + end)


def _write(text: str | bytes) -> None:
    try:
        click.echo(text, nl=False, color=is_coloured())
    except BrokenPipeError:
        raise
    except OSError as error:
        cause = f"standard output cannot be written ({error.strerror})"
        raise OutputFailed(cause, "check where it is redirected to") from error


def print_json(raw: bytes) -> None:
    """Print JSON without changing a value: indented on a terminal, else on one line."""
    formatted = msgspec.json.format(raw, indent=2 if _is_terminal() else -1)
    text = _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", formatted.decode())
    _write(text.encode() + b"\n")


def print_error(error: NotifierError) -> None:
    """Print the code, the cause, each field with its error, and the fix."""
    if isinstance(error, InvalidConfig):
        print_note(f"notifier: {error.code}: the configuration has errors")
        for config_error in error.errors:
            print_note(f"  {escape(str(config_error))}")
        print_note("  fix: correct them; `notifier check` lists those that remain")
        return
    problem = error.problem if isinstance(error, ApiProblem) else None
    errors = [] if problem is None else _format_field_errors(problem.errors)
    # The cause quotes the first field error, which is printed anyway.
    cause = errors[0] if len(errors) == 1 else f"{len(errors)} errors" if errors else escape(error.cause)
    print_note(f"notifier: {escape(problem.code if problem else error.code)}: {cause}")
    for each in errors if len(errors) > 1 else ():
        print_note(f"  {each}")
    if error.fix:
        print_note(f"  fix: {escape(error.fix)}")


def _format_field_errors(errors: Sequence[Fault]) -> list[str]:
    root = "(the whole body)" if any(each.pointer for each in errors) else ""
    places = [escape(each.pointer) or root for each in errors]
    return [
        f"{place}: {escape(each.detail)}" if place else escape(each.detail)
        for place, each in zip(places, errors, strict=True)
    ]


def is_coloured() -> bool:
    """Return whether stdout is a terminal whose user has not declined colours (no-color.org)."""
    return _is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def measure_stdout() -> int:
    """Return the columns of stdout: no limit if it is not a terminal."""
    return (
        max(MIN_COLUMNS, shutil.get_terminal_size((DEFAULT_COLUMNS, 24)).columns)
        if _is_terminal()
        else sys.maxsize
    )


def measure_stderr() -> int:
    """Return the columns of stderr: ``DEFAULT_COLUMNS`` if it is not a terminal."""
    try:
        columns = int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return DEFAULT_COLUMNS
    return columns if columns > 0 else DEFAULT_COLUMNS


def wrap(text: str, indent: int) -> list[str]:
    """Break a sentence into lines for a terminal, less ``indent`` columns. A program gets one line."""
    size = measure_stdout() - indent
    return (
        [escape(text)]
        if size > DEFAULT_COLUMNS * 4
        else textwrap.wrap(escape(text), max(MIN_TEXT_COLUMNS, size), break_on_hyphens=False) or [""]
    )


def escape(text: str) -> str:
    """Replace characters that are not printable text by their escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escape_character(character) if unicodedata.category(character) in _ESCAPED_CATEGORIES else character
        for character in text
    )


def shorten(text: str, size: int) -> str:
    """Cut a text to ``size`` columns, with … at the cut."""
    if count_columns(text) <= size:
        return text
    start = ""
    for character in text:
        if count_columns(start + character) > size - 1:
            break
        start += character
    return start + "…"


def count_columns(text: str) -> int:
    """Return the columns of a text on a terminal: two for East Asian characters, none for accents."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def format_fields(pairs: Sequence[tuple[str, str | Sequence[str]]]) -> Iterator[str]:
    """Format names and aligned values. Values are not cut, because URLs are to be copied."""
    indent = max((count_columns(escape(name)) for name, _ in pairs), default=0) + len(GAP)
    for name, value in pairs:
        first, *others = [value] if isinstance(value, str) else list(value) or [""]
        yield (pad(escape(name), indent) + colour_state(escape(first))).rstrip()
        for other in others:
            yield " " * indent + escape(other)


def format_time(instant: Instant, now: int | None = None) -> str:
    """Format an instant in local time, without the date if it is today's. Return other texts unchanged."""
    at = _instant_ms(instant)
    if at is None:
        return str(instant or "")
    here, today = _to_local(at), _to_local(wall_ms() if now is None else now)
    if here.date() == today.date():
        return here.strftime("%H:%M:%S")
    return here.strftime("%m-%d %H:%M" if here.year == today.year else "%Y-%m-%d %H:%M")


def localize_instants(text: str) -> str:
    """Replace each instant in a text by its local time and age."""
    return _INSTANT_PATTERN.sub(lambda match: format_time_and_age(match[0]), text)


def format_time_and_age(instant: Instant) -> str:
    """Format an instant in local time, with its age if it has passed."""
    passed = format_age(instant)
    return f"{format_time(instant)} ({passed} ago)" if passed else format_time(instant)


def format_age(instant: Instant, now: int | None = None) -> str:
    """Format the age of an instant in its largest unit. Return "" for the future and for no instant."""
    at = _instant_ms(instant)
    seconds = -1 if at is None else ((wall_ms() if now is None else now) - at) // 1_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s" if seconds >= 0 else ""


def colour_state(word: str) -> str:
    """Colour the name of a state. Return other words unchanged."""
    colour = COLOURS.get(word.rstrip())
    return click.style(word, fg=colour) if colour is not None and is_coloured() else word


def pad(text: str, size: int) -> str:
    """Fill a text with spaces up to ``size`` columns."""
    return text + " " * (size - count_columns(text))


def _escape_character(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _instant_ms(instant: Instant) -> int | None:
    if isinstance(instant, datetime):
        return (instant - _EPOCH) // timedelta(milliseconds=1)
    return parse_instant(instant)


def _to_local(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000, UTC).astimezone()


def _is_terminal() -> bool:
    return sys.stdout.isatty()
