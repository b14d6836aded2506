"""Parse the address of a daemon as users write it. The clients and the commands use it."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """The address that a daemon listens on.

    ``text`` is the address for messages. With ``socket_path``, of a Unix socket, host and port are unused.
    """

    text: str
    host: str = "localhost"
    port: int = 80
    prefix: str = ""
    is_https: bool = False
    socket_path: str | None = None

    @property
    def is_local(self) -> bool:
        """Return whether the address can only be on this machine."""
        return self.socket_path is not None or self.host in ("localhost", "127.0.0.1", "::1")


def parse_address(text: str) -> Address:
    """Parse ``http://host:port``, ``host:port`` or ``unix:/path``. Raise ValueError with the reason."""
    if not text.isprintable():
        raise ValueError("a daemon's address has no control characters")
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").replace("///", "/", 1)
        if not path.startswith("/"):
            raise ValueError("a Unix socket is written unix:/absolute/path")
        return Address(f"unix:{path}", socket_path=path)
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a daemon's address is http://host:port or unix:/path")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("a daemon's address has no user, query or fragment; a token goes into --token")
    if " " in text or not parts.path.isascii():
        raise ValueError("a daemon's address has no spaces, and a path is ASCII")
    is_https = parts.scheme == "https"
    port = parts.port if parts.port is not None else (443 if is_https else 80)
    text = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return Address(text, parts.hostname, port, parts.path.rstrip("/"), is_https)
