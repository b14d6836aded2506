"""Define the rules of notifier as plain functions and frozen values.

Nothing here does I/O, reads a clock, draws a random number, logs or awaits. The time (``now``, epoch
milliseconds) and randomness (``jitter``, a float in [0, 1)) are arguments. ``tests/test_layers.py`` checks
it.
"""
