"""What was likely meant by a line that is no TOML: the parser's own words name no key and no way out."""

from collections.abc import Iterator

from notifier.config.schema import ROOT, SettingTable

_MAX_KEY_CHARS = 64
_OPENING = tuple("\"'[{")


def _names(table: SettingTable) -> Iterator[str]:
    yield from table.keys
    for inner in (*table.tables.values(), *([] if table.named is None else [table.named])):
        yield from _names(inner)


_KEY_NAMES = frozenset(_names(ROOT))


def find_hint(words: str, line: str) -> str:
    """What to add to the parser's ``words`` on a line; empty where nothing is likely."""
    name, equals, value = line.partition("=")
    key, value = name.strip()[:_MAX_KEY_CHARS], value.strip()
    if words.startswith("Cannot overwrite"):
        return f"; {key} stands twice" if equals else f"; {key} is a key and a table"
    if not equals or not value or value.startswith(_OPENING):
        return ""
    if words.startswith(("Invalid value", "Expected newline")):
        # Any other may be a secret that stands by itself: the padding of base64 looks like an assignment.
        return "; text stands in quotes" + (f': {key} = "…"' if key in _KEY_NAMES else "")
    return ""
