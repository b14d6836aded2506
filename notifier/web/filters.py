"""Build HTML as values: all other text is escaped, and only ``tag`` makes markup. Pure."""

import re
from collections.abc import Callable, Sequence
from html import escape

from notifier.core.formats.times import parse_instant

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)", re.ASCII)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


class Html(str):
    """Markup that is safe to insert. Any other text is escaped."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Html:
    """Make an element. ``class_`` becomes class, and ``aria_label`` aria-label."""
    attributes_text = "".join(f' {_attribute(key)}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{attributes_text}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Concatenate pieces, and escape those that are text."""
    return Html("".join(each if isinstance(each, Html) else escape(each) for each in children))


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, is_wide: bool = False
) -> Html:
    """Make a table with a caption and column headers, in a frame that scrolls.

    On a narrow screen a wide table shows each row as a card. Its parts then need their roles, so that a
    screen reader still reads a table.
    """
    head = tag("tr", *(tag("th", each, scope="col", role="columnheader") for each in columns), role="row")
    body = [tag("tr", *map(_cell, columns, row), role="row") for row in rows]
    whole = tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", head, role="rowgroup"),
        tag("tbody", *body, role="rowgroup"),
        role="table",
        class_="wide" if is_wide else "narrow",
    )
    return tag("div", whole, class_="scroll", tabindex="0", role="group", aria_label=caption)


def _cell(head: str, content: str) -> Html:
    return tag("td", content, role="cell", data_head=head)


def definition_list(pairs: Sequence[tuple[str, str]]) -> Html:
    """Make a list of names and values, without empty values."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value]
    return tag("dl", *rows)


def moment(text: str | None, now: int, *, due: str = "") -> Html:
    """Format the distance to an instant, past or future; nothing for None.

    ``due`` is the text to use once the instant has passed.
    """
    return _time(text, lambda at: due if due and at <= now else _distance(at, now))


def age(text: str | None, now: int) -> Html:
    """Format the age of an instant, for a column of ages."""
    return _time(text, lambda at: span(max(0, now - at)))


def instant(text: str | None, now: int, *, due: str = "") -> Html:
    """Format an instant and the distance to it."""

    def text_at(at: int) -> str:
        return due if due and at <= now else f"{clock(text or '')} ({_distance(at, now)})"

    return _time(text, text_at)


def timed(text: str, now: int) -> Html:
    """Format each RFC 3339 instant in a sentence for a person."""
    pieces = _INSTANT.split(text)
    return join(*(instant(piece, now) if place % 2 else piece for place, piece in enumerate(pieces)))


def clock(text: str) -> str:
    """Format an RFC 3339 instant for a person, in UTC, because the daemon does not know the time zone."""
    return f"{text[:10]} {text[11:19]} UTC" if parse_instant(text) is not None else text


def span(duration_ms: int) -> str:
    """Format a duration in its largest unit, as the commands do."""
    seconds = duration_ms // 1_000
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _distance(at: int, now: int) -> str:
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def _time(text: str | None, text_at: Callable[[int], str]) -> Html:
    at = parse_instant(text)
    return Html("") if text is None or at is None else tag("time", text_at(at), datetime=text)


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
