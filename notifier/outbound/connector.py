"""Open connections: resolve the name, check every address, connect to a checked one, and start TLS.

The check is at the address connected to. A check of the name would be defeated by a name that resolves
differently a moment later, or by an address in the URL itself.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Protocol

from notifier.core.exchange import FailureKind, NoReply
from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.sockets import SocketPolicy
from notifier.outbound.connection import SOCKET, Connection, Origin
from notifier.outbound.errors import ExchangeError, blocked, connect_failed
from notifier.outbound.exchange_state import ExchangeState, Stage, format_address
from notifier.outbound.resolver import CachingResolver

BACKLOG_RETRY_S = 0.02  # trade-off: soon after a place is free, at little CPU while none is
NEXT_ADDRESS_S = 3.0  # no record of why; after it another address of the name gets its chance


class Connector(Protocol):
    """Open the connections of a transport."""

    async def connect(self, origin: Origin, state: ExchangeState) -> Connection:
        """Return a new connection. Raise ExchangeError if there is none."""
        ...


class UnixConnector:
    """Connect to one Unix socket, whatever host the URL has."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def connect(self, origin: Origin, state: ExchangeState) -> Connection:
        """Return a new connection without TLS. Raise ExchangeError if there is none."""
        state.peer = state.peer or self._path
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            return await _open(sock, self._path, origin, state.peer, state.started_at)
        except OSError as error:
            raise ExchangeError(connect_failed(error, state.peer)) from error


class SchemeConnector:
    """Connect to the Unix sockets that the policy allows, and with ``tcp`` to everything else."""

    def __init__(self, policy: SocketPolicy, tcp: Connector, monotonic: Callable[[], float]) -> None:
        self._policy = policy
        self._tcp = tcp
        self._monotonic = monotonic

    async def connect(self, origin: Origin, state: ExchangeState) -> Connection:
        """Return a new connection. Raise ExchangeError if there is none.

        The socket connected to is the one checked: a link is followed once.
        """
        if origin.scheme != SOCKET:
            return await self._tcp.connect(origin, state)
        real_path = os.path.realpath(origin.host)  # noqa: ASYNC240 - a few system calls, no disk: /run is in memory
        if (refusal := self._policy.refuse(origin.host, real_path)) is not None:
            raise ExchangeError(blocked([refusal]))
        state.peer = origin.host
        connection = await UnixConnector(real_path).connect(origin, state)
        state.connected_at = self._monotonic()
        return connection


class TcpConnector:
    """Connect to the addresses that the policy allows; without a policy, to all.

    ``origin_tls`` has the TLS contexts of origins that ``tls`` does not apply to.
    """

    def __init__(
        self,
        policy: AddressPolicy | None,
        tls: ssl.SSLContext,
        resolver: CachingResolver,
        monotonic: Callable[[], float],
        origin_tls: Mapping[Origin, ssl.SSLContext] | None = None,
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._origin_tls = origin_tls or {}
        self._resolver = resolver
        self._monotonic = monotonic

    async def connect(self, origin: Origin, state: ExchangeState) -> Connection:
        """Return a new connection, with TLS if the scheme says so. Raise ExchangeError if there is none."""
        addresses = await self._allowed_addresses(origin)
        connection = await self._connect_to_one(origin, addresses, state)
        try:
            if origin.scheme == "https":
                state.stage = Stage.HANDSHAKE
                await connection.start_tls(self._origin_tls.get(origin, self._tls))
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
            no_reply = NoReply(FailureKind.DNS, f"{host}: {error.strerror or 'no address'}")
            raise ExchangeError(no_reply) from error

    async def _connect_to_one(
        self, origin: Origin, addresses: Sequence[str], state: ExchangeState
    ) -> Connection:
        """Try the addresses in order. The last may take as long as the deadline of the exchange allows."""
        last = addresses[-1]
        for address in addresses:
            state.peer = peer = format_address(address, origin.port)
            try:
                async with asyncio.timeout(None if address is last else NEXT_ADDRESS_S):
                    return await self._open(origin, address, peer)
            except OSError as error:  # TimeoutError too
                last_error = error
        raise ExchangeError(connect_failed(last_error, peer)) from last_error

    async def _open(self, origin: Origin, address: str, peer: str) -> Connection:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return await _open(sock, (address, origin.port), origin, peer, self._monotonic())


async def _connect_unix(sock: socket.socket, path: str) -> None:
    """Connect to a Unix socket, and wait while its backlog is full.

    The kernel reports a full backlog by EAGAIN at once. asyncio would take that for a connection.
    """
    while True:
        try:
            return sock.connect(path)
        except BlockingIOError:
            await asyncio.sleep(BACKLOG_RETRY_S)


async def _open(
    sock: socket.socket, address: str | tuple[str, int], origin: Origin, peer: str, now: float
) -> Connection:
    """Connect a socket of our own: with it ``Connection`` can read what asyncio would leave unread."""
    loop = asyncio.get_running_loop()
    try:
        sock.setblocking(False)
        if isinstance(address, str):
            await _connect_unix(sock, address)
        else:
            await loop.sock_connect(sock, address)
        _, connection = await loop.create_connection(lambda: Connection(origin, peer, sock, now), sock=sock)
    except BaseException:
        sock.close()
        raise
    return connection
