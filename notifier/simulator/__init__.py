"""A MuleRouter to try things on: exact shapes, scripted tasks, and faults on demand.

For the demo, the tests and the benchmarks; ``notifier simulator`` runs it by itself, and so does
``python -m notifier.simulator``.
"""
