"""HTML as values: text is escaped wherever it is put, and only ``tag`` makes markup. Pure."""

from html import escape

from notifier.core.instants import from_text

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


def table(caption: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Html:
    """Make a table that says what it is and what its columns are; it scrolls in a frame of its own."""
    head = tag("tr", *(tag("th", each, scope="col") for each in heads))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    whole = tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", head),
        tag("tbody", *body),
    )
    return tag("div", whole, class_="scroll", tabindex="0", role="group", aria_label=caption)


def moment(text: str | None, now: int) -> Html:
    """Say how long ago an instant was, or how long it is until then; nothing for None."""
    at = from_text(text)
    if text is None or at is None:
        return Html("")
    said = f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"
    return tag("time", said, datetime=text)


def span(duration_ms: int) -> str:
    """Say a duration in its largest unit, as the commands do."""
    seconds = duration_ms // 1_000
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
