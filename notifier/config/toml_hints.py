"""Suggest what a line that is not TOML was meant to be. The message of tomllib names no key and no fix."""

from collections.abc import Iterator

from notifier.config.schema import ROOT, SettingTable

_MAX_KEY_CHARS = 64  # bounds the message; our longest key has 24 characters
_OPENING = tuple("\"'[{")


def _names(table: SettingTable) -> Iterator[str]:
    yield from table.keys
    for inner in (*table.tables.values(), *([] if table.named is None else [table.named.schema])):
        yield from _names(inner)


_KEY_NAMES = frozenset(_names(ROOT))


def find_hint(words: str, line: str) -> str:
    """Return what to add to the message ``words`` of tomllib about a line; empty without a suggestion.

    ``tomllib`` has no codes, so its words are matched; ``tests/config/test_read.py`` fails when they change.
    """
    name, equals, value = line.partition("=")
    key, value = name.strip()[:_MAX_KEY_CHARS], value.strip()
    if words.startswith("Cannot overwrite"):
        return f"; {key} is set twice" if equals else f"; {key} is a key and a table"
    if not equals or not value or value.startswith(_OPENING):
        return ""
    if words.startswith(("Invalid value", "Expected newline")):
        # Another key may be a secret on a line of its own: the padding of base64 looks like an assignment.
        return "; text needs quotes" + (f': {key} = "…"' if key in _KEY_NAMES else "")
    return ""
