"""Provider descriptions as data: one TOML file a provider, with its sources and golden answers.

``README.md`` in this folder describes the files. ``tests/providers`` checks them.
"""
