"""Check every address immediately before the connection, also an address written in the URL.

A check of the name would be too early: the name may resolve to another address a moment later (DNS
rebinding), and the resolver never sees an address that stands in the URL itself.
"""

import socket
from typing import Any

from notifier.core.formats.addresses import AddressPolicy
from notifier.outbound.exchange_state import CURRENT


class AddressBlocked(OSError):
    """The policy forbids this address. It is an OSError, so that the next address of the name is tried."""


class AddressCheck:
    """Make the sockets of a connector for allowed addresses. Without a policy every address is allowed."""

    def __init__(self, policy: AddressPolicy | None) -> None:
        self._policy = policy

    def __call__(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Return an unconnected socket for the address, or raise AddressBlocked."""
        family, kind, protocol, _, name = info
        address, port = name[0], name[1]
        state = CURRENT.get()
        reason = self._policy.refuse(state.host, address, port) if self._policy else None
        if reason is not None:
            if reason not in state.refused:
                state.refused.append(reason)
            raise AddressBlocked(reason.text)
        state.record_attempt(address, port)
        return socket.socket(family, kind, protocol)
