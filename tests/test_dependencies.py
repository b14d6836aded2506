"""The bounds of dependencies fit what is tested."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REQUIREMENTS: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
LOCKS = ("requirements.lock", "requirements-dev.lock")
INTERNALS = ("aiosqlite", "uvicorn")
"""Libraries whose internals we call: a minor version may change them without notice."""


@pytest.mark.parametrize("name", INTERNALS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_library_whose_internals_we_call_is_bound_to_its_locked_minor_version(name: str, lock: str) -> None:
    """The lock has the minor version that the tests ran with; no other may be installed."""
    text = (ROOT / lock).read_text()
    locked = re.search(rf"^{name}==([0-9]+)\.([0-9]+)\.", text, re.MULTILINE)
    assert locked is not None
    major, minor = map(int, locked.groups())
    assert f"{name}>={major}.{minor},<{major}.{minor + 1}" in REQUIREMENTS
