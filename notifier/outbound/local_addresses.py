"""Ask the kernel whether an address is one of this machine, for a listener on ``0.0.0.0`` or ``::``.

A list of interfaces would need netlink, which the unit forbids, and would be old when an address is added.
"""

import errno
import socket


def is_local_address(address: str) -> bool:
    """Return whether this machine has the address: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno == errno.EACCES  # the kernel refuses a broadcast address of ours
    return True
