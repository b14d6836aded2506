"""The checks before a commit run what is installed here, and download nothing."""

import re

from tests.documents import ROOT

HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


def test_every_hook_is_local_and_runs_a_tool_of_the_environment() -> None:
    """A hook of another repository would be fetched, in a version that no lock file names."""
    assert set(re.findall(r"^ +- repo: (\S+)$", HOOKS, re.MULTILINE)) == {"local"}
    entries = re.findall(r"^ +entry: (\S+)", HOOKS, re.MULTILINE)
    assert entries
    assert {entry.rpartition("/")[0] for entry in entries} == {".venv/bin"}
    assert len(re.findall(r"^ +language: system$", HOOKS, re.MULTILINE)) == len(entries)


def test_every_test_that_a_hook_runs_exists() -> None:
    """A renamed test would fail each commit."""
    named = re.findall(r"tests/\w+\.py", HOOKS)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
