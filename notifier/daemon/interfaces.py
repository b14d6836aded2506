"""Find the addresses of our own listener, to which no callback may go."""

import socket


def find_own_addresses(bound: socket.socket) -> frozenset[tuple[str, int]]:
    """Return the (address, port) of this listener; none for a Unix socket.

    ``0.0.0.0`` and ``::`` stand for every address of this machine, also for one that is added later: the
    policy asks ``outbound/local_addresses.py`` about each.
    """
    name = bound.getsockname()
    return frozenset() if isinstance(name, str) else frozenset({(str(name[0]), int(name[1]))})
