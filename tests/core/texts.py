"""Texts to try the core with."""

from hypothesis import strategies as st

any_text = st.text(st.characters(exclude_categories=()))
"""Any text at all: hypothesis leaves out halves of surrogate pairs unless told."""
