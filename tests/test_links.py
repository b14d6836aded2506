"""Links between the documents lead somewhere, and the index names every page."""

from pathlib import Path

import pytest

from tests.documents import DOCS, DOCUMENTS, anchors, links, name_of


def broken(page: Path) -> list[str]:
    """List the links of a page whose file or anchor does not exist."""
    found = []
    for path, anchor in links(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        is_there = target.exists() and (
            not anchor or (target.suffix == ".md" and anchor in anchors(target.read_text(encoding="utf-8")))
        )
        if not is_there:
            found.append(f"{path}#{anchor}" if anchor else path)
    return found


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_each_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    """Relative links, from the folder of the page; a renamed heading breaks the links to it."""
    assert broken(page) == []


def test_the_index_names_every_page() -> None:
    """A page that ``docs/README.md`` does not name is found by nobody."""
    index = DOCS / "README.md"
    named = {(DOCS / path).resolve() for path, _ in links(index.read_text(encoding="utf-8"))}
    assert [name_of(page) for page in DOCUMENTS if page not in named and page != index] == []


@pytest.mark.parametrize("link", ["missing.md", "there.md#no-such-heading", "#nowhere", "image.png#x"])
def test_a_broken_link_is_seen(tmp_path: Path, link: str) -> None:
    """The check can fail: a missing file, a missing heading, an anchor in a file that has no headings."""
    (tmp_path / "there.md").write_text("# A heading, with `code`\n")
    (tmp_path / "image.png").touch()
    page = tmp_path / "page.md"
    page.write_text(f"[good](there.md#a-heading-with-code) [bad]({link})\n```\n[not a link](x.md)\n```\n")
    assert broken(page) == [link]
