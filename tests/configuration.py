"""The tables of docs/CONFIGURATION.md, made from config.example.toml, which tests keep equal to the code.

`python -m tests.configuration` writes them into the page.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.toml"
PAGE = ROOT / "docs" / "CONFIGURATION.md"
BEGIN, END = "<!-- tables: made by `python -m tests.configuration` -->\n", "<!-- end of tables -->"

_TABLE = re.compile(r"#?\[([a-z.]+)\]$")
_KEY = re.compile(r"#?([a-z_]+) = (.+)$")
_OF_THE_EXAMPLE = re.compile(r"\s*Left out here,[^.]*?\.(?=\s|$)")


@dataclass
class Section:
    """One table of the file: what is said of it, and (key, default, text) of each key."""

    name: str
    intro: str
    keys: list[tuple[str, str, str]] = field(default_factory=list)


def sections(text: str) -> list[Section]:
    """Read the example; its first comment is about the file as a whole."""
    found: list[Section] = []
    said: list[str] = []
    for line in text.splitlines():
        if match := _TABLE.match(line):
            found.append(Section(match[1], " ".join(said)))
            said = []
        elif match := _KEY.match(line):
            found[-1].keys.append((match[1], match[2], _OF_THE_EXAMPLE.sub("", " ".join(said)).strip()))
            said = []
        elif line.startswith("# "):
            said.append(line[2:])
        elif not line:
            said = []
    return found


def tables(text: str) -> str:
    """Write them as Markdown."""
    lines: list[str] = []
    for section in sections(text):
        lines += [f"### `[{section.name}]`", ""]
        lines += [section.intro, ""] if section.intro else []
        lines += ["| key | default | what it is |", "|---|---|---|"]
        lines += [f"| `{key}` | {_code(value)} | {_cell(text)} |" for key, value, text in section.keys]
        lines += [""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r":$", ".", text).replace("|", "\\|")


def _code(text: str) -> str:
    """A code span; longer fences where there are ticks in it."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{_cell(text)}{fence}"


def write() -> None:
    """Renew the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{tables(EXAMPLE.read_text())}\n{END}{after}")


if __name__ == "__main__":
    write()
