"""The map in docs/DESIGN.md holds."""

from pathlib import Path

import pytest

import notifier
from tests.layers import LAYERS, violations

PACKAGE = Path(notifier.__file__).parent


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
        (
            "core/delivery/x.py",
            "from {p}.core.polling.verdict import PollAgain\n",
            "delivery imports polling",
        ),
        ("engine/x.py", "import httpx\n", "only outbound/client.py imports httpx"),
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
