"""Read the statements of ``queries.sql`` by name."""

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType


def _load() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("queries.sql").read_text("utf-8")
    without_headings = re.sub(r"^-- (?!name: ).*\n", "", text, flags=re.MULTILINE)
    _, *parts = re.split(r"^-- name: (\w+)\n", without_headings, flags=re.MULTILINE)
    return MappingProxyType({name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)})


SQL = _load()
