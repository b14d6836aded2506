"""The socket that the local API listens on: handed over by systemd, or bound here."""

import contextlib
import errno
import socket
import stat
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from notifier.errors import NotifierError

BACKLOG = 2_048
UNIX_MODE = 0o660


class ListenerUnusable(NotifierError):
    """``server.listen`` cannot be bound."""

    code = "listener_unusable"
    exit_status = 78


def bind(listen: str) -> socket.socket:
    """Bind ``host:port`` or ``unix:/path`` (as in ``server.listen``); raises ListenerUnusable."""
    try:
        if listen.startswith("unix:"):
            return _bind_unix(Path(listen.removeprefix("unix:")))
        host, _, port = listen.rpartition(":")
        return _bind_tcp(host.strip("[]"), int(port))
    except OSError as error:
        cause = f"cannot listen on {listen}: {error.strerror or error}"
        raise ListenerUnusable(cause, _fix(error)) from error


def format_listener_url(bound: socket.socket) -> str:
    """Where the API is, as a client writes it."""
    name = bound.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(bound: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    name = bound.getsockname()
    return isinstance(name, (str, bytes)) or ip_address(name[0]).is_loopback


def refuse_open_listener(bound: socket.socket, *, has_token: bool) -> None:
    """Raise ListenerUnusable for a socket that other machines reach while there is no token.

    The socket in use is judged: systemd hands over its own, and a changed ``server.listen`` waits for a
    restart.
    """
    if not has_token and not is_local(bound):
        raise ListenerUnusable(
            f"{format_listener_url(bound)} is reachable from other machines, and there is no token",
            "set server.tokens; or listen on 127.0.0.1 or a Unix socket (server.listen, or ListenStream= "
            "where systemd holds the socket), and restart",
        )


@dataclass(frozen=True, slots=True)
class SocketFile:
    """The file of a Unix socket, and which one of that name it is.

    An inode's number may be given to the next file at once, so when it was made counts too.
    """

    path: Path
    device: int
    inode: int
    modified_at_ns: int


def find_socket_file(bound: socket.socket) -> SocketFile | None:
    """The file that a socket is reached by; None for a port."""
    name = bound.getsockname()
    if bound.family is not socket.AF_UNIX or not isinstance(name, str) or not name:
        return None
    return _socket_file(Path(name))


def remove_socket_file(file: SocketFile | None) -> None:
    """Remove it, unless another has taken its place, or it cannot be: the next start replaces it."""
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
    """Bind in place of a socket that a dead process left; a living one keeps its place."""
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
    """Whether nobody listens there. One whose queue is full, or that we may not open, is a living one."""
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
