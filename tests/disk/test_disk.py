"""The disk fails at any call, or the power goes: what was answered is there, and nothing is half done.

Here a sample; `make faults` tries every call of every scenario and many more cuts.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.disk import shim

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shim.why_not() is not None, reason=shim.why_not() or ""),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim.built(tmp_path_factory.mktemp("shim"))


def tried(library: Path, module: str, *options: str) -> dict[str, Any]:
    """Run a module of ours under the shim; returns what it says."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.disk.{module}", *options],
        env=shim.environ(library), cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if "LD_PRELOAD does not reach" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode != 0) == bool(said["wrong"])
    return said


@pytest.mark.fault(1, 2, 5, 6, 20, 21, 22, 23, 30)
def test_a_fault_at_any_call_loses_nothing_that_was_answered(library: Path) -> None:
    """End, torn write, EIO, full, read-only, slow: the file is sound, whole, and takes writes again."""
    said = tried(library, "sweep", "--stride", "59")
    assert said["wrong"] == []
    assert set(said["cases"]) == {"exit", "torn", "eio", "full", "readonly", "slow"}
    assert said["ended"] == said["cases"]["exit"] + said["cases"]["torn"]
    assert said["refused"] > 0


@pytest.mark.parametrize(
    ("plant", "scenario"), [("many-transactions", "polling"), ("migration-in-pieces", "migration")]
)
def test_a_planted_bug_is_found_by_such_faults(library: Path, plant: str, scenario: str) -> None:
    """Or the rule above proves nothing."""
    said = tried(library, "sweep", "--stride", "5", "--kind", "exit", "--plant", plant, "--only", scenario)
    assert said["wrong"]


@pytest.mark.fault(18)
def test_a_power_cut_takes_back_nothing_that_was_answered(library: Path) -> None:
    """At any call, with any sectors of what was not synced yet on the disk."""
    assert tried(library, "power", "--cuts", "60")["wrong"] == []


def test_a_store_that_answers_before_the_disk_is_found_by_power_cuts(library: Path) -> None:
    """``synchronous=NORMAL`` survives any kill and loses answered rows with the power."""
    assert tried(library, "power", "--cuts", "30", "--plant", "answer-before-the-disk")["wrong"]
