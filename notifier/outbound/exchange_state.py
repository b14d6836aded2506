"""How far one exchange has come: the client reads it when the exchange ends."""

from dataclasses import dataclass
from enum import StrEnum

from notifier.core.exchange import HttpReply

EXTENSION = "notifier.exchange_state"
"""The key of the state in ``httpx.Request.extensions``."""


class Stage(StrEnum):
    """What an exchange waits for; the value completes a message about its deadline."""

    CONNECT = "not even connected"
    HANDSHAKE = "connected, and the TLS handshake did not end"
    HEAD = "connected, and no answer began"
    BODY = "the answer began and did not end"


@dataclass(slots=True)
class ExchangeState:
    """One exchange under way. Instants are seconds of the client's clock.

    ``peer`` is the address and port at the other end, or the last one tried. ``connected_at`` stays None for
    a reused connection. ``final_reply`` is a reply that counts even if its body never ends.
    ``is_body_read``: the body of a success matters. ``socket_path`` is the Unix socket to
    connect to in place of the host of the URL.
    """

    started_at: float
    stage: Stage = Stage.CONNECT
    peer: str | None = None
    connected_at: float | None = None
    final_reply: HttpReply | None = None
    is_body_read: bool = True
    socket_path: str | None = None

    def ms_until(self, instant: float) -> int:
        """Return the milliseconds from the start to an instant."""
        return round((instant - self.started_at) * 1_000)


def format_address(address: str, port: int) -> str:
    """Format an address and port as in a URL."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
