"""Speed and memory, as ratios against limits measured in the same run: ``python -m benchmarks``.

The daemon and the simulated provider are processes of their own, as in life. A scenario is a coroutine that
takes a ``Bench`` and returns figures; ``__main__`` lists them, and a further one is a file and a line there.
"""
