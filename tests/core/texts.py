"""Texts and JSON to try the core with."""

import json
from typing import Any

from hypothesis import strategies as st

from notifier.core.formats.json_text import MAX_INT, MIN_INT

any_text = st.text(st.characters(exclude_categories=()))
"""Any text at all: hypothesis leaves out halves of surrogate pairs unless told."""

clean_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(MIN_INT, MAX_INT)
    | st.floats(allow_nan=False, allow_infinity=False)
)
documents = st.recursive(
    scalars | clean_text,
    lambda inner: st.lists(inner) | st.dictionaries(clean_text, inner),
    max_leaves=30,
)
any_documents = st.recursive(
    scalars | any_text, lambda inner: st.lists(inner) | st.dictionaries(any_text, inner), max_leaves=30
)


def strings_in(value: Any) -> list[str]:
    """Every string and key in a document, and every number as it is written."""
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in strings_in(part)]
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]
    return [value if isinstance(value, str) else json.dumps(value)]
