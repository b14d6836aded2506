"""HTML as values: text is escaped wherever it is put, and only ``tag`` makes markup. Pure."""

import re
from collections.abc import Callable, Sequence
from html import escape

from notifier.core.formats.times import parse_instant

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)", re.ASCII)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


class Html(str):
    """Markup that is sound; any other text is escaped where it is put."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Html:
    """Make an element. ``class_`` is written class, and ``aria_label`` aria-label."""
    given = "".join(f' {_attribute(key)}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Put pieces side by side."""
    return Html("".join(each if isinstance(each, Html) else escape(each) for each in children))


def table(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, is_wide: bool = False
) -> Html:
    """Make a table that says what it is and what its columns are; it scrolls in a frame of its own.

    On a narrow screen a wide one shows each row as a card, its cells under their heads. So that it is then
    read as a table still, its parts say what they are.
    """
    head = tag("tr", *(tag("th", each, scope="col", role="columnheader") for each in heads), role="row")
    body = [tag("tr", *map(_cell, heads, row), role="row") for row in rows]
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


def facts(pairs: Sequence[tuple[str, str]]) -> Html:
    """Make a list of names and values, without those that have none."""
    told = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value]
    return tag("dl", *told)


def moment(text: str | None, now: int, *, due: str = "") -> Html:
    """Say how long ago an instant was, or how long it is until then; nothing for None.

    ``due`` is what to say instead once it has come.
    """
    return _time(text, lambda at: due if due and at <= now else _distance(at, now))


def age(text: str | None, now: int) -> Html:
    """Say how long ago an instant was, as a column of ages has it."""
    return _time(text, lambda at: span(max(0, now - at)))


def instant(text: str | None, now: int, *, due: str = "") -> Html:
    """Say when that was or will be, and how far away it is."""

    def said(at: int) -> str:
        return due if due and at <= now else f"{clock(text or '')} ({_distance(at, now)})"

    return _time(text, said)


def timed(text: str, now: int) -> Html:
    """A sentence of ours with each instant in it as a person reads it."""
    pieces = _INSTANT.split(text)
    return join(*(instant(piece, now) if place % 2 else piece for place, piece in enumerate(pieces)))


def clock(text: str) -> str:
    """Say an RFC 3339 instant in UTC as a person reads it: the daemon does not know where that person is."""
    return f"{text[:10]} {text[11:19]} UTC" if parse_instant(text) is not None else text


def span(duration_ms: int) -> str:
    """Say a duration in its largest unit, as the commands do."""
    seconds = duration_ms // 1_000
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _distance(at: int, now: int) -> str:
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def _time(text: str | None, said: Callable[[int], str]) -> Html:
    at = parse_instant(text)
    return Html("") if text is None or at is None else tag("time", said(at), datetime=text)


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
