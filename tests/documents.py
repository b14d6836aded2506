"""The documents for people: every Markdown file of the repository, and how tests read them."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = (".", "docs", "docs/decisions", "benchmarks")
DOCUMENTS = tuple(sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md")))
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    """Return the path from the root of the repository, as tests name it."""
    return path.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    """Return Markdown without its code blocks, whose content follows rules of its own."""
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings as GitHub makes them: lower case, no marks, hyphens for spaces."""
    headings = _HEADING.findall(without_code(text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> Iterator[tuple[str, str]]:
    """Yield each link inside the repository as path and anchor; the path is empty within one page."""
    for target in _LINK.findall(without_code(text)):
        if "://" not in target and not target.startswith("mailto:"):
            path, _, anchor = target.partition("#")
            yield path, anchor
