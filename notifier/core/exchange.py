"""What an HTTP exchange brought back: a reply, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FailureKind(StrEnum):
    """Why an exchange brought no reply."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    PROTOCOL = "protocol"
    BLOCKED = "blocked"
    TOO_LARGE = "too_large"


class FailureSubkind(StrEnum):
    """What is known beyond the kind, where another remedy follows from it."""

    TLS_NOT_SPOKEN = "tls_not_spoken"
    TLS_EXPECTED = "tls_expected"
    TLS_CLIENT_CERTIFICATE = "tls_client_certificate"
    NEVER_ALLOWED = "never_allowed"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An HTTP answer. Header names are lower-case; ``body`` is at most what the caller allowed.

    ``is_cut`` says that the body was longer than that, or broke off. ``peer`` is the address and port spoken
    to, as in a URL. The instants count from the start of the exchange; ``connect_ms`` is None when a
    connection was there already.
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
    """No usable answer came. ``detail`` is one line for a person, free of secrets."""

    fault: FailureKind
    detail: str
    peer: str | None = None
    elapsed_ms: int = 0
    connect_ms: int | None = None
    subkind: FailureSubkind | None = None


Exchange = HttpReply | NoReply
