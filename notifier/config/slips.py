"""What was likely meant by a line that is no TOML: the parser's own words name no key and no way out."""

_MAX_KEY_CHARS = 64
_OPENING = tuple("\"'[{")


def slip_of(words: str, line: str) -> str:
    """What to add to the parser's ``words`` on a line; empty where nothing is likely."""
    name, equals, value = line.partition("=")
    key, value = name.strip()[:_MAX_KEY_CHARS], value.strip()
    if words.startswith("Cannot overwrite"):
        return f"; {key} stands twice" if equals else f"; {key} is a key and a table"
    if not equals or not value or value.startswith(_OPENING):
        return ""
    if words.startswith(("Invalid value", "Expected newline")):
        return f'; text stands in quotes: {key} = "…"'
    return ""
