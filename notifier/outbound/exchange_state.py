"""What is noted on the way of one exchange, by the parts of it that cannot hand it up.

The library between the client and the sockets has no room for it, so it travels in a context variable:
a connection is opened in the task of the exchange that needs it, or in a child of that task.
"""

import asyncio
import contextlib
from contextvars import ContextVar
from dataclasses import dataclass, field

from aiohttp.connector import Connection
from yarl import URL

from notifier.core.exchange import HttpReply

CURRENT: ContextVar["ExchangeState"] = ContextVar("trip")


@dataclass(slots=True)
class ExchangeState:
    """One exchange under way. Instants are seconds of the wire's clock.

    ``tried`` holds the addresses connected to, ``refused`` why others were not. ``peer`` is the address and
    port at the other end, or the last that was tried. ``connected_at`` stays None when a connection was there
    already. ``standing`` is a reply that holds, whatever becomes of its body.
    """

    url: URL
    started_at: float
    tried: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    peer: str | None = None
    connected_at: float | None = None
    is_answered: bool = False
    final_reply: HttpReply | None = None
    _connection: Connection | None = None
    _transport: asyncio.Transport | None = None

    @property
    def host(self) -> str:
        """The host as it stands in the URL, in ASCII, without brackets."""
        return self.url.raw_host or ""

    @property
    def is_connected(self) -> bool:
        """A connection was had, whatever became of it."""
        return self._transport is not None

    def ms_until(self, instant: float) -> int:
        """Milliseconds from the start to an instant."""
        return round((instant - self.started_at) * 1_000)

    def record_attempt(self, address: str, port: int) -> None:
        """Note that this address is about to be connected to."""
        self.peer = format_address(address, port)
        self.tried.append(self.peer)

    def attach(self, connection: Connection, connected_at: float | None) -> None:
        """Go on with this connection."""
        self._connection = connection
        self._transport = connection.transport
        name = self._transport.get_extra_info("peername") if self._transport else None
        if name:  # asked now: a TLS transport forgets it when aborted
            self.peer = format_address(name[0], name[1])
        self.connected_at = connected_at

    def abort(self) -> None:
        """Drop the connection at once, and with it what the peer has not read.

        To close it would not do: a close waits until the peer has read everything, and it may never do so.
        Once an answer has come whole the connection is back in the pool and not ours; then nothing is done.
        A TLS transport of asyncio that was closed twice has let go of what it would abort, and some versions
        (3.11.2 is Debian's) fail on that; then there is nothing left to drop.
        """
        if self._transport is None:
            return
        is_returned = self.is_answered and (self._connection is None or self._connection.closed)
        if self._transport.is_closing() or not is_returned:
            with contextlib.suppress(AttributeError):
                self._transport.abort()


def format_address(address: str, port: int) -> str:
    """Write an address and port as in a URL."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
