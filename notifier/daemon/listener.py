"""Bind and check the socket of the local API. systemd may pass a bound one instead."""

import contextlib
import errno
import socket
import stat
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from notifier.errors import NotifierError

BACKLOG = 2_048  # connections that the kernel queues; no record of why; changing it needs a measurement
UNIX_MODE = 0o660  # the owner and the group of the socket may use the API, as with SocketMode= of the unit


class ListenerUnusable(NotifierError):
    """The address of ``server.listen`` cannot be bound, or is not safe."""

    code = "listener_unusable"
    exit_status = 78


def bind(listen: str) -> socket.socket:
    """Bind ``host:port`` or ``unix:/path`` (as in ``server.listen``). Raise ListenerUnusable."""
    try:
        if listen.startswith("unix:"):
            return _bind_unix(Path(listen.removeprefix("unix:")))
        host, _, port = listen.rpartition(":")
        return _bind_tcp(host.strip("[]"), int(port))
    except OSError as error:
        cause = f"cannot listen on {listen}: {error.strerror or error}"
        raise ListenerUnusable(cause, _fix(error)) from error


def format_listener_url(bound: socket.socket) -> str:
    """Return the URL of the API, as a client writes it."""
    name = bound.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(bound: socket.socket) -> bool:
    """Return whether only this machine can reach the socket."""
    name = bound.getsockname()
    return isinstance(name, (str, bytes)) or ip_address(name[0]).is_loopback


def refuse_open_listener(bound: socket.socket, *, has_token: bool) -> None:
    """Raise ListenerUnusable for a socket that other machines can reach without a token.

    The check uses the open socket, because systemd may have passed another one, and a changed
    ``server.listen`` applies only after a restart.
    """
    if not has_token and not is_local(bound):
        raise ListenerUnusable(
            f"{format_listener_url(bound)} is reachable from other machines, and there is no token",
            "set server.tokens; or listen on 127.0.0.1 or a Unix socket (server.listen, or ListenStream= "
            "where systemd holds the socket), and restart",
        )


@dataclass(frozen=True, slots=True)
class SocketFile:
    """The identity of the file of a Unix socket.

    It includes the time of modification, because a new file may get the same inode number.
    """

    path: Path
    device: int
    inode: int
    modified_at_ns: int


def find_socket_file(bound: socket.socket) -> SocketFile | None:
    """Return the file of a Unix socket, None for a port."""
    name = bound.getsockname()
    if bound.family is not socket.AF_UNIX or not isinstance(name, str) or not name:
        return None
    return _socket_file(Path(name))


def remove_socket_file(file: SocketFile | None) -> None:
    """Remove the file of our socket, unless another process has replaced it."""
    with contextlib.suppress(OSError):
        if file is not None and _socket_file(file.path) == file:
            file.path.unlink()


def _socket_file(path: Path) -> SocketFile:
    status = path.stat()
    return SocketFile(path, status.st_dev, status.st_ino, status.st_mtime_ns)


def _bind_tcp(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _bind_unix(path: Path) -> socket.socket:
    """Bind a Unix socket. Replace the file of a dead process, never that of a running one."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode) and _is_dead(path):
            path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(UNIX_MODE)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _is_dead(path: Path) -> bool:
    """Return whether no process listens. A full queue or missing permission means that one does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def _fix(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "stop the program that listens there, or set server.listen to another address"
    if error.errno == errno.EACCES:
        return (
            "ports below 1024 and foreign directories need privileges; set server.listen to another address"
        )
    return "set server.listen to an address of this machine"
