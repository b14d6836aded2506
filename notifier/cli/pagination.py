"""Read the lists of the API page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from notifier.cli.client import ApiConnection, ApiReply
from notifier.cli.output import print_note
from notifier.cli.progress import Progress

MAX_PAGE_SIZE = 500  # CONTRACT, HTTP: limit ≤ 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PagedList:
    """The entries of a list, undecoded, and the cursor to the next page if there is one."""

    name: str
    entries: tuple[ApiReply, ...]
    next_cursor: str | None

    def to_json(self) -> bytes:
        """Return the entries as one response of the API."""
        entries = [msgspec.Raw(entry.raw) for entry in self.entries]
        return msgspec.json.encode({self.name: entries, "next_cursor": self.next_cursor})

    def read(self, kind: type[T]) -> list[T]:
        """Decode each entry as ``kind``."""
        return [entry.read(kind) for entry in self.entries]

    def print_rest(self) -> None:
        """Print a note if the list is empty, or if there are more entries."""
        if not self.entries:
            print_note(f"no {self.name}")
        elif self.next_cursor is not None:
            print_note(f"there are more {self.name}; --limit N or --all shows them")


def read_list(api: ApiConnection, name: str, query: Mapping[str, object], limit: int | None) -> PagedList:
    """Read ``/v1/NAME`` page by page up to ``limit`` entries, or to the end."""
    entries: list[ApiReply] = []
    cursor: str | None = None
    with Progress() as progress:
        while True:
            size = MAX_PAGE_SIZE if limit is None else min(MAX_PAGE_SIZE, limit - len(entries))
            page = api.request("GET", f"/v1/{name}", query={**query, "limit": size, "cursor": cursor})
            page_entries, cursor = _split_page(page, name)
            entries += page_entries
            if not page_entries or cursor is None or (limit is not None and len(entries) >= limit):
                return PagedList(name, tuple(entries), cursor)
            progress.show(f"{len(entries)} {name} read …")


def _split_page(page: ApiReply, name: str) -> tuple[list[ApiReply], str | None]:
    """Return the entries of a page, and the cursor to the next one."""
    parts = page.parts()
    page_entries = parts[name].read(list[msgspec.Raw]) if name in parts else []
    next_cursor = parts["next_cursor"].read(object) if "next_cursor" in parts else None
    entries = [ApiReply(bytes(raw), page.origin) for raw in page_entries]
    return entries, next_cursor if isinstance(next_cursor, str) else None
