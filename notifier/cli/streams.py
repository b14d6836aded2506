"""The standard streams: all three are there, no sign is unprintable, a reader that is gone ends a command.

Who starts us may have closed some, or take no more of what we write.
"""

import os
import sys
from io import TextIOWrapper

from notifier.cli.exit_codes import EX_PIPE


def prepare_streams() -> None:
    """Open what is closed, on nothing, and show what the locale cannot as its escape."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def release_streams() -> int:
    """Write nowhere from now on, not even what is left at the exit; returns how to end."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null_device, stream.fileno())
    os.close(null_device)
    return EX_PIPE


def _open_closed() -> None:
    """A file of ours would stand in their places and get what we say; libuv aborts on closing it."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.__stdin__ is None:
        sys.stdin = _wrap_descriptor(0, "r")
    if sys.__stdout__ is None:
        sys.stdout = _wrap_descriptor(1, "w")
    if sys.__stderr__ is None:
        sys.stderr = _wrap_descriptor(2, "w")


def _wrap_descriptor(fd: int, mode: str) -> TextIOWrapper:
    return TextIOWrapper(open(fd, f"{mode}b", closefd=False), encoding="utf-8")
