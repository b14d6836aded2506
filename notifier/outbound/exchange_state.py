"""Record the state of one exchange, for the parts below the HTTP library.

The library has no argument for it, so it is in a context variable. That works because a connection is opened
in the task of the exchange that needs it, or in a child of that task.
"""

import asyncio
import contextlib
from contextvars import ContextVar
from dataclasses import dataclass, field

from aiohttp.connector import Connection
from yarl import URL

from notifier.core.exchange import HttpReply
from notifier.core.formats.addresses import AddressRefusal

CURRENT: ContextVar["ExchangeState"] = ContextVar("exchange_state")


@dataclass(slots=True)
class ExchangeState:
    """The state of one exchange. Instants are seconds of the client's clock.

    ``tried`` lists the addresses of connections, ``refused`` the reasons against other addresses. ``peer`` is
    the address and port at the other end, or the last one tried. ``connected_at`` stays None for a reused
    connection. ``final_reply`` is a reply that counts even if its body never ends.
    ``is_body_read``: the body of a success matters.
    """

    url: URL
    started_at: float
    tried: list[str] = field(default_factory=list)
    refused: list[AddressRefusal] = field(default_factory=list)
    peer: str | None = None
    connected_at: float | None = None
    is_answered: bool = False
    final_reply: HttpReply | None = None
    is_body_read: bool = True
    _connection: Connection | None = None
    _transport: asyncio.Transport | None = None

    @property
    def host(self) -> str:
        """Return the host of the URL in ASCII, without brackets."""
        return self.url.raw_host or ""

    @property
    def is_connected(self) -> bool:
        """Return whether there was a connection, also if it broke later."""
        return self._transport is not None

    def ms_until(self, instant: float) -> int:
        """Return the milliseconds from the start to an instant."""
        return round((instant - self.started_at) * 1_000)

    def record_attempt(self, address: str, port: int) -> None:
        """Record that a connection to this address begins."""
        self.peer = format_address(address, port)
        self.tried.append(self.peer)

    def attach(self, connection: Connection, connected_at: float | None) -> None:
        """Record the connection that the exchange uses."""
        self._connection = connection
        self._transport = connection.transport
        name = self._transport.get_extra_info("peername") if self._transport else None
        if name:  # read now: a TLS transport loses it when aborted
            self.peer = format_address(name[0], name[1])
        self.connected_at = connected_at

    def abort(self) -> None:
        """Abort the connection and discard what the peer has not read.

        Closing is not enough, because it waits until the peer has read everything. After a complete reply the
        connection is in the pool again, and nothing is done. A TLS transport that was closed twice has
        nothing left to abort; some versions of asyncio raise then (3.11.2, Debian 12).
        """
        if self._transport is None:
            return
        is_returned = self.is_answered and (self._connection is None or self._connection.closed)
        if self._transport.is_closing() or not is_returned:
            with contextlib.suppress(AttributeError):
                self._transport.abort()


def format_address(address: str, port: int) -> str:
    """Format an address and port as in a URL."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
