"""The code's names, constants and imports keep to CONTRIBUTING.md, or come nearer to it with every change."""

import json
from pathlib import Path

import pytest

import notifier
from tests import house

PACKAGE = Path(notifier.__file__).parent
LIMITS: dict[str, int] = json.loads(Path(__file__).with_name("house.json").read_text(encoding="utf-8"))
LISTS = {
    "class names used twice": lambda: sorted(house.classes_named_twice(PACKAGE)),
    "identifiers with a banned word": lambda: house.banned_words(PACKAGE),
    "numeric constants without a reason": lambda: house.constants_without_reason(PACKAGE),
    "matches on prose": lambda: house.matches_on_prose(PACKAGE),
    "docstrings without a verb": lambda: house.docstrings_without_verb(PACKAGE),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_measure_only_falls(name: str) -> None:
    """Each number in ``house.json`` is today's; whoever lowers one lowers it there too."""
    found = house.measure(PACKAGE)[name]
    places = LISTS.get(name, list)()
    assert found <= LIMITS[name], f"{found} {name}, {LIMITS[name]} are allowed: {places}"
    assert found == LIMITS[name], f"{found} {name}: lower the number in tests/house.json"


def test_prose_is_matched_only_where_a_library_has_no_code() -> None:
    """The place has a test that fails when the library's words change; all else has codes."""
    places = {place.split(":")[0] for place in house.matches_on_prose(PACKAGE)}
    assert places == {"config/toml_hints.py"}


def test_no_files_import_each_other() -> None:
    """A cycle of imports has no order in which it can be read."""
    assert house.cycles(house.imports(PACKAGE)) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("class names used twice", "class Limit: ...\nclass Limit: ...\n"),
        ("identifiers with a banned word", "def tell(toldAt: int) -> None: ...\n"),
        ("identifiers with a banned word", "for was_found in []: ...\n"),
        ("identifiers with a banned word", "match 1:\n    case crew: ...\n"),
        ("numeric constants without a reason", "A_MS = 1_000\n\nB = 2  # RFC 1\n"),
        ("numeric constants without a reason", "LIMIT: Final = 4 << 20\n"),
        ("matches on prose", "x = 'no luck' in text\n"),
        ("matches on prose", "x = text.startswith('no luck')\n"),
        ("docstrings without a verb", 'def f() -> int:\n    """The number of rows."""\n'),
    ],
)
def test_a_planted_breach_is_seen(tmp_path: Path, name: str, source: str) -> None:
    """Each measure can rise."""
    (tmp_path / "planted.py").write_text(source)
    assert house.measure(tmp_path)[name] == 1


def test_a_planted_cycle_is_seen(tmp_path: Path) -> None:
    """Two files that import each other are named together."""
    (tmp_path / "a.py").write_text(f"from {tmp_path.name} import b\n")
    (tmp_path / "b.py").write_text(f"def f():\n    from {tmp_path.name}.a import x\n")
    assert house.cycles(house.imports(tmp_path)) == [[f"{tmp_path.name}.a", f"{tmp_path.name}.b"]]


def test_a_reason_may_stand_before_beside_or_below(tmp_path: Path) -> None:
    """A comment above or at the end of the line, or a docstring below it."""
    (tmp_path / "planted.py").write_text('# why\nA = 1\n\nB = 2  # why\nC = 3\n"""Why."""\n')
    assert house.constants_without_reason(tmp_path) == []
