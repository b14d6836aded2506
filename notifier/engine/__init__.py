"""Run the work of the daemon in ticks: claim due rows, do the I/O, decide by the core, record.

A tick is a coroutine function that returns when it must run next. ``scheduler.py``, the only file that
imports APScheduler, calls it in production; the simulation calls it by hand.
"""
