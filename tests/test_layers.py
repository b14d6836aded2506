"""The rooms of docs/DESIGN.md are those of the code, and imports go the way that its picture shows."""

import re
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import pytest

import notifier
from tests.documents import DOCS, ROOT, name_of
from tests.layers import LAYERS, violations

PACKAGE = Path(notifier.__file__).parent
DESIGN = (DOCS / "DESIGN.md").read_text(encoding="utf-8")
DEPTHS = {room: depth for depth, layer in enumerate(LAYERS) for room in layer}


def test_imports_point_one_way() -> None:
    """Nothing imports upwards or sideways, and the core touches neither clock, chance nor the outside."""
    assert violations(PACKAGE) == []


def test_every_room_has_its_place() -> None:
    """A new room must be put on the map before anything can live in it."""
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__"} == {room for layer in LAYERS for room in layer}


@pytest.mark.parametrize(
    ("file", "source", "breach"),
    [
        ("core/x.py", "import time\n", "the core imports time"),
        ("core/x.py", "from random import random\n", "the core imports random"),
        ("core/x.py", "import datetime\nat = datetime.datetime.now()\n", "the core calls now()"),
        ("core/x.py", "text = open('x').read()\n", "the core calls open()"),
        ("core/x.py", "import structlog\n", "the core imports structlog"),
        ("core/x.py", "from urllib.request import urlopen\n", "the core imports urllib.request"),
        ("core/x.py", "from {p}.store import protocol\n", "core imports store"),
        ("store/x.py", "import {p}.engine.poller\n", "store imports engine"),
        ("outbound/x.py", "from {p} import store\n", "outbound imports store"),
        ("client/x.py", "from {p}.config import load\n", "client imports config"),
        ("core/formats/x.py", "from {p}.core.polling import verdict\n", "formats imports polling"),
        ("core/causes/x.py", "from {p}.core.model import Watch\n", "causes imports model"),
        (
            "core/delivery/x.py",
            "from {p}.core.polling.verdict import PollAgain\n",
            "delivery imports polling",
        ),
        (
            "engine/x.py",
            "import httpx\n",
            "outbound/errors.py, outbound/response_body.py, outbound/transport.py imports httpx",
        ),
        ("store/x.py", "import aiosqlite\n", "only store/sqlite/driver.py imports aiosqlite"),
        ("engine/x.py", "def f():\n    from {p}.api import app\n", "engine imports api"),
    ],
)
def test_a_planted_violation_is_seen(tmp_path: Path, file: str, source: str, breach: str) -> None:
    """The check can fail: each kind of breach, planted, is reported with its place."""
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(source.format(p=tmp_path.name))
    assert any(breach in found and found.startswith(file) for found in violations(tmp_path))


def arrows() -> Iterator[tuple[str, str]]:
    """Yield the arrows between rooms in the picture of the design, from the importing room."""
    picture = DESIGN.partition("flowchart TB\n")[2].partition("```")[0]
    for line in re.sub(r"\w+\[(\w+)\]", r"\1", picture).splitlines():
        groups = [[room.strip() for room in group.split("&")] for group in line.split("-->")]
        for left, right in pairwise(groups):
            yield from product(left, right)


def test_the_picture_of_the_design_has_every_room_and_each_arrow_goes_down() -> None:
    """Whoever adds a room draws it."""
    drawn = set(arrows())
    assert {room for arrow in drawn for room in arrow} == set(DEPTHS)
    assert [arrow for arrow in drawn if DEPTHS[arrow[0]] <= DEPTHS[arrow[1]]] == []


def test_the_table_of_the_design_has_every_room() -> None:
    """Whoever opens a file finds what it may not touch."""
    rows = re.findall(r"^\| (`.+?`) \|", DESIGN.partition("## Rooms")[2].partition("\n## ")[0], re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)(?:/|\.py)`", " ".join(rows))) == sorted(DEPTHS)


def test_each_promise_that_a_comment_cites_is_in_the_design() -> None:
    """Whoever reads ``CONTRACT P5`` beside a limit finds in the repository what it promises."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    cited = {number for text in texts for number in re.findall(r"CONTRACT,? (P\d+)", text)}
    promises = set(re.findall(r"^\| (P\d+) \|", DESIGN, re.MULTILINE))
    assert cited
    assert sorted(cited - promises) == []


def test_comments_cite_what_is_in_the_repository() -> None:
    """A reason that stands in a document of its authors alone is no reason for a reader."""
    documents = re.compile(r"[A-Z]+(?:-[A-Z]+)*\.md|PROVIDER-TABLES")
    known = {path.name for path in [*ROOT.glob("*.md"), *DOCS.glob("*.md")]}
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name in documents.findall(path.read_text(encoding="utf-8"))
        if name not in known
    }
    assert sorted(found) == []


@pytest.mark.parametrize(
    "page", [DOCS / "DESIGN.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("decisions/*.md"))], ids=name_of
)
def test_each_file_that_a_page_for_contributors_names_exists(page: Path) -> None:
    """Paths are below the package, or below the repository; whoever moves a file corrects the page."""
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|sql|toml)|(?:\w+/)+)`", text))
    assert sorted(each for each in named if not ((PACKAGE / each).exists() or (ROOT / each).exists())) == []
