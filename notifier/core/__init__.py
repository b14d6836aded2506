"""The rules of notifier: plain functions and frozen values.

Nothing here does I/O, reads a clock, draws a random number, logs or awaits: ``now`` (epoch
milliseconds) and chance (a float in [0, 1)) come in as arguments. ``tests/test_layers.py`` keeps it so.
"""
