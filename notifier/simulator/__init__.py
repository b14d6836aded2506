"""A MuleRouter to try things on: exact shapes, scripted tasks, and faults on demand.

For the demo, the tests and the benchmarks; ``python -m notifier.simulator`` runs it by itself.
"""
