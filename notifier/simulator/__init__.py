"""Simulate MuleRouter: its exact JSON, scripted tasks, and failures on demand.

The demo, the tests and the benchmarks use it. ``notifier simulator`` and ``python -m notifier.simulator`` run
it as a process.
"""
