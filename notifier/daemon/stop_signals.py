"""What a signal to end means: the first begins an orderly end, a later one wants it now."""

SAME_SIGNAL_S = 0.5
"""Two within this time are one: a terminal's Ctrl-C and `timeout` each tell a whole group of processes."""


class StopSignals:
    """Remembers when the end began. Instants are seconds of one clock."""

    def __init__(self) -> None:
        self._began_at: float | None = None

    def is_immediate(self, at: float) -> bool | None:
        """Hear a signal: False begins the end, True wants it at once, None is an echo of the first."""
        if self._began_at is None:
            self._began_at = at
            return False
        return True if at - self._began_at >= SAME_SIGNAL_S else None
