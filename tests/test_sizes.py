"""A file can be read in one go: at most 400 lines, or a reason why it has more."""

from collections.abc import Mapping
from pathlib import Path

from tests.documents import ROOT

MAX_LINES = 400  # CONTRIBUTING.md: a file of more lines needs a reason; 300 is the target in notifier/
FOLDERS = ("notifier", "tests", "benchmarks", "tools", "docs", "systemd")
SUFFIXES = {".py", ".sql", ".js", ".css", ".md"}

REASONS: Mapping[str, str] = {
    "notifier/store/sqlite/queries.sql": "every statement of the store, each with its name",
    "notifier/store/sqlite/schema.sql": "every table, index and trigger, as the migrations leave them",
    "tests/api/test_protocol.py": "every way in which a client can send HTTP badly",
    "tests/api/test_watches.py": "every call on watches",
    "tests/config/test_read.py": "every kind of mistake in a configuration",
    "tests/core/test_decide.py": "every verdict at every age and deadline",
    "tests/core/test_judge.py": "every reply that a provider can give",
    "tests/engine/test_poller.py": "one watch from claim to record, each disturbance in between",
    "tests/store/test_backup.py": "every file, disk and lock that a backup can meet",
    "tests/store/test_contract_watches.py": "every promise of the store about watches",
    "tests/store/test_open.py": "every file that a daemon can be told to open",
    "tests/store/test_writer.py": "every failure between a unit of work and the disk",
}


def lengths(root: Path) -> dict[str, int]:
    """Return the number of lines of each source and document; packages of npm are not ours."""
    paths = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.suffix in SUFFIXES]
    return {
        path.relative_to(root).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in [*paths, *root.glob("*.md")]
        if "node_modules" not in path.parts
    }


def test_no_file_is_longer_than_400_lines_without_a_reason() -> None:
    """Split the file, or say above why its parts belong together."""
    long = {name: lines for name, lines in lengths(ROOT).items() if lines > MAX_LINES}
    assert {name: lines for name, lines in long.items() if name not in REASONS} == {}


def test_a_reason_that_is_not_needed_goes() -> None:
    """A file that has become shorter, or is gone."""
    found = lengths(ROOT)
    assert [name for name in REASONS if found.get(name, 0) <= MAX_LINES] == []


def test_a_long_file_is_seen(tmp_path: Path) -> None:
    """The check can fail."""
    (tmp_path / "notifier").mkdir()
    (tmp_path / "notifier" / "long.py").write_text("x = 1\n" * (MAX_LINES + 1))
    assert lengths(tmp_path) == {"notifier/long.py": MAX_LINES + 1}
