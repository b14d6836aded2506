"""The fault matrix and the threat model are kept: each row has a test, or the reason why it has none."""

from pathlib import Path

import pytest

from tests import faults_page
from tests.fault_marks import ROWS, Mark, breaches, marks

TESTS = Path(__file__).parent
MARK = "pytest.mark." + "fault"  # written apart: this file plants marks and bears none
LAST = ROWS["fault"][-1]
LAST_THREAT = ROWS["threat"][-1]
THREAT = "pytest.mark." + "threat"


@pytest.mark.parametrize("kind", ROWS)
def test_every_row_has_a_test_or_the_reason_why_not(kind: str) -> None:
    """A test that is renamed, merged or deleted takes its row along, or fails here."""
    shown = {mark.row for mark in marks(TESTS) if mark.kind == kind}
    rows = faults_page.rows(kind)
    assert [row.number for row in rows] == list(ROWS[kind])
    assert [row.number for row in rows if row.number not in shown and not row.why_not] == []


def test_the_page_is_that_of_the_tests_there_are() -> None:
    """`make docs` writes it anew."""
    assert faults_page.PAGE.read_text(encoding="utf-8") == faults_page.page()


def test_every_mark_shows_something() -> None:
    """Above a test that runs, with the numbers of rows that there are."""
    assert breaches(TESTS) == []


def planted(folder: Path, source: str, name: str = "test_x.py") -> Path:
    """A folder of tests with this one file in it."""
    tests = folder / "tests"
    tests.mkdir()
    (tests / name).write_text(f"import pytest\n{source}")
    return tests


def test_a_mark_is_read_with_its_test_and_the_rule_of_it(tmp_path: Path) -> None:
    """Several rows in one mark, and several marks above one test."""
    source = f'@{MARK}(7, 9)\n@{MARK}(8)\nasync def test_a() -> None:\n    """The rule.\n\n    More."""\n'
    tests = planted(tmp_path, f"{source}def test_b() -> None:\n    pass\n")
    test = "tests/test_x.py::test_a"
    assert marks(tests) == [
        Mark("fault", 7, test, "The rule."),
        Mark("fault", 8, test, "The rule."),
        Mark("fault", 9, test, "The rule."),
    ]
    assert breaches(tests) == []


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (f"@{MARK}(1)\ndef helper(): ...\n", "above a test"),
        (f"pytestmark = {MARK}(1)\n", "above a test"),
        (f"@{MARK}(1)\nclass TestX:\n    def test_x(self): ...\n", "above a test"),
        (f"@{MARK}(1)\n@pytest.mark.skip('later')\ndef test_x(): ...\n", "shows nothing"),
        (f"@{MARK}(1)\n@pytest.mark.xfail\ndef test_x(): ...\n", "shows nothing"),
        (f"@{MARK}(1)\ndef test_x(): ...\n", "in its docstring"),
        (f"@{MARK}()\ndef test_x():\n    'It.'\n", f"from 1 to {LAST}"),
        (f"@{MARK}(0)\ndef test_x():\n    'It.'\n", f"from 1 to {LAST}"),
        (f"@{MARK}(64, {LAST + 1})\ndef test_x():\n    'It.'\n", f"from 1 to {LAST}"),
        (f"@{MARK}('64')\ndef test_x():\n    'It.'\n", f"from 1 to {LAST}"),
        (f"@{MARK}(64, row)\ndef test_x():\n    'It.'\n", f"from 1 to {LAST}"),
        (f"@{THREAT}({LAST_THREAT + 1})\ndef test_x():\n    'It.'\n", f"from 1 to {LAST_THREAT}"),
        (f"@{MARK}(row=64)\ndef test_x():\n    'It.'\n", f"from 1 to {LAST}"),
    ],
)
def test_a_mark_that_shows_nothing_is_found(tmp_path: Path, source: str, why: str) -> None:
    """Wherever it stands and whatever it says, with its place."""
    (breach,) = breaches(planted(tmp_path, source))
    assert breach.startswith("tests/test_x.py:2: ")
    assert why in breach


def test_a_mark_outside_the_files_of_tests_is_found(tmp_path: Path) -> None:
    """Nobody would run what it stands above."""
    tests = planted(tmp_path, f"@{MARK}(1)\ndef test_x(): ...\n", "helpers.py")
    assert len(breaches(tests)) == 1
    assert marks(tests) == []
