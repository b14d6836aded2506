"""Find the addresses of our own listener, to which no callback may go."""

import os
import socket


def find_own_addresses(bound: socket.socket) -> frozenset[tuple[str, int]]:
    """Return the (address, port) of this listener: for a Unix socket its path without links, and 0.

    ``0.0.0.0`` and ``::`` stand for every address of this machine, also for one that is added later: the
    policy asks ``outbound/local_addresses.py`` about each.
    """
    name = bound.getsockname()
    if bound.family == socket.AF_UNIX:
        return frozenset({(os.path.realpath(name), 0)}) if isinstance(name, str) else frozenset()
    return frozenset({(str(name[0]), int(name[1]))})
