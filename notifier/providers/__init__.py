"""Describe providers as data: one TOML file for each, with its sources and golden replies.

``README.md`` in this folder describes the files. ``tests/providers`` checks them.
"""
