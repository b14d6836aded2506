"""Format texts for people: on one line, cut, filled in, with units."""

import re
from collections.abc import Mapping

_ELLIPSIS = "…"
_PLACE = re.compile(r"\{(\w+)\}|\{([^{}\[\]]*)\[(\w+)\]([^{}\[\]]*)\}")


def one_line(text: str, limit: int) -> str:
    """Return ``text`` as one printable line of at most ``limit`` characters."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * limit])
    return cut(" ".join(printable.split()), limit)


def cut(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of ``text``; a cut text ends with ``…``."""
    return text if len(text) <= limit else text[: limit - 1] + _ELLIPSIS


def fill_template(template: str, values: Mapping[str, str | int]) -> str:
    """Insert the values, in one pass, so that braces in a value are not expanded.

    ``{name}`` is a value. ``{before[name]after}`` is a value with the words around it; without the value it
    is empty.
    """

    def value_at(place: re.Match[str]) -> str:
        plain, before, optional, after = place.groups()
        if plain is not None:
            return str(values.get(plain, ""))
        value = values.get(optional, "")
        return "" if value == "" else f"{before}{value}{after}"

    return _PLACE.sub(value_at, template)


def describe_task_error(source: str, code: int | str | None, title: str | None, detail: str | None) -> str:
    """Describe why a task did not complete, and according to whom."""
    sentences = [each.strip() for each in (title, detail) if each and each.strip()]
    *before, last = sentences or [""]
    text = " ".join([*(each if each[-1] in ".!?:" else f"{each}." for each in before), last])
    summary = ": ".join(each for each in ("" if code is None else str(code), text) if each)
    return f"{summary} (says the {source})"


def format_size(size: int) -> str:
    """Format a number of bytes in the largest unit that divides it."""
    for unit, length in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % length == 0:
            return f"{size // length} {unit}"
    return f"{size} bytes"


def format_duration(time_ms: int) -> str:
    """Format a duration in seconds, with tenths below a minute."""
    return f"{time_ms / 1_000:.1f} s" if -60_000 < time_ms < 60_000 else f"{time_ms // 1_000} s"
