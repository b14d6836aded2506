"""Run the command ``notifier``; ``python -m notifier`` does the same.

The modules of a command take time to load. Ctrl-C during that time must not print a traceback. Until a
command can handle the signal, its default action ends the process, and a shell reports 130.

The kernel discards signals with a default action for process 1, the first of a container. So process 1 gets
handlers before anything else is loaded.
"""

import os
import signal
import sys
from types import FrameType

INIT_PID = 1  # pid_namespaces(7)


def main() -> int:
    """Load the command and run it."""
    handler = signal.getsignal(signal.SIGINT)
    if os.getpid() == INIT_PID:
        _end_on_signals()
    elif handler is signal.default_int_handler:  # not for a background process of a shell, which ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from notifier.store.sqlite.version import use_newer_driver  # noqa: PLC0415 - as below

    use_newer_driver()
    from notifier.cli import main as run  # noqa: PLC0415 - this is what takes a while

    signal.signal(signal.SIGINT, handler)
    return run()


def _end_on_signals() -> None:
    """End at SIGTERM and SIGINT as another process would; a command replaces these handlers."""
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)  # nothing is open yet that needs an orderly end


if __name__ == "__main__":
    sys.exit(main())
