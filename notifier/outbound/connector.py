"""Open connections: resolve the name, check every address, connect to a checked one, and start TLS.

The check is at the address connected to. A check of the name would be defeated by a name that resolves
differently a moment later, or by an address in the URL itself.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from notifier.core.exchange import FailureKind, NoReply
from notifier.core.formats.addresses import AddressPolicy
from notifier.outbound.connection import Connection, Origin
from notifier.outbound.errors import ExchangeError, blocked, describe_os_error
from notifier.outbound.exchange_state import ExchangeState, Stage, format_address
from notifier.outbound.resolver import CachingResolver

NEXT_ADDRESS_S = 3.0  # DELIVERY.md 5.2: connect 3 s; after that another address of the name gets its chance


class Connector:
    """Opens connections to the addresses that the policy allows; without a policy, to all."""

    def __init__(
        self,
        policy: AddressPolicy | None,
        tls: ssl.SSLContext,
        resolver: CachingResolver,
        monotonic: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._resolver = resolver
        self._monotonic = monotonic

    async def connect(self, origin: Origin, state: ExchangeState) -> Connection:
        """Return a new connection, with TLS if the scheme says so. Raise ExchangeError if there is none."""
        addresses = await self._allowed_addresses(origin)
        connection = await self._connect_to_one(origin, addresses, state)
        try:
            if origin.scheme == "https":
                state.stage = Stage.HANDSHAKE
                await connection.start_tls(self._tls)
        except BaseException:
            connection.abort()
            raise
        state.connected_at = self._monotonic()
        return connection

    async def _allowed_addresses(self, origin: Origin) -> Sequence[str]:
        addresses = await self._addresses(origin.host)
        policy = self._policy
        if policy is None:
            return addresses
        refusals = {address: policy.refuse(origin.host, address, origin.port) for address in addresses}
        allowed = [address for address, refusal in refusals.items() if refusal is None]
        if not allowed:
            raise ExchangeError(blocked(list(dict.fromkeys(filter(None, refusals.values())))))
        return allowed

    async def _addresses(self, host: str) -> Sequence[str]:
        with contextlib.suppress(ValueError):
            ip_address(host)
            return [host]
        try:
            return await self._resolver.resolve(host)
        except OSError as error:
            raise ExchangeError(
                NoReply(FailureKind.DNS, f"{host}: {error.strerror or 'no address'}")
            ) from None

    async def _connect_to_one(
        self, origin: Origin, addresses: Sequence[str], state: ExchangeState
    ) -> Connection:
        """Try the addresses in order. The last may take as long as the deadline of the exchange allows."""
        last = addresses[-1]
        for address in addresses:
            state.peer = format_address(address, origin.port)
            try:
                async with asyncio.timeout(None if address is last else NEXT_ADDRESS_S):
                    return await self._open(origin, address, state.peer)
            except OSError as error:  # TimeoutError too
                failure = NoReply(FailureKind.CONNECT, f"{state.peer}: {describe_os_error(error)}")
        raise ExchangeError(failure)

    async def _open(self, origin: Origin, address: str, peer: str) -> Connection:
        """Connect a socket of our own: with it ``Connection`` can read what asyncio would leave unread."""
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, (address, origin.port))
            _, connection = await loop.create_connection(
                lambda: Connection(origin, peer, sock, self._monotonic()), sock=sock
            )
        except BaseException:
            sock.close()
            raise
        return connection
