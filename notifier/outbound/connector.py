"""The pool of connections."""

import select
import ssl
import time
from collections.abc import Callable

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from notifier.outbound.address_check import AddressCheck
from notifier.outbound.exchange_state import CURRENT
from notifier.outbound.resolver import CachingResolver


class PooledConnector(TCPConnector):
    """Notes on the trip what it did, and gives out no connection that the peer has closed already."""

    def __init__(
        self,
        *,
        limit: int,
        keepalive_s: float,
        tls: ssl.SSLContext,
        resolver: CachingResolver,
        guard: AddressCheck,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            limit=limit,
            limit_per_host=0,
            keepalive_timeout=keepalive_s,
            ssl=tls,
            resolver=resolver,
            use_dns_cache=False,  # the resolver has its own, with an injected clock
            socket_factory=guard,
        )
        self._monotonic = monotonic

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109 - the base class's
        """Return a connection that is new, or idle and silent."""
        state = CURRENT.get()
        while True:
            tried = len(state.tried)
            connection = await super().connect(req, traces, timeout)
            is_new = len(state.tried) > tried
            if is_new or not _has_input(connection):
                state.attach(connection, self._monotonic() if is_new else None)
                return connection
            connection.close()


def _has_input(connection: Connection) -> bool:
    """Say whether there is something to read, which between two exchanges can only be the end.

    The loop has not come to it yet, and the request would be written into a closed connection. A GET could be
    repeated; of a POST nobody could say whether it arrived.
    """
    handle = connection.transport.get_extra_info("socket") if connection.transport else None
    if handle is None or handle.fileno() < 0:
        return True
    poll = select.poll()  # select() has no room for a descriptor over 1023
    poll.register(handle.fileno(), select.POLLIN)
    return bool(poll.poll(0))
