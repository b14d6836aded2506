"""The last place before a connect: here every address comes by, those written as numbers included.

A check at the name would be fooled by a name that resolves differently a moment later, and the resolver
never sees an address that stands in the URL itself.
"""

import socket
from typing import Any

from notifier.core.formats.addresses import AddressPolicy
from notifier.outbound.exchange_state import CURRENT


class AddressBlocked(OSError):
    """This address is not connected to. As an OSError, so that the next address of the name is tried."""


class AddressCheck:
    """Makes the sockets of a connector, for the addresses that the policy lets through; None lets all."""

    def __init__(self, policy: AddressPolicy | None) -> None:
        self._policy = policy

    def __call__(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Return an unconnected socket for the address, or raise AddressRefused."""
        family, kind, protocol, _, name = info
        address, port = name[0], name[1]
        state = CURRENT.get()
        reason = self._policy.refuse(state.host, address, port) if self._policy else None
        if reason is not None:
            if reason not in state.refused:
                state.refused.append(reason)
            raise AddressBlocked(reason)
        state.record_attempt(address, port)
        return socket.socket(family, kind, protocol)
