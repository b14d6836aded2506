"""Let a command clean up at SIGTERM and SIGHUP, which by default end a process at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from notifier.cli.exit_codes import SIGNAL_EXIT_BASE


class SignalReceived(BaseException):
    """A signal came. Not an ``Exception``, so that only ``finally`` blocks and cleanups run on its way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_status = SIGNAL_EXIT_BASE + number


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Raise SignalReceived for SIGTERM and SIGHUP in the block, unless they are ignored (``nohup``)."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SignalReceived(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
