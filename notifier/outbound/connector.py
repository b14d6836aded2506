"""Pool the connections of a client."""

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
    """A pool that records its connections in ``CURRENT`` and reuses none that the peer has closed."""

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
        """Return a new connection, or an idle one without input."""
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
    """Return whether there is input. Between two exchanges it can only be the end of the connection.

    The event loop has not processed it yet, so the request would go into a closed connection. A GET could be
    repeated, but of a POST it would be unknown whether it arrived.
    """
    handle = connection.transport.get_extra_info("socket") if connection.transport else None
    if handle is None or handle.fileno() < 0:
        return True
    poll = select.poll()  # select() has no room for a descriptor over 1023
    poll.register(handle.fileno(), select.POLLIN)
    return bool(poll.poll(0))
