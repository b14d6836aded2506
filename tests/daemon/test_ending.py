"""What signals to end mean."""

import pytest

from notifier.daemon.stop_signals import SAME_SIGNAL_S, StopSignals


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    ("after_s", "meaning"), [(0.0, None), (SAME_SIGNAL_S - 0.001, None), (SAME_SIGNAL_S, True), (60.0, True)]
)
def test_signals_that_come_together_are_one(after_s: float, meaning: bool | None) -> None:
    """The first begins an orderly end; its echo does not cut it short, a second thought does."""
    ending = StopSignals()
    assert ending.is_immediate(100.0) is False
    assert ending.is_immediate(100.0 + after_s) is meaning
