"""Find the valid name that is closest to a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches

_MAX_CHARS = 64  # comparing is quadratic, and a longer word is no typing error


def find_nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the closest of ``names``; None if none is close. Ignore case."""
    if len(word) > _MAX_CHARS:
        return None
    by_folded: dict[str, str] = {}
    for name in names:
        by_folded.setdefault(name.casefold(), name)
    close = get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None
