"""Texts for users keep to the words of docs/GLOSSARY.md."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.documents import DOCS, DOCUMENTS, ROOT, name_of, without_code

GLOSSARY = DOCS / "GLOSSARY.md"
GOLDEN = ROOT / "tests" / "golden"
LIMITS: dict[str, dict[str, int]] = json.loads((ROOT / "tests" / "glossary.json").read_text(encoding="utf-8"))

EXCEPTIONS: Mapping[str, tuple[str, ...]] = {
    # The request that creates a watch is a registration; only a reader can tell it from the watch.
    r"registrations?": ("*",),
    # In these pages a job is APScheduler's, or the work that peers do in the benchmarks.
    r"jobs?": (
        "docs/DESIGN.md",
        "docs/decisions/*",
        "docs/SYSTEMD.md",
        "README.md",
        "CHANGELOG.md",
        "systemd/*",
    ),
    # The command and its option have these names.
    r"notifier try|--answer|[tT]ry(?= +Show)": ("tests/golden/help.txt",),
    r"-- ?answer|(?<=--)answer": ("tests/golden/help.txt",),
    # What tests inject is a fault, as in "fault injection"; the page of faults is about nothing else.
    r"faults?": ("docs/FAULTS.md",),
    r"fault (matrix|injection)": ("*",),
    # The commands and the page print the names of the API's fields without underscores.
    r"upstream status": ("tests/golden/*",),
}
"""Uses that are right, as patterns, with the reason and the texts in which they may stand."""


def refused_words() -> list[str]:
    """Read the last column of the glossary, without the remarks in brackets."""
    rows = re.findall(r"^\| \*\*.+\| ([^|]*)\|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [re.sub(r"\(.*?\)", "", row) for row in rows]
    return sorted({word.strip() for cell in cells for word in cell.split(",") if word.strip()})


def forms(word: str) -> str:
    """Return a pattern of the word in its forms: answers, answered, answering; tries, tried; lives."""
    if word.endswith("fe"):
        return rf"{word}|{word.removesuffix('fe')}ves"
    if word.endswith("y"):
        return rf"{word[:-1]}(?:y|ies|ied|ying)"
    return rf"{word}(?:s|es|ed|ing)?"


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the prose of each text for users; code and addresses are no prose."""
    for page in DOCUMENTS:
        if page != GLOSSARY and page.name != "RESULTS.md":
            yield name_of(page), prose(page.read_text(encoding="utf-8"))
    settings = (ROOT / "config.example.toml", ROOT / "notifier" / "cli" / "init.toml", DOCS / "alerts.yml")
    for path in (*settings, *sorted((ROOT / "systemd").iterdir())):
        yield name_of(path), comments(path.read_text(encoding="utf-8"))
    helps = re.findall(r"## (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    yield "Makefile", prose("\n".join(helps))
    for path in sorted(GOLDEN.glob("*.txt")):
        yield name_of(path), prose(path.read_text(encoding="utf-8"))
    description = json.loads((GOLDEN / "openapi.json").read_text(encoding="utf-8"))
    yield "tests/golden/openapi.json", prose("\n".join(descriptions(description)))


def prose(text: str) -> str:
    """Return a text without code blocks, code, names of files and tests, and addresses."""
    text = re.sub(r"``.*?``|`[^`]*`|[\w/.-]+\.(?:md|toml|yml)\b", "", without_code(text))
    text = re.sub(r"\[[^\]]*\]\(\.\./tests/[^)]*\)", "", text)
    return re.sub(r"\]\([^)]*\)|https?://\S+", "]", text)


def comments(text: str) -> str:
    """Return the prose of a file of settings: its comments, and the reasons and remedies of alerts."""
    lines = re.findall(r"^\s*(?:# |why: |do: )(.*)$", text, re.MULTILINE)
    return prose("\n".join(lines))


def descriptions(value: object) -> Iterator[str]:
    """Yield the summaries and descriptions in a description of the API."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"summary", "description"} and isinstance(inner, str):
                yield inner
            else:
                yield from descriptions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from descriptions(inner)


def uses(name: str, text: str) -> dict[str, int]:
    """Count the refused words of a text, without the exceptions."""
    for pattern, places in EXCEPTIONS.items():
        if any(Path(name).match(place) for place in places):
            text = re.sub(rf"\b{pattern}\b", "", text, flags=re.IGNORECASE)
    counts = {
        word: len(re.findall(rf"\b(?:{forms(word)})\b", text, re.IGNORECASE)) for word in refused_words()
    }
    return {word: count for word, count in counts.items() if count}


TEXTS = dict(texts())


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_says_a_refused_word(name: str) -> None:
    """``tests/glossary.json`` counts those that texts of the code still say; each number may only fall."""
    limits = Counter(LIMITS.get(name, {}))
    found = Counter(uses(name, TEXTS[name]))
    assert not found - limits, f"docs/GLOSSARY.md has other words for these: {dict(found - limits)}"
    assert not limits - found, f"lower the numbers in tests/glossary.json: {dict(limits - found)}"


def test_the_limits_are_of_texts_that_exist() -> None:
    """A text that is gone needs no limit."""
    assert set(LIMITS) <= set(TEXTS)


@pytest.mark.parametrize("word", refused_words())
def test_a_refused_word_is_seen(word: str) -> None:
    """The check can fail: in prose, whatever the case, but not in code."""
    planted = prose(f"The {word}, said the {word.upper()}; `{word}`.")
    always_right = re.fullmatch(r"registrations?", word)
    assert uses("planted.md", planted).get(word, 0) == (0 if always_right else 2)


@pytest.mark.parametrize("said", ["tried", "tries", "trying", "answered", "answering", "lives", "faults"])
def test_the_forms_of_a_word_are_seen(said: str) -> None:
    """Past, plural and participle are the same word."""
    assert sum(uses("planted.md", f"What was {said}.").values()) == 1


@pytest.mark.parametrize("said", ["live", "country", "handle", "task", "returned", "reply"])
def test_a_word_that_only_looks_like_one_is_no_use(said: str) -> None:
    """Whole words count."""
    assert uses("planted.md", f"What was {said}.") == {}
