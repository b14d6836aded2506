"""The names of ``notifier/client`` that the commands use, and the daemon's address by the configuration."""

from notifier.client.address import Address, parse_address
from notifier.client.errors import ApiProblem, Fault, NotFound, Problem, Refused, SocketRefused, Unreachable
from notifier.client.transport import ApiConnection, ApiReply, is_json

__all__ = [
    "Address",
    "ApiConnection",
    "ApiProblem",
    "ApiReply",
    "Fault",
    "NotFound",
    "Problem",
    "Refused",
    "SocketRefused",
    "Unreachable",
    "is_json",
    "parse_address",
    "resolve_daemon_address",
]


def resolve_daemon_address(listen: str) -> Address:
    """Return the address at which to reach a daemon that listens there.

    A daemon that listens on all addresses is reached on loopback.
    """
    address = parse_address(listen)
    if address.socket_path is not None:
        return address
    if address.port == 0:
        raise ValueError("server.listen has port 0, any free port; give the address with --url")
    if address.host in ("0.0.0.0", ""):  # noqa: S104 - compared, not bound
        return parse_address(f"127.0.0.1:{address.port}")
    if address.host == "::":
        return parse_address(f"[::1]:{address.port}")
    return address
