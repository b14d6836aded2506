"""Prepare the standard streams, which the parent process may have closed.

Characters that the locale cannot encode are written as escapes. A closed pipe ends a command quietly.
"""

import os
import sys
from io import TextIOWrapper

from notifier.cli.exit_codes import EX_PIPE


def prepare_streams() -> None:
    """Open closed streams on /dev/null, and escape characters that the locale cannot encode."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def release_streams() -> int:
    """Send further output to /dev/null, also that of the exit. Return the exit code."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null_device, stream.fileno())
    os.close(null_device)
    return EX_PIPE


def _open_closed() -> None:
    """Open closed descriptors, or a file of ours would get their numbers and our output.

    libuv aborts when such a file is closed.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    if sys.__stdin__ is None:
        sys.stdin = _wrap_descriptor(0, "r")
    if sys.__stdout__ is None:
        sys.stdout = _wrap_descriptor(1, "w")
    if sys.__stderr__ is None:
        sys.stderr = _wrap_descriptor(2, "w")


def _wrap_descriptor(fd: int, mode: str) -> TextIOWrapper:
    return TextIOWrapper(open(fd, f"{mode}b", closefd=False), encoding="utf-8")
