"""Define the result of an HTTP exchange: a reply, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FailureKind(StrEnum):
    """The kind of a failure that left an exchange without a reply."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    PROTOCOL = "protocol"
    BLOCKED = "blocked"
    TOO_LARGE = "too_large"


class FailureSubkind(StrEnum):
    """A detail of the kind that needs another remedy."""

    TLS_NOT_SPOKEN = "tls_not_spoken"
    TLS_EXPECTED = "tls_expected"
    TLS_CLIENT_CERTIFICATE = "tls_client_certificate"
    NEVER_ALLOWED = "never_allowed"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An HTTP reply. Header names are lower-case; ``body`` is at most as long as the caller allowed.

    ``is_cut``: the body was longer than that, or incomplete. ``peer`` is the address and port of the peer, as
    in a URL. The durations count from the start of the exchange. ``connect_ms`` is None if a connection was
    reused.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_cut: bool = False
    peer: str | None = None
    elapsed_ms: int = 0
    connect_ms: int | None = None
    first_byte_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NoReply:
    """The lack of a usable reply. ``detail`` is one line for a person, without secrets."""

    kind: FailureKind
    detail: str
    peer: str | None = None
    elapsed_ms: int = 0
    connect_ms: int | None = None
    subkind: FailureSubkind | None = None


Exchange = HttpReply | NoReply
