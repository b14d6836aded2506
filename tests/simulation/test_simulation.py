"""The whole daemon on virtual time: whatever happens outside of it, it keeps its promises."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.city import Tempo
from tests.simulation.days import BRISK, CALM, CROWDED, PARTIAL, run
from tests.simulation.report import failure, summary
from tests.simulation.world import Breach

FIXED = range(1, 11)
FRESH = 2
LONG_DAYS = 5.0
"""12 lives of 5 days are the 60 virtual days that every run of the suite goes through."""
BRISK_DAYS = 0.03
HUNT_DAYS = 0.15
PARTIAL_DAYS = 0.02
HUNTED_SEEDS = 12

Note = Callable[[str, object], None]


def live(seed: str, days: float, tempo: Tempo, note: Note) -> None:
    """Live these days; fail with all that it takes to see them again. The figures end up in the report."""
    began = time.perf_counter()
    result = run(seed, days, tempo=tempo)
    line = summary(result, time.perf_counter() - began)
    print(line)
    note("simulation", line)
    if result.breaches:
        pytest.fail(failure(result, days, tempo), pytrace=False)


@pytest.mark.parametrize("seed", FIXED)
def test_days_of_faults_break_no_promise(seed: int, record_property: Note) -> None:
    """P1 to P7 hold through five days of crashes, outages, stepped clocks and impatient users."""
    live(str(seed), LONG_DAYS, CALM, record_property)


@pytest.mark.parametrize("seed", FIXED[:4])
def test_crowded_hours_break_no_promise(seed: int, record_property: Note) -> None:
    """P1 to P7 hold at production's own tempo, with something happening all the time."""
    live(str(seed), BRISK_DAYS, BRISK, record_property)


@pytest.mark.parametrize("seed", FIXED[:6])
def test_hours_of_partial_outages_break_no_promise(seed: int, record_property: Note) -> None:
    """P5 holds while paths and single tasks fail all the time: what is well is polled and told on time."""
    live(str(seed), PARTIAL_DAYS, PARTIAL, record_property)


@pytest.mark.parametrize("number", range(FRESH))
def test_fresh_seeds_break_no_promise(number: int, record_property: Note) -> None:
    """Every run of the suite lives through days that nobody has seen before."""
    del number
    live(f"{random.SystemRandom().getrandbits(32):08x}", LONG_DAYS, CALM, record_property)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_seen(bug: str) -> None:
    """The simulation can fail: each bug of this kind breaks a promise within a few seeds."""
    seen: list[Breach] = []
    days, tempo = (PARTIAL_DAYS, PARTIAL) if BUGS[bug].is_partial else (HUNT_DAYS, CROWDED)
    for seed in range(1, HUNTED_SEEDS + 1):
        with BUGS[bug].planted():
            seen += run(str(seed), days, tempo=tempo).breaches
        if seen:
            break
    assert seen, f"nobody saw: {bug}"
    assert seen[0].rule in BUGS[bug].rules, seen[0]


@pytest.mark.parametrize("seed", range(1, HUNTED_SEEDS + 1))
def test_without_a_planted_bug_nothing_is_seen(seed: int, record_property: Note) -> None:
    """What the hunt finds is the planted bug: without it the same seeds break nothing."""
    live(str(seed), HUNT_DAYS, CROWDED, record_property)


def test_the_same_seed_is_the_same_life() -> None:
    """A seed replays to the same trace, in another process and with other hashes of strings."""
    here = run("7", 0.05, tempo=CROWDED)
    command = "from tests.simulation.days import *; print(run('7', 0.05, tempo=CROWDED).hash)"
    environment = {**os.environ, "PYTHONHASHSEED": "42", "PYTHONPATH": os.pathsep.join(sys.path)}
    root = Path(__file__).parents[2]
    there = subprocess.run(
        [sys.executable, "-c", command], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here.hash
    assert run("8", 0.05, tempo=CROWDED).hash != here.hash
