"""Run the command ``notifier``; ``python -m notifier`` does the same.

The modules of a command take time to load. Ctrl-C during that time must not print a traceback. Until a
command can handle the signal, its default action ends the process, and a shell reports 130.
"""

import signal
import sys


def main() -> int:
    """Load the command and run it."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # not for a background process of a shell, which ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from notifier.cli import main as run  # noqa: PLC0415 - this is what takes a while

    signal.signal(signal.SIGINT, handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
