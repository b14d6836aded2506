"""``python -m notifier`` is the command ``notifier``.

A command's modules take a while to load. Who presses Ctrl-C meanwhile gets no traceback: until a command can
handle it, the signal ends the process as it ends any other, and a shell says 130.
"""

import signal
import sys


def main() -> int:
    """Load the command, and run it."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # and not ignored, as for what a shell starts in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from notifier.cli import main as run  # noqa: PLC0415 - this is what takes a while

    signal.signal(signal.SIGINT, handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
