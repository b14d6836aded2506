"""Golden copies of what users and their programs rely on, and the comparison with them.

``make golden`` writes them anew. A change of one of these files is a change of the outside: it stands in a
commit of its own, with its reason.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent
WRITE = "NOTIFIER_WRITE_GOLDEN"  # set by `make golden`


def check(name: str, text: str) -> None:
    """Compare ``text`` with the golden copy ``name``, or write the copy where ``make golden`` asks for it."""
    file = FOLDER / name
    if os.environ.get(WRITE):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"{name} changed; if that is meant: make golden"
