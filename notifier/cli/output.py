"""What a person sees: data on stdout, talk on stderr, nothing that could drive the terminal.

Texts of tasks, providers and receivers come from strangers. Whatever in them is not plain text is shown as
its escape, in JSON too, where the escape means the same.
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
"""An instant as a value of ``client/model.py`` has it, or as RFC 3339 text; None and other text are none."""

NARROW = 80
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

# C1 controls and DEL, and what is invisible or turns the direction of writing.
_UNSAFE_IN_JSON = re.compile(
    "[\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def print_note(text: str) -> None:
    """Talk: one line on stderr."""
    click.echo(text, err=True)


class OutputFailed(NotifierError):
    """Standard output takes nothing: the disk behind it is full, say. What was to be done is done."""

    code = "cannot_tell"
    exit_status = 74


def print_data(line: str, *, end: str = "\n") -> None:
    """Tell data: one line on stdout. ``line`` is safe already; colours in it pass if it may have them."""
    _put(line + end)


def _put(text: str | bytes) -> None:
    try:
        click.echo(text, nl=False, color=is_coloured())
    except BrokenPipeError:
        raise
    except OSError as fault:
        cause = f"standard output cannot be written ({fault.strerror})"
        raise OutputFailed(cause, "see where it is redirected to") from fault


def print_json(raw: bytes) -> None:
    """Print JSON with the values it came with; spread out for a person, one line for a program."""
    spread = msgspec.json.format(raw, indent=2 if _is_terminal() else -1)
    text = _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", spread.decode())
    _put(text.encode() + b"\n")


def print_error(fault: NotifierError) -> None:
    """Name the code, the cause, each place at fault, and the fix."""
    if isinstance(fault, InvalidConfig):
        print_note(f"notifier: {fault.code}: the configuration cannot be used")
        for each in fault.faults:
            print_note(f"  {escape(str(each))}")
        print_note("  fix: correct that; `notifier check` tells when it is right")
        return
    problem = fault.problem if isinstance(fault, ApiProblem) else None
    errors = [] if problem is None else _at_their_places(problem.errors)
    # The cause quotes the first of them; with all of them at hand it would be said twice.
    cause = errors[0] if len(errors) == 1 else f"{len(errors)} faults" if errors else escape(fault.cause)
    print_note(f"notifier: {escape(problem.code if problem else fault.code)}: {cause}")
    for error in errors if len(errors) > 1 else ():
        print_note(f"  {error}")
    if fault.fix:
        print_note(f"  fix: {escape(fault.fix)}")


def _at_their_places(errors: Sequence[Fault]) -> list[str]:
    whole = "(the whole body)" if any(each.pointer for each in errors) else ""
    places = [escape(each.pointer) or whole for each in errors]
    return [
        f"{place}: {escape(each.detail)}" if place else escape(each.detail)
        for place, each in zip(places, errors, strict=True)
    ]


def is_coloured() -> bool:
    """Colour is for terminals, and for people who did not decline it (no-color.org)."""
    return _is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """How many columns there are; as many as wanted where a program reads."""
    return max(40, shutil.get_terminal_size((NARROW, 24)).columns) if _is_terminal() else sys.maxsize


def note_width() -> int:
    """How many columns stderr has, where it is a terminal; NARROW elsewhere."""
    try:
        given = int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return NARROW
    return given if given > 0 else NARROW


def wrap(text: str, indent: int) -> list[str]:
    """Break a sentence into lines that stand ``indent`` columns in; a program gets it in one."""
    size = width() - indent
    return (
        [escape(text)]
        if size > NARROW * 4
        else textwrap.wrap(escape(text), max(20, size), break_on_hyphens=False) or [""]
    )


def escape(text: str) -> str:
    """Replace what is not plain text by its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(sign) if unicodedata.category(sign) in _ESCAPED else sign for sign in text)


def shorten(text: str, size: int) -> str:
    """Cut to ``size`` columns, with … for what is missing."""
    if count_columns(text) <= size:
        return text
    kept = ""
    for sign in text:
        if count_columns(kept + sign) > size - 1:
            break
        kept += sign
    return kept + "…"


def count_columns(text: str) -> int:
    """How many columns a terminal gives it: signs of East Asia take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def format_fields(pairs: Sequence[tuple[str, str | Sequence[str]]]) -> Iterator[str]:
    """Names and values, the values in line and whole: URLs are there to be copied."""
    indent = max((count_columns(escape(name)) for name, _ in pairs), default=0) + len(GAP)
    for name, value in pairs:
        first, *others = [value] if isinstance(value, str) else list(value) or [""]
        yield (pad(escape(name), indent) + colour_state(escape(first))).rstrip()
        for other in others:
            yield " " * indent + escape(other)


def short_time(instant: Instant, now: int | None = None) -> str:
    """The local time of an instant, as short as it stays clear; anything else as it is."""
    at = _instant_ms(instant)
    if at is None:
        return str(instant or "")
    here, today = _local(at), _local(wall_ms() if now is None else now)
    if here.date() == today.date():
        return here.strftime("%H:%M:%S")
    return here.strftime("%m-%d %H:%M" if here.year == today.year else "%Y-%m-%d %H:%M")


def localize_instants(text: str) -> str:
    """A sentence of ours with each instant in it as a person reads it: local, and how long ago."""
    return _INSTANT.sub(lambda found: format_time_and_age(found[0]), text)


def format_time_and_age(instant: Instant) -> str:
    """The local time of an instant, and how long ago that was, if it was."""
    passed = format_age(instant)
    return f"{short_time(instant)} ({passed} ago)" if passed else short_time(instant)


def format_age(instant: Instant, now: int | None = None) -> str:
    """How long ago that was, in its largest unit; nothing for what is to come, or is no instant."""
    at = _instant_ms(instant)
    seconds = -1 if at is None else ((wall_ms() if now is None else now) - at) // 1_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s" if seconds >= 0 else ""


def colour_state(word: str) -> str:
    """A word of state in its colour, any other as it is."""
    colour = COLOURS.get(word.rstrip())
    return click.style(word, fg=colour) if colour is not None and is_coloured() else word


def pad(text: str, size: int) -> str:
    """Fill up to ``size`` columns."""
    return text + " " * (size - count_columns(text))


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _instant_ms(instant: Instant) -> int | None:
    if isinstance(instant, datetime):
        return (instant - _EPOCH) // timedelta(milliseconds=1)
    return parse_instant(instant)


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000, UTC).astimezone()


def _is_terminal() -> bool:
    return sys.stdout.isatty()
