"""Interpret signals that stop the daemon: the first starts an orderly stop, a later one ends it at once."""

SAME_SIGNAL_S = 0.5
"""Signals within this time are one: Ctrl-C and `timeout` signal a whole group of processes."""


class StopSignals:
    """The time of the first signal. Instants are seconds of one clock."""

    def __init__(self) -> None:
        self._began_at: float | None = None

    def is_immediate(self, at: float) -> bool | None:
        """Record a signal: False starts the stop, True ends it at once, None repeats the first."""
        if self._began_at is None:
            self._began_at = at
            return False
        return True if at - self._began_at >= SAME_SIGNAL_S else None
