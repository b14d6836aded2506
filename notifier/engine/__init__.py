"""What moves: ticks that claim due rows, do the I/O, ask the core and record.

A tick is an ordinary coroutine function that says when it wants to be called again; ``bells.py`` (the only
file that imports APScheduler) calls it in production, the simulation calls it by hand.
"""
