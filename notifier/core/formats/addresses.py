"""Decide which addresses a callback may be sent to, when connecting to the address that a name resolved to.

``ipaddress.is_global`` and similar are not used, because they call NAT64, 6to4 and multicast global. The
tables here are the IANA special-purpose registries, with the metadata services of the clouds.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from types import MappingProxyType
from typing import Self

from notifier.core.formats.allow_rules import AddressRefusal, InvalidAllowRule
from notifier.core.formats.sockets import SocketPolicy
from notifier.core.formats.urls import SOCKET_PREFIX

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK, PRIVATE, PUBLIC = "loopback", "private", "public"
KINDS = (LOOPBACK, PRIVATE, PUBLIC)


def _parse_networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(word) for word in text.split())


# No receiver is there, but a service with credentials may be. Link-local is last: it includes some others.
_NEVER: Mapping[str, tuple[Network, ...]] = MappingProxyType(
    {
        # AWS, Azure and GCP · AWS · Alibaba · Azure's wire server · Oracle · GCP · Scaleway
        "a metadata service": _parse_networks(
            "169.254.169.254 fd00:ec2::254 100.100.100.200 168.63.129.16 192.0.0.192 fd20:ce::254 fd00:42::42"
        ),
        "unspecified": _parse_networks("0.0.0.0/8 ::"),
        "broadcast": _parse_networks("255.255.255.255"),
        "multicast": _parse_networks("224.0.0.0/4 ff00::/8"),
        "link-local": _parse_networks("169.254.0.0/16 fe80::/10"),
    }
)
_LOOPBACK = _parse_networks("127.0.0.0/8 ::1")
# Ranges that are not routed on the internet: RFC 1918, CGNAT (Tailscale), ULA, site-local, and the reserved
# ones too. Proxies that reply to DNS with addresses of 198.18.0.0/15 are common on developers' machines.
# Refusing those always would break every callback there, so they are private and not "public".
_PRIVATE = _parse_networks(
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 "
    "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 "
    "fc00::/7 fec0::/10 2001:2::/48 2001:10::/28 2001:20::/28 2001:db8::/32 3fff::/20 5f00::/16 100::/64"
)
_GLOBAL_V6 = IPv6Network("2000::/3")  # everything that IANA has allocated; the rest of IPv6 counts as private
_EMBEDDING_LAST = _parse_networks(
    "::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 ::/96"
)  # SIIT, NAT64 twice, IPv4-compatible
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214, 6.1: the upper half of the interface id
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_NUMERIC_END = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")


IsLocal = Callable[[str], bool]


def _is_never_local(_address: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The rules of ``callbacks.allow``, and the addresses of our own listeners.

    ``allow`` has the kinds ``loopback``, ``private`` and ``public``, host names (exact, or ``*.suffix`` for
    all below it), CIDRs or addresses, and Unix sockets. A name allows every address that it resolves to,
    except those that are always refused. ``own`` has (address, port) of each of our listeners. ``0.0.0.0`` or
    ``::`` in it means every loopback address, and each address that ``is_local`` calls one of this machine.
    The core cannot know those, and interfaces come and go.
    """

    kinds: frozenset[str]
    names: frozenset[str]
    suffixes: tuple[str, ...]
    networks: tuple[Network, ...]
    own: frozenset[tuple[Address, int]]
    sockets: SocketPolicy
    is_local: IsLocal = field(compare=False)

    @classmethod
    def of(
        cls, allow: Iterable[str], own: Collection[tuple[str, int]] = (), is_local: IsLocal = _is_never_local
    ) -> Self:
        """Parse the entries of the configuration. Raise InvalidAllowRule.

        The address of a listener on a Unix socket is its path.
        """
        listed = [entry.strip() for entry in allow]
        entries = [entry.lower() for entry in listed if not entry.startswith(SOCKET_PREFIX)]
        networks = [network for entry in entries if (network := _parse_network(entry)) is not None]
        words = {entry for entry in entries if _parse_network(entry) is None}
        for word in sorted(words):
            if not _NAME.fullmatch(word) or _NUMERIC_END.search(word):
                raise InvalidAllowRule(
                    f"neither loopback, private, public, a host name nor a CIDR: {word[:100]!r}"
                )
        return cls(
            kinds=frozenset(words & set(KINDS)),
            names=frozenset(word for word in words if word not in KINDS and not word.startswith("*.")),
            suffixes=tuple(sorted(word[1:] for word in words if word.startswith("*."))),
            networks=tuple(networks),
            own=frozenset(
                (_unmap(ip_address(address)), port) for address, port in own if not address.startswith("/")
            ),
            sockets=SocketPolicy.of(
                (entry for entry in listed if entry.startswith(SOCKET_PREFIX)),
                (address for address, _ in own if address.startswith("/")),
            ),
            is_local=is_local,
        )

    def refuse(self, host: str, address: str, port: int) -> AddressRefusal | None:
        """Return why ``address``, to which ``host`` resolved, is refused; None if it is allowed."""
        try:
            forms = list(_list_forms(ip_address(address)))
        except ValueError:
            return AddressRefusal(f"not an address: {address[:100]}", is_final=False)
        for form in forms:
            for what, networks in _NEVER.items():
                if _is_in(form, networks):
                    return AddressRefusal(f"{address} is {what}; callbacks never go there", is_final=True)
            if self._is_own(form, port):
                text = f"{address} port {port} is notifier itself; a callback there would go in a circle"
                return AddressRefusal(text, is_final=True)
        if self._is_allowed_name(host):
            return None
        for form in forms:
            kind = classify_address(form)
            if kind not in self.kinds and not _is_in(form, self.networks):
                text = f"{address} is {kind}, and callbacks.allow has neither that nor this host"
                return AddressRefusal(text, is_final=False)
        return None

    def _is_own(self, form: Address, port: int) -> bool:
        if (form, port) in self.own:
            return True
        wildcards = any(own.is_unspecified and own_port == port for own, own_port in self.own)
        return wildcards and (_is_in(form, _LOOPBACK) or self.is_local(str(form)))

    def _is_allowed_name(self, host: str) -> bool:
        name = host.lower().removesuffix(".")
        return name in self.names or name.endswith(self.suffixes)


def classify_address(address: Address) -> str:
    """Return ``loopback``, ``private`` or ``public`` for an address that is not always refused."""
    if _is_in(address, _LOOPBACK):
        return LOOPBACK
    if _is_in(address, _PRIVATE):
        return PRIVATE
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6 and not _find_embedded(address):
        return PRIVATE
    return PUBLIC


def is_local_host(host: str) -> bool:
    """Return whether a host is on this machine or in its local network, by its address or name.

    A name without a dot, or below a local domain, counts as local.
    """
    name = host.rstrip(".")
    try:
        return classify_address(ip_address(name)) != PUBLIC
    except ValueError:
        return "." not in name or name.endswith(_LOCAL_SUFFIXES)


def _list_forms(address: Address) -> Iterator[Address]:
    """List the address and those that a gateway may translate it to. A mapped address is only its target."""
    address = _unmap(address)
    yield address
    for inner in _find_embedded(address):
        yield from _list_forms(inner)


def _unmap(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))  # the number has no zone (%eth0)


def _find_embedded(address: Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address) or int(address) <= 1:  # :: and ::1 contain no IPv4 address
        return []
    last = int(address) & 0xFFFF_FFFF
    inner_addresses = [address.sixtofour, *(address.teredo or ())]
    if _is_in(address, _EMBEDDING_LAST) or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        inner_addresses.append(IPv4Address(last))
    return [inner for inner in inner_addresses if inner is not None]


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _parse_network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None
