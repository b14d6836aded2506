"""Find the addresses of this machine, on which a listener on ``0.0.0.0`` or ``::`` is reachable."""

import contextlib
import fcntl
import socket
import struct
from ipaddress import IPv6Address
from pathlib import Path

_SIOCGIFADDR = 0x8915  # linux/sockios.h
_IFREQ_ADDRESS = slice(20, 24)
_IF_INET6 = Path("/proc/net/if_inet6")


def find_own_addresses(bound: socket.socket) -> frozenset[tuple[str, int]]:
    """Return every (address, port) of this listener; none for a Unix socket.

    Addresses added later (a new interface) are known after the next start.
    """
    name = bound.getsockname()
    if isinstance(name, str):
        return frozenset()
    host, port = str(name[0]), int(name[1])
    if host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return frozenset({(host, port)})
    return frozenset((address, port) for address in {host, *_ipv4(), *_ipv6()})


def _ipv4() -> set[str]:
    addresses = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # an interface without an IPv4 address
                request = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                addresses.add(socket.inet_ntoa(request[_IFREQ_ADDRESS]))
    return addresses


def _ipv6() -> set[str]:
    with contextlib.suppress(OSError):
        lines = _IF_INET6.read_text(encoding="ascii").splitlines()
        return {str(IPv6Address(int(line.split()[0], 16))) for line in lines}
    return set()
